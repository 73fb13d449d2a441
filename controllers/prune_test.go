package controllers

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// What the server made of a prunable kind goes once it is not rendered; what is
// anybody else's stays, whatever its name and labels.
func TestPrune(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer())
	w.settle()
	var s v1alpha1.FTPServer
	w.read(theServer, &s)
	policy := func(name string, change func(*networkingv1.NetworkPolicy)) client.Object {
		p := notRendered(&s)
		p.Name = name
		change(p)
		return p
	}
	w.create(
		policy("ours", func(*networkingv1.NetworkPolicy) {}),
		policy("without-our-labels", func(p *networkingv1.NetworkPolicy) { p.Labels = nil }),
		policy("nobodys", func(p *networkingv1.NetworkPolicy) { p.OwnerReferences = nil }),
		policy("not-controlled", func(p *networkingv1.NetworkPolicy) { p.OwnerReferences[0].Controller = nil }),
		policy("of-an-older-server", func(p *networkingv1.NetworkPolicy) { p.OwnerReferences[0].UID = "old" }),
		policy("of-another-kind", func(p *networkingv1.NetworkPolicy) {
			p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: theServer, UID: types.UID("other")}}, corev1.SchemeGroupVersion.WithKind("Pod"))}
		}),
	)
	w.settle()
	var left networkingv1.NetworkPolicyList
	if err := kube.List(t.Context(), &left, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range left.Items {
		if p.Name != render.NetworkPolicyName(theServer) { // which is rendered
			names = append(names, p.Name)
		}
	}
	if want := []string{"nobodys", "not-controlled", "of-an-older-server", "of-another-kind", "without-our-labels"}; !slices.Equal(names, want) {
		t.Errorf("left are %v, want %v", names, want)
	}
	serverReady(w)
	for _, p := range w.problems {
		t.Error(p)
	}
}

// An object that was changed since it was looked at is judged anew: it may be
// somebody else's by now.
func TestPruneJudgesWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer())
	w.settle()
	var s v1alpha1.FTPServer
	w.read(theServer, &s)
	policy := notRendered(&s)
	w.create(policy)
	w.wire.before = func(verb string, o client.Object) {
		if verb == "Delete" {
			edit(w, policy.Name, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) { p.OwnerReferences = nil })
		}
	}
	w.settle()
	if !w.read(policy.Name, policy) {
		t.Error("it was deleted though it is nobody's any more")
	}
	serverReady(w)
}

// What can't be made again as it was is never pruned.
func TestPrunableKinds(t *testing.T) {
	for _, list := range prunable {
		switch list.(type) {
		case *networkingv1.NetworkPolicyList, *policyv1.PodDisruptionBudgetList:
		case *appsv1.DeploymentList: // whose template follows from the spec
		default:
			t.Errorf("%T: is it certain that nothing is lost with it?", list)
		}
	}
}

// A server whose spec cannot be rendered keeps all that it has.
func TestNothingIsPrunedUnrendered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer())
	w.settle()
	var s v1alpha1.FTPServer
	w.read(theServer, &s)
	w.create(notRendered(&s))
	edit(w, render.ServiceAccountName(theServer), &corev1.ServiceAccount{}, func(a *corev1.ServiceAccount) { a.OwnerReferences = nil })
	w.settle()
	if !w.read("no-longer-rendered", &networkingv1.NetworkPolicy{}) {
		t.Error("it was deleted while it is not known what is to be rendered")
	}
}

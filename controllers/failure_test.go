package controllers

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

func TestRejected(t *testing.T) {
	for code, want := range map[int32]bool{
		400: true, 401: false, 403: true, 404: false, 405: true, 408: false, 409: false, 413: true, 418: true, 422: true, 429: false,
		500: false, 503: false,
	} {
		err := fmt.Errorf("apply: %w", &apierrors.StatusError{ErrStatus: metav1.Status{Code: code}})
		if got := rejected(err); got != want {
			t.Errorf("%d: got %v", code, got)
		}
	}
	// A lack of a right is not the spec's fault, where a quota's answer is.
	pvc := schema.GroupResource{Resource: "persistentvolumeclaims"}
	for why, want := range map[string]bool{
		"exceeded quota: storage, requested: requests.storage=1Gi, used: 9Gi, limited: 9Gi": true,
		`violates PodSecurity "restricted:latest": a User that cannot`:                      true,
		`User "system:serviceaccount:a:b" cannot patch resource "persistentvolumeclaims"`:   false,
	} {
		if err := apierrors.NewForbidden(pvc, "files-data", errors.New(why)); rejected(err) != want {
			t.Errorf("want %v: %v", want, err)
		}
	}
	if rejected(errors.New("connection refused")) {
		t.Error("an error of the network is called a refusal")
	}
}

// refuse has the API server refuse what is of the probe's kind, or of others of
// its group, in a namespace, with a code that is neither 403 nor 422.
func refuse(t *testing.T, probe client.Object, group string, resources ...string) {
	t.Helper()
	namespace := probe.GetNamespace()
	reason, every := metav1.StatusReasonRequestEntityTooLarge, admissionv1.NamespacedScope
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "refuse-" + namespace},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.OperationAll},
					Rule: admissionv1.Rule{
						APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources, Scope: &every,
					},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "false", Message: "not here", Reason: &reason}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        policy.Name,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace},
			}},
		},
	}
	create(t, policy, binding)
	t.Cleanup(func() { remove(t, binding, policy) })
	eventually(t, func() error {
		probe.SetResourceVersion("")
		if err := kube.Create(t.Context(), probe, client.DryRunAll); !rejected(err) {
			return fmt.Errorf("the policy is not at work yet: %w", errors.Join(err, errors.New("no refusal")))
		}
		return nil
	})
}

// Every refusal is told, whatever its code, and holds up nothing else.
func TestRefusedChildrenAreAllTold(t *testing.T) {
	ns := namespace(t)
	refuse(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "probe"}}, "", "configmaps", "serviceaccounts")
	server := newServer(ns, "files")
	create(t, server)
	c := says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	for _, want := range []string{"ServiceAccount files", "ConfigMap files-ca", "not here"} {
		if !strings.Contains(c.Message, want) {
			t.Errorf("the message leaves out %q: %s", want, c.Message)
		}
	}
	get(t, ns, "files", &corev1.Service{})
}

// Where the Deployments are refused, an operator that has just begun, and has to
// ask whether they differ, tells so and goes on with all else.
func TestRefusedDeploymentsHoldUpNothingElse(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 2)
	pods := w.podsOf()
	refuse(t, somebodyElses["Deployment"](metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}), "apps", "deployments")
	w.boot()
	w.create(w.newUser("alice"))
	w.settle()
	c := w.condition(v1alpha1.ConditionAccepted)
	if c.Reason != string(v1alpha1.ReasonChildRejected) || !strings.Contains(c.Message, "Deployment files-0") || !strings.Contains(c.Message, "not here") {
		t.Errorf("Accepted is %+v", c)
	}
	if _, err := findLogin(t, w.namespace, theServer, "alice"); err != nil {
		t.Error(err)
	}
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	if now := w.podsOf(); !maps.Equal(pods, now) {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
}

// An error that ends the pass leaves no Ready that is no longer known to be true.
func TestFailureIsTold(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	var salt []byte
	keys := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-keys"}}
	change(t, keys, func(s *corev1.Secret) { salt, s.Data["password-salt"] = s.Data["password-salt"], []byte("short") })
	c := says(t, server, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonReconcileFailed)
	if !strings.Contains(c.Message, "keys") || strings.Contains(c.Message, "short") {
		t.Errorf("the message is %s", c.Message)
	}
	reaches(t, server, kstatus.InProgressStatus)
	if c := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionAccepted); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("Accepted is %+v", c)
	}
	version := server.ResourceVersion
	for range 5 {
		if _, err := serverReconciler.Reconcile(t.Context(), request(ns, "files")); err == nil {
			t.Error("the error is kept from the queue")
		}
	}
	get(t, ns, "files", server)
	if server.ResourceVersion != version {
		t.Error("an error that stays writes the status again and again")
	}
	change(t, keys, func(s *corev1.Secret) { s.Data["password-salt"] = salt })
	reaches(t, server, kstatus.CurrentStatus)
}

// A stall that still holds is told while the operator meets an error, and after.
func TestFailureHidesNoStall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(theirs(t, w.namespace, "Service files"), w.newServer())
	w.settle()
	stalled := w.condition(v1alpha1.ConditionStalled)
	if stalled.Reason != string(v1alpha1.ReasonNameTaken) {
		t.Fatalf("Stalled is %+v", stalled)
	}
	failing := true
	w.wire.fails = func(what string) error {
		if failing && strings.HasPrefix(what, "List *v1.PodList") {
			return apierrors.NewInternalError(errors.New("a fault of the test"))
		}
		return nil
	}
	w.pass("server/" + theServer)
	if c := w.condition(v1alpha1.ConditionReady); c.Reason != string(v1alpha1.ReasonReconcileFailed) {
		t.Errorf("Ready is %+v", c)
	}
	if now := w.condition(v1alpha1.ConditionStalled); now != stalled {
		t.Errorf("Stalled was %+v and is %+v", stalled, now)
	}
	failing = false
	w.settle()
	if now := w.condition(v1alpha1.ConditionStalled); now != stalled {
		t.Errorf("Stalled was %+v and is %+v", stalled, now)
	}
}

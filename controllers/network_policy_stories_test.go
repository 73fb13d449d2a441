package controllers

import (
	"maps"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// unselectable is what only Kubernetes finds to be no peer.
func unselectable(s *v1alpha1.FTPServer) {
	s.Spec.NetworkPolicy.FTPFrom = []v1alpha1.NetworkPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "no value!"}}}}
}

func selectable(s *v1alpha1.FTPServer) {
	s.Spec.NetworkPolicy.FTPFrom = []v1alpha1.NetworkPeer{{IPBlock: &v1alpha1.IPBlock{CIDR: "198.51.100.0/24", Except: []string{"198.51.100.7/32"}}}}
}

// refusesThePolicy finds that the server tells of its NetworkPolicy.
func (w *world) refusesThePolicy() {
	w.t.Helper()
	c := w.condition(v1alpha1.ConditionAccepted)
	if c.Reason != string(v1alpha1.ReasonChildRejected) || !strings.Contains(c.Message, "NetworkPolicy files-") {
		w.t.Errorf("Accepted is %+v", c)
	}
}

// No pod is made that nothing would guard, as Kubernetes refuses its
// NetworkPolicy; once it is taken, all are.
func TestNoPodWithoutItsNetworkPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer(shared(2), unselectable, withFront))
	w.settle()
	w.refusesThePolicy()
	if made := w.deploymentsNow(); len(made) != 0 {
		t.Errorf("%d Deployments were made without a NetworkPolicy", len(made))
	}
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-0 is held back until Kubernetes takes its NetworkPolicy")
	w.set(selectable)
	w.settle()
	var made networkingv1.NetworkPolicy
	get(t, w.namespace, render.NetworkPolicyName(theServer), &made)
	if block := made.Spec.Ingress[0].From[0].IPBlock; block == nil || block.CIDR != "198.51.100.0/24" || block.Except[0] != "198.51.100.7/32" {
		t.Errorf("it lets in %+v", made.Spec.Ingress[0].From)
	}
	if n := len(w.podsOf()); n != 2 {
		t.Errorf("there are %d pods", n)
	}
}

// What runs goes on while a change of its NetworkPolicy is refused, and nothing
// more is made.
func TestRefusedNetworkPolicyHoldsNewPodsBack(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	pods := w.podsOf()
	w.set(func(s *v1alpha1.FTPServer) { unselectable(s); withFront(s); s.Spec.Replicas = ptr.To[int32](2) })
	w.settle()
	w.refusesThePolicy()
	if now := w.podsOf(); !maps.Equal(pods, now) || len(w.deploymentsNow()) != 1 {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-1 is held back until Kubernetes takes its NetworkPolicy")
	w.scale(1)
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The Deployment files-front is not made until Kubernetes takes its NetworkPolicy")
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.NetworkPolicy.FTPFrom, s.Spec.Front = nil, nil })
	w.settle()
	serverReady(w)
}

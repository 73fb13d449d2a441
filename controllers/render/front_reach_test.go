package render_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// An affinity is the Service's, which leads to the front: a client stays at one pod of
// it. To which replica sessions go from there, it does not tell.
func TestFrontWithAffinity(t *testing.T) {
	sticky := func(in *render.Input) { in.Server.Spec.Service.SessionAffinity = v1alpha1.SessionAffinityClientIP }
	svc := objectOf[*corev1.Service](t, rendered(t, fronted, sticky), "files").Spec
	if svc.SessionAffinity != corev1.ServiceAffinityClientIP || svc.Ports[0].TargetPort.StrVal != render.FrontPortName {
		t.Errorf("the Service has the affinity %s, and leads to %s", svc.SessionAffinity, svc.Ports[0].TargetPort.String())
	}
	if !equality.Semantic.DeepEqual(front(t, fronted), front(t, fronted, sticky)) {
		t.Error("the front is replaced for an affinity")
	}
}

// The front reaches the replicas, and whatever address by the ports of DNS alone.
func TestFrontReaches(t *testing.T) {
	p := objectOf[*networkingv1.NetworkPolicy](t, rendered(t, fronted), "files-front").Spec
	if len(p.PolicyTypes) != 1 || p.PolicyTypes[0] != networkingv1.PolicyTypeEgress || len(p.Egress) != 2 {
		t.Fatalf("the policy is %+v", p)
	}
	if to := p.Egress[0].To; len(to) != 1 || !equality.Semantic.DeepEqual(to[0], networkingv1.NetworkPolicyPeer{PodSelector: render.ScaleSelector("files")}) {
		t.Errorf("the first rule leads to %+v", to)
	}
	for _, port := range p.Egress[1].Ports {
		if n := port.Port.IntVal; n != 53 && n != 5353 || port.EndPort != nil {
			t.Errorf("port %d is no port of DNS", n)
		}
	}
	if len(p.Egress[1].To) > 0 {
		t.Error("the documentation says that DNS may be anywhere")
	}
}

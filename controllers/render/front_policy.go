package render

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// frontNetworkPolicy is what the front's pods may reach, beside what the policy
// of all the server's pods lets in: the slots, and DNS to find them. It is nil
// where the spec wants none, and where there is no front.
func frontNetworkPolicy(in Input) *networkingv1.NetworkPolicy {
	s := in.Server
	if s.Spec.NetworkPolicy.Mode == v1alpha1.NetworkPolicyNone || !frontReaches(in) {
		return nil
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: child(s, FrontName(s.Name)),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: FrontSelector(s.Name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{
				{To: []networkingv1.NetworkPolicyPeer{{PodSelector: ScaleSelector(s.Name)}}, Ports: slotPorts()},
				{Ports: dns()},
			},
		},
	}
}

// frontReaches tells that pods of the front are to reach the slots: also those of
// one that is no longer asked for, until they have ended.
func frontReaches(in Input) bool { return HasFront(in.Server) || in.FrontRuns }

// fromFront lets the front's pods reach the slots.
func fromFront(s *v1alpha1.FTPServer) networkingv1.NetworkPolicyIngressRule {
	return networkingv1.NetworkPolicyIngressRule{
		From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: FrontSelector(s.Name)}}},
		Ports: slotPorts(),
	}
}

// slotPorts are those of a slot that the front connects to.
func slotPorts() []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{
		port(corev1.ProtocolTCP, controlListen, 0),
		port(corev1.ProtocolTCP, implicitListen, 0),
		port(corev1.ProtocolTCP, adminListen, 0),
	}
}

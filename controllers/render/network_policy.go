package render

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// OperatorApp is the value of LabelName on the operator's own pods.
const OperatorApp = "ftp-operator"

// dnsPorts are those of DNS servers: of the Service, and of pods behind it where
// the network judges by them.
var dnsPorts = []int32{53, 5353}

// networkPolicy bounds what reaches the pods and what they reach, or is nil
// where the spec wants none. Probes come from the node, which network policies
// let through.
func networkPolicy(in Input) *networkingv1.NetworkPolicy {
	spec := in.Server.Spec.NetworkPolicy
	if spec.Mode == v1alpha1.NetworkPolicyNone {
		return nil
	}
	p := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: child(in.Server, NetworkPolicyName(in.Server.Name)),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: ServiceSelector(in.Server.Name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{From: peers(spec.FTPFrom), Ports: ftpPorts(in)},
				{From: []networkingv1.NetworkPolicyPeer{operator(in)}, Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, StatusPort, 0)}},
			},
		},
	}
	if len(spec.MetricsFrom) > 0 {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: peers(spec.MetricsFrom), Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, adminListen, 0)},
		})
	}
	if frontReaches(in) {
		p.Spec.Ingress = append(p.Spec.Ingress, fromFront(in.Server))
	}
	if slices.ContainsFunc(in.PassiveAddresses, isHostname) {
		p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{Ports: dns()}}
	}
	return p
}

// peers are those of the spec, in Kubernetes' type.
func peers(of []v1alpha1.NetworkPeer) []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for _, p := range of {
		peer := networkingv1.NetworkPolicyPeer{PodSelector: p.PodSelector, NamespaceSelector: p.NamespaceSelector}
		if p.IPBlock != nil {
			peer.IPBlock = &networkingv1.IPBlock{CIDR: p.IPBlock.CIDR, Except: p.IPBlock.Except}
		}
		out = append(out, peer)
	}
	return out
}

// dns are the ports to look names up at.
func dns() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for _, n := range dnsPorts {
		out = append(out, port(corev1.ProtocolUDP, n, 0), port(corev1.ProtocolTCP, n, 0))
	}
	return out
}

// ftpPorts are those that clients connect to.
func ftpPorts(in Input) []networkingv1.NetworkPolicyPort {
	out := []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, controlListen, 0)}
	if in.Server.Spec.TLS.Implicit != nil {
		out = append(out, port(corev1.ProtocolTCP, implicitListen, 0))
	}
	return append(out, port(corev1.ProtocolTCP, passiveListen, passiveListen+maxPassivePorts-1))
}

// operator are the operator's own pods.
func operator(in Input) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: in.OperatorNamespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{LabelName: OperatorApp}},
	}
}

// port is one port, or a range of them where last is not 0.
func port(protocol corev1.Protocol, first, last int32) networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(first))}
	if last != 0 {
		p.EndPort = ptr.To(last)
	}
	return p
}

func isHostname(a config.PassiveAddress) bool {
	_, err := netip.ParseAddr(a.Address)
	return err != nil
}

package policy

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Addresses are where clients reach a server.
type Addresses struct {
	// List are the addresses, the best known first.
	List []v1alpha1.ServerAddress
	// Pending tells that Kubernetes has yet to assign one.
	Pending bool
}

// FindAddresses takes what the Service's status tells: the load balancer's
// addresses; for NodePort that of the node where a pod runs, as the external
// traffic policy Local lets only that one answer; else the cluster IPs. svc is
// nil where there is no Service yet.
func FindAddresses(kind v1alpha1.ServiceType, svc *corev1.Service, pods []*corev1.Pod) Addresses {
	if svc == nil {
		return Addresses{Pending: true}
	}
	var list []v1alpha1.ServerAddress
	switch kind {
	case v1alpha1.ServiceLoadBalancer:
		for _, in := range svc.Status.LoadBalancer.Ingress {
			list = appendAddress(list, in.IP, in.Hostname)
		}
	case v1alpha1.ServiceNodePort:
		for _, p := range pods {
			for _, ip := range p.Status.HostIPs {
				list = appendAddress(list, ip.IP, "")
			}
		}
	default:
		for _, ip := range svc.Spec.ClusterIPs {
			list = appendAddress(list, ip, "")
		}
	}
	return Addresses{List: list, Pending: len(list) == 0}
}

func appendAddress(list []v1alpha1.ServerAddress, ip, hostname string) []v1alpha1.ServerAddress {
	a := v1alpha1.ServerAddress{Type: v1alpha1.AddressIP, Value: ip}
	if ip == "" {
		a = v1alpha1.ServerAddress{Type: v1alpha1.AddressHostname, Value: hostname}
	}
	if a.Value == "" || slices.Contains(list, a) {
		return list
	}
	return append(list, a)
}

// PassiveAddresses are what PASV answers: those of the spec, else the addresses
// that it can tell, IPv4 and host names. pending tells that there are none yet
// but will be.
func PassiveAddresses(spec v1alpha1.PassiveSpec, a Addresses) (addresses []config.PassiveAddress, pending bool) {
	for _, p := range spec.Addresses {
		addresses = append(addresses, config.PassiveAddress{Address: p.Address, ClientCIDRs: p.ClientCIDRs})
	}
	if len(addresses) > 0 {
		return addresses, false
	}
	for _, s := range a.List {
		if ip, err := netip.ParseAddr(s.Value); err == nil && !ip.Unmap().Is4() {
			continue
		}
		addresses = append(addresses, config.PassiveAddress{Address: s.Value})
	}
	return addresses, a.Pending
}

// AddressAssigned judges what was found. pendingPorts tells that Kubernetes has
// yet to allocate node ports.
func AddressAssigned(s *v1alpha1.FTPServer, replicas int, a Addresses, pendingPorts bool) Finding {
	kind := s.Spec.Service.Type
	switch {
	case a.Pending && kind == v1alpha1.ServiceNodePort && replicas == 0:
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs whose node would be the address, as spec.replicas is 0")
	case a.Pending && kind == v1alpha1.ServiceLoadBalancer:
		return no(v1alpha1.ReasonAddressPending, "The load balancer has no address yet: if this stays, see the events of the Service and whether the cluster has a load balancer")
	case a.Pending && kind == v1alpha1.ServiceNodePort:
		return no(v1alpha1.ReasonAddressPending, "The address will be that of the pod's node, and the pod has none yet")
	case a.Pending, pendingPorts:
		return no(v1alpha1.ReasonAddressPending, "Kubernetes has not assigned the Service's address and ports yet")
	}
	return yes(v1alpha1.ReasonAddressAssigned, "Clients reach the server at "+a.List[0].Value)
}

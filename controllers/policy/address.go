package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// maxAddresses is how many a status holds.
const maxAddresses = 32

// Reach is what the addresses of a server follow from.
type Reach struct {
	// Type is that of the Service that the spec asks for. Service is the live one,
	// nil where there is none yet.
	Type    v1alpha1.ServiceType
	Service *corev1.Service
	// Slots are those that are to run.
	Slots []Slot
	// Told are the addresses that the status tells of this very generation.
	Told []v1alpha1.ServerAddress
}

// Addresses are where clients reach a server.
type Addresses struct {
	// List are the addresses, the best known first.
	List []v1alpha1.ServerAddress
	// Pending tells that Kubernetes has yet to assign one. With type NodePort,
	// List then holds what was the last one.
	Pending bool
	// Outdated tells that the Service is not of the wanted type yet: List is what
	// still holds.
	Outdated bool
	// Unserved are ports that the load balancer has a problem with, Complaints
	// what else the Service's status says is wrong.
	Unserved, Complaints []string
}

// FindAddresses takes what the Service's status tells: the load balancer's
// addresses; for NodePort those of nodes with a pod; else the cluster IPs.
func FindAddresses(in Reach) Addresses {
	svc := in.Service
	if svc == nil {
		return Addresses{Pending: true}
	}
	a := Addresses{Outdated: svc.Spec.Type != corev1.ServiceType(in.Type), Complaints: complaints(svc)}
	switch svc.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		for _, entry := range svc.Status.LoadBalancer.Ingress {
			a.List = appendAddress(a.List, v1alpha1.AddressIP, entry.IP)
			a.List = appendAddress(a.List, v1alpha1.AddressHostname, entry.Hostname)
		}
		a.Unserved = unserved(svc)
		a.Pending = len(a.List) == 0
	case corev1.ServiceTypeNodePort:
		if a.Outdated {
			in.Told = nil
		}
		a.List, a.Pending = nodeAddresses(in)
	default:
		for _, ip := range svc.Spec.ClusterIPs {
			a.List = appendAddress(a.List, v1alpha1.AddressIP, ip)
		}
		a.Pending = len(a.List) == 0
	}
	a.List = a.List[:min(len(a.List), maxAddresses)]
	return a
}

func appendAddress(list []v1alpha1.ServerAddress, kind v1alpha1.AddressType, value string) []v1alpha1.ServerAddress {
	a := v1alpha1.ServerAddress{Type: kind, Value: value}
	if value == "" || slices.Contains(list, a) {
		return list
	}
	return append(list, a)
}

// nodeAddresses are those that a NodePort Service answers on. pending tells that
// no pod has a node.
func nodeAddresses(in Reach) (list []v1alpha1.ServerAddress, pending bool) {
	if len(in.Slots) == 0 {
		return nil, true
	}
	if in.Service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyCluster {
		return anyNode(in)
	}
	return nodeOfPod(in)
}

// nodeOfPod is the only node that answers with the traffic policy Local: that of
// the pod, or of one that is ending. Between two pods none does; the last one is
// told until the next is known, as the certificate has its name.
func nodeOfPod(in Reach) (list []v1alpha1.ServerAddress, pending bool) {
	for _, slot := range in.Slots {
		for _, pods := range [][]*corev1.Pod{slot.Live(), slot.Pods} {
			if len(list) > 0 {
				break
			}
			for _, p := range pods {
				for _, ip := range nodeOf(p) {
					list = appendAddress(list, v1alpha1.AddressIP, ip)
				}
			}
		}
	}
	if len(list) == 0 {
		return in.Told, true
	}
	return list, false
}

// anyNode are the nodes with a pod of the server, sorted: with the traffic policy
// Cluster every node answers, and of these it is known that they are there. While
// a slot is between two pods, those that were told stay, so that a roll that
// comes back to the same nodes moves nothing; a node that is lost does not.
func anyNode(in Reach) (list []v1alpha1.ServerAddress, pending bool) {
	complete := true
	for _, slot := range in.Slots {
		placed := false
		for _, p := range slot.Live() {
			for _, ip := range nodeOf(p) {
				list, placed = appendAddress(list, v1alpha1.AddressIP, ip), true
			}
		}
		complete = complete && placed
	}
	if !complete {
		lost := lostNodes(in.Slots)
		for _, a := range in.Told {
			if !slices.Contains(lost, a.Value) {
				list = appendAddress(list, a.Type, a.Value)
			}
		}
	}
	return sorted(list), len(list) == 0
}

// nodeOf are the addresses of the pod's node, as long as the pod runs there.
func nodeOf(p *corev1.Pod) (ips []string) {
	if p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded || lost(p) {
		return nil
	}
	for _, ip := range p.Status.HostIPs {
		ips = append(ips, ip.IP)
	}
	return ips
}

func lostNodes(slots []Slot) (ips []string) {
	for _, slot := range slots {
		for _, p := range slot.Pods {
			if !lost(p) {
				continue
			}
			for _, ip := range p.Status.HostIPs {
				ips = append(ips, ip.IP)
			}
		}
	}
	return ips
}

// lost tells that the pod's node is not heard of any more: Kubernetes then says
// that the pod is not ready, while the word of the node's kubelet, which nobody
// takes back, still is that its containers are.
func lost(p *corev1.Pod) bool {
	return condition(p, corev1.PodReady) == corev1.ConditionFalse && condition(p, corev1.ContainersReady) == corev1.ConditionTrue
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// sorted puts the lowest address of each family first, IPv4 before IPv6, and then
// the others in order.
func sorted(list []v1alpha1.ServerAddress) []v1alpha1.ServerAddress {
	slices.SortFunc(list, func(a, b v1alpha1.ServerAddress) int {
		x, errX := netip.ParseAddr(a.Value)
		y, errY := netip.ParseAddr(b.Value)
		if errX != nil || errY != nil {
			return cmp.Compare(a.Value, b.Value)
		}
		return x.Compare(y)
	})
	if i := slices.IndexFunc(list, isIPv6); i > 1 {
		first := list[i]
		list = slices.Insert(slices.Delete(list, i, i+1), 1, first)
	}
	return list
}

// isIPv6 tells of an address that PASV cannot tell.
func isIPv6(a v1alpha1.ServerAddress) bool {
	ip, err := netip.ParseAddr(a.Value)
	return err == nil && !ip.Unmap().Is4()
}

// PassiveAddresses are what PASV answers: those of the spec; for clients that
// none of these is for, the addresses that it can tell, IPv4 and host names.
// pending tells that such clients have to wait for one.
func PassiveAddresses(spec v1alpha1.PassiveSpec, a Addresses) (addresses []config.PassiveAddress, pending bool) {
	forAll := false
	for _, p := range spec.Addresses {
		addresses = append(addresses, config.PassiveAddress{Address: p.Address, ClientCIDRs: p.ClientCIDRs})
		forAll = forAll || len(p.ClientCIDRs) == 0
	}
	if forAll {
		return addresses, false
	}
	for _, s := range a.List {
		if !a.Pending && !isIPv6(s) {
			addresses = append(addresses, config.PassiveAddress{Address: s.Value})
		}
	}
	return addresses, a.Pending
}

// AddressAssigned judges what was found. pendingPorts tells that the Service has
// yet to have the ports that are asked for.
func AddressAssigned(s *v1alpha1.FTPServer, replicas int, a Addresses, pendingPorts bool) Finding {
	kind := s.Spec.Service.Type
	pending := func(message string) Finding {
		return no(v1alpha1.ReasonAddressPending, message+told(". It says: ", slices.Concat(a.Complaints, a.Unserved)))
	}
	switch {
	case a.Outdated:
		return pending(fmt.Sprintf("The Service is not of type %s yet", kind) + told("; clients reach the server at ", values(a.List)))
	case a.Pending && kind == v1alpha1.ServiceNodePort && replicas == 0:
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs whose node would be the address, as spec.replicas is 0")
	case a.Pending && kind == v1alpha1.ServiceLoadBalancer:
		return pending("The load balancer has no address yet: if this stays, see the events of the Service and whether the cluster has a load balancer")
	case a.Pending && kind == v1alpha1.ServiceNodePort:
		return pending("The address will be that of a pod's node, and no pod has one yet")
	case a.Pending, pendingPorts:
		return pending("Kubernetes has not assigned the Service's address and ports yet")
	case len(a.Unserved) > 0:
		return no(v1alpha1.ReasonAddressPending, "The load balancer at "+a.List[0].Value+" does not pass on everything"+told(": ", slices.Concat(a.Unserved, a.Complaints)))
	}
	message := "Clients reach the server at " + a.List[0].Value
	if !slices.ContainsFunc(a.List, func(a v1alpha1.ServerAddress) bool { return !isIPv6(a) }) {
		message += ", by IPv6 only: EPSV works, and PASV, which is for IPv4, is refused"
	}
	return yes(v1alpha1.ReasonAddressAssigned, message+told(". The Service says: ", a.Complaints))
}

func values(list []v1alpha1.ServerAddress) (out []string) {
	for _, a := range list {
		out = append(out, a.Value)
	}
	return out
}

package render

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// ControlPortName is the name of the control port, on Service and container.
const ControlPortName = "ftp"

// ImplicitPortName is the name of the Service's port for implicit TLS.
const ImplicitPortName = "ftps"

// service is what clients connect to.
func service(in Input) *corev1.Service {
	spec := in.Server.Spec.Service
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: child(in.Server, ServiceName(in.Server.Name)),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceType(spec.Type),
			Selector: ServiceSelector(in.Server.Name),
			Ports:    toFront(servicePorts(in.Server, in.Service, in.Slots), in.FrontServes),
		},
	}
	svc.Labels = merged(spec.Labels, svc.Labels)
	svc.Annotations = maps.Clone(spec.Annotations)
	svc.Spec.SessionAffinity = corev1.ServiceAffinity(spec.SessionAffinity)
	for _, f := range spec.IPFamilies {
		svc.Spec.IPFamilies = append(svc.Spec.IPFamilies, corev1.IPFamily(f))
	}
	svc.Spec.IPFamilyPolicy = (*corev1.IPFamilyPolicy)(spec.IPFamilyPolicy)
	if spec.Type != v1alpha1.ServiceClusterIP {
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicy(spec.ExternalTrafficPolicy)
	}
	if spec.Type == v1alpha1.ServiceLoadBalancer {
		svc.Spec.LoadBalancerClass = spec.LoadBalancerClass
		svc.Spec.LoadBalancerSourceRanges = spec.LoadBalancerSourceRanges
		svc.Spec.AllocateLoadBalancerNodePorts = spec.AllocateLoadBalancerNodePorts
	}
	return svc
}

// servicePorts are those of the Service. The ones with a node port to ask for come
// first: Kubernetes allocates in their order, and could give the number of one to
// another that it chooses for.
func servicePorts(s *v1alpha1.FTPServer, live *corev1.Service, slots int) []corev1.ServicePort {
	numbers := nodePorts(s, live, slots)
	out := []corev1.ServicePort{servicePort(ControlPortName, s.Spec.Service.Port, numbers)}
	if implicit := s.Spec.TLS.Implicit; implicit != nil {
		p := servicePort(ImplicitPortName, implicit.Port, numbers)
		p.TargetPort = intstr.FromInt32(implicitListen)
		out = append(out, p)
	}
	for _, p := range PassivePorts(s, live, slots) {
		out = append(out, servicePort(p.Name(), p.Number, numbers))
	}
	slices.SortStableFunc(out, func(a, b corev1.ServicePort) int {
		return cmp.Compare(min(1, b.NodePort), min(1, a.NodePort))
	})
	return out
}

func servicePort(name string, number int32, nodePorts map[string]int32) corev1.ServicePort {
	return corev1.ServicePort{
		Name:       name,
		Protocol:   corev1.ProtocolTCP,
		Port:       number,
		TargetPort: intstr.FromString(name),
		NodePort:   nodePorts[name],
	}
}

// nodePorts are those to ask for, by port name: what the spec gives, and what
// Kubernetes has allocated. Asked for, these are the operator's own: what it asks
// for no more is gone, where Kubernetes would leave those that are there when a
// load balancer is to have none, and refuse one that is now wanted elsewhere.
func nodePorts(s *v1alpha1.FTPServer, live *corev1.Service, slots int) map[string]int32 {
	spec := s.Spec.Service
	if spec.Type == v1alpha1.ServiceClusterIP {
		return nil
	}
	out := map[string]int32{}
	if spec.Type == v1alpha1.ServiceNodePort || ptr.Deref(spec.AllocateLoadBalancerNodePorts, true) {
		out = kept(s, live, slots)
	}
	maps.Copy(out, given(s, slots))
	return out
}

// given are the node ports that the spec says, by port name.
func given(s *v1alpha1.FTPServer, slots int) map[string]int32 {
	out := map[string]int32{}
	if n := s.Spec.Service.NodePort; n != nil {
		out[ControlPortName] = *n
	}
	if i := s.Spec.TLS.Implicit; i != nil && i.NodePort != nil {
		out[ImplicitPortName] = *i.NodePort
	}
	for _, p := range givenPassivePorts(s, slots) {
		out[p.Name()] = p.Number
	}
	return out
}

// kept are the node ports that Kubernetes has allocated, by port name, but for
// those whose number the spec says for another port.
func kept(s *v1alpha1.FTPServer, live *corev1.Service, slots int) map[string]int32 {
	wanted := map[int32]string{}
	for name, number := range given(s, slots) {
		wanted[number] = name
	}
	out := map[string]int32{}
	if live == nil {
		return out
	}
	for _, p := range live.Spec.Ports {
		if name, elsewhere := wanted[p.NodePort]; p.NodePort != 0 && (!elsewhere || name == p.Name) {
			out[p.Name] = p.NodePort
		}
	}
	return out
}

// public are the numbers that clients reach the live Service at, by port name.
func public(live *corev1.Service) map[string]int32 {
	out := map[string]int32{}
	if live == nil {
		return out
	}
	for _, p := range live.Spec.Ports {
		if out[p.Name] = p.Port; live.Spec.Type == corev1.ServiceTypeNodePort {
			out[p.Name] = p.NodePort
		}
	}
	return out
}

// PortsPending tells that the live Service does not have the ports yet that the
// spec asks for, or that Kubernetes has yet to allocate one.
func PortsPending(s *v1alpha1.FTPServer, live *corev1.Service, slots int) bool {
	if live == nil {
		return true
	}
	has := map[string]corev1.ServicePort{}
	for _, p := range live.Spec.Ports {
		has[p.Name] = p
	}
	for _, want := range servicePorts(s, live, slots) {
		is := has[want.Name]
		if is.Port != want.Port || want.NodePort != 0 && is.NodePort != want.NodePort ||
			want.NodePort == 0 && s.Spec.Service.Type == v1alpha1.ServiceNodePort {
			return true
		}
	}
	return false
}

// HasPorts tells that the live Service has the passive ports of a slot.
func HasPorts(live *corev1.Service, slot int) bool {
	_, has := public(live)[PassivePortName(slot, 0)]
	return has
}

// ControlPort is the number that clients connect to; 0: there is none yet.
func ControlPort(live *corev1.Service) int32 { return public(live)[ControlPortName] }

// ImplicitPort is that for implicit TLS; 0: there is none, or none yet.
func ImplicitPort(live *corev1.Service) int32 { return public(live)[ImplicitPortName] }

package render

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// The numbers that a passive port may have (spec.passive.firstPort).
const (
	firstPort = 1024
	lastPort  = 65535
)

// ControlPortName is the name of the control port, on Service and container.
const ControlPortName = "ftp"

// ImplicitPortName is the name of the Service's port for implicit TLS.
const ImplicitPortName = "ftps"

// PassivePortName names passive port i of a slot, on Service and container. By
// it Kubernetes routes the public port to the one slot that declares it.
func PassivePortName(slot, i int) string { return fmt.Sprintf("s%dp%d", slot, i) }

// service is what clients connect to.
func service(in Input) *corev1.Service {
	spec := in.Server.Spec.Service
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: child(in.Server, ServiceName(in.Server.Name)),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceType(spec.Type),
			Selector: ServiceSelector(in.Server.Name),
			Ports:    servicePorts(in),
		},
	}
	svc.Labels = merged(spec.Labels, svc.Labels)
	svc.Annotations = maps.Clone(spec.Annotations)
	if spec.Type != v1alpha1.ServiceClusterIP {
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	if spec.Type == v1alpha1.ServiceLoadBalancer {
		svc.Spec.LoadBalancerClass = spec.LoadBalancerClass
		svc.Spec.LoadBalancerSourceRanges = spec.LoadBalancerSourceRanges
		svc.Spec.AllocateLoadBalancerNodePorts = spec.AllocateLoadBalancerNodePorts
	}
	return svc
}

func servicePorts(in Input) []corev1.ServicePort {
	nodePorts := nodePorts(in)
	out := []corev1.ServicePort{servicePort(ControlPortName, in.Server.Spec.Service.Port, nodePorts)}
	if implicit := in.Server.Spec.TLS.Implicit; implicit != nil {
		p := servicePort(ImplicitPortName, implicit.Port, nodePorts)
		p.TargetPort = intstr.FromInt32(implicitListen)
		out = append(out, p)
	}
	for i, number := range PassivePorts(in.Server, in.Service) {
		out = append(out, servicePort(PassivePortName(0, i), number, nodePorts))
	}
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

// nodePorts are those that Kubernetes has allocated, by port name. They are
// asked for again with type NodePort only: there they are what clients are
// told, elsewhere they are Kubernetes' own affair.
func nodePorts(in Input) map[string]int32 {
	if in.Server.Spec.Service.Type != v1alpha1.ServiceNodePort {
		return nil
	}
	return allocated(in.Service)
}

func allocated(svc *corev1.Service) map[string]int32 {
	out := map[string]int32{}
	if svc == nil {
		return out
	}
	for _, p := range svc.Spec.Ports {
		if p.NodePort != 0 {
			out[p.Name] = p.NodePort
		}
	}
	return out
}

// PassivePorts are the public numbers of slot 0's passive ports: firstPort and
// on, or with type NodePort those that Kubernetes has allocated, so that one
// number fits clients inside and outside. Until it has, a number is taken that
// no other port of the Service has, nor had: a new port of an old one's number
// would inherit its node port, which is still in use.
func PassivePorts(s *v1alpha1.FTPServer, live *corev1.Service) []int32 {
	out := make([]int32, s.Spec.Passive.PortsPerReplica)
	nodePorts := map[string]int32{}
	if s.Spec.Service.Type == v1alpha1.ServiceNodePort {
		nodePorts = allocated(live)
	}
	taken := map[int32]bool{s.Spec.Service.Port: true}
	if implicit := s.Spec.TLS.Implicit; implicit != nil {
		taken[implicit.Port] = true
	}
	if len(nodePorts) > 0 {
		for _, p := range live.Spec.Ports {
			taken[p.NodePort], taken[p.Port] = true, true
		}
	}
	next := s.Spec.Passive.FirstPort
	for i := range out {
		if n, ok := nodePorts[PassivePortName(0, i)]; ok {
			out[i] = n
			continue
		}
		for taken[next] || next > lastPort {
			if next++; next > lastPort {
				next = firstPort
			}
		}
		out[i] = next
		next++
	}
	return out
}

// PortsPending tells that Kubernetes has yet to allocate a passive port's number.
func PortsPending(s *v1alpha1.FTPServer, live *corev1.Service) bool {
	if s.Spec.Service.Type != v1alpha1.ServiceNodePort {
		return false
	}
	nodePorts := allocated(live)
	for i := range int(s.Spec.Passive.PortsPerReplica) {
		if nodePorts[PassivePortName(0, i)] == 0 {
			return true
		}
	}
	return false
}

// ControlPort is the number that clients outside connect to.
func ControlPort(s *v1alpha1.FTPServer, live *corev1.Service) int32 {
	if s.Spec.Service.Type == v1alpha1.ServiceNodePort {
		return allocated(live)[ControlPortName]
	}
	return s.Spec.Service.Port
}

// ImplicitPort is that for implicit TLS; 0: there is none, or none yet.
func ImplicitPort(s *v1alpha1.FTPServer, live *corev1.Service) int32 {
	switch {
	case s.Spec.TLS.Implicit == nil:
		return 0
	case s.Spec.Service.Type == v1alpha1.ServiceNodePort:
		return allocated(live)[ImplicitPortName]
	}
	return s.Spec.TLS.Implicit.Port
}

package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

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
			Ports:    servicePorts(in),
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

func servicePorts(in Input) []corev1.ServicePort {
	s := in.Server
	numbers := nodePorts(in)
	out := []corev1.ServicePort{servicePort(ControlPortName, s.Spec.Service.Port, numbers)}
	if in.FrontServes {
		out[0].TargetPort = intstr.FromString(FrontPortName)
	}
	if implicit := s.Spec.TLS.Implicit; implicit != nil {
		p := servicePort(ImplicitPortName, implicit.Port, numbers)
		p.TargetPort = intstr.FromInt32(implicitListen)
		if in.FrontServes {
			p.TargetPort = intstr.FromString(FrontImplicitPortName)
		}
		out = append(out, p)
	}
	for _, p := range PassivePorts(s, in.Service, in.Slots) {
		out = append(out, servicePort(p.Name(), p.Number, numbers))
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

// nodePorts are those to ask for, by port name: what the spec gives, and with
// type NodePort what Kubernetes has allocated, as that is what clients are told.
// Elsewhere allocated ones are Kubernetes' own affair.
func nodePorts(in Input) map[string]int32 {
	spec := in.Server.Spec
	out := map[string]int32{}
	if spec.Service.Type == v1alpha1.ServiceNodePort {
		maps.Copy(out, allocated(in.Service))
		for _, p := range givenNodePorts(in.Server, in.Slots) {
			out[p.Name()] = p.Number
		}
	}
	if n := spec.Service.NodePort; n != nil {
		out[ControlPortName] = *n
	}
	if i := spec.TLS.Implicit; i != nil && i.NodePort != nil {
		out[ImplicitPortName] = *i.NodePort
	}
	return out
}

// LeadsToFront tells that the control port of a live Service does.
func LeadsToFront(live *corev1.Service) bool {
	return live != nil && slices.ContainsFunc(live.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.TargetPort.StrVal == FrontPortName
	})
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

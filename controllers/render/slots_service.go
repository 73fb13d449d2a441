package render

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// slotsService gives each replica a name in DNS, that of its Deployment, which
// stays when its pod moves. A pod that ends loses the name at once, also while it
// finishes its transfers: the name is the next one's. It is there from the start,
// with or without a front, so that pods need not be replaced to get their names.
// https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pods
func slotsService(in Input) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: child(in.Server, SlotsServiceName(in.Server.Name)),
		Spec: corev1.ServiceSpec{
			Type:      corev1.ServiceTypeClusterIP,
			ClusterIP: corev1.ClusterIPNone,
			Selector:  ServiceSelector(in.Server.Name),
			Ports: []corev1.ServicePort{{
				Name: ControlPortName, Protocol: corev1.ProtocolTCP,
				Port: controlListen, TargetPort: intstr.FromString(ControlPortName),
			}},
		},
	}
}

// slotHost is the name of a slot's pod in DNS.
func slotHost(in Input, slot int) string {
	s := in.Server
	return fmt.Sprintf("%s.%s.%s.svc.%s", DeploymentName(s.Name, slot), SlotsServiceName(s.Name), s.Namespace, in.ClusterDomain)
}

package e2e

import (
	"fmt"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
)

// TestAutoscalerScales: a HorizontalPodAutoscaler changes the replicas through
// the scale subresource, and the Service stays as it is. It acts by its least
// number of replicas: a cluster without a metrics server has no other reason.
func TestAutoscalerScales(t *testing.T) {
	severalNodes(t)
	server, _ := serving(t, func(s *v1alpha1.FTPServer) {
		replicated(1)(s)
		s.Spec.Passive.Slots = ptr.To[int32](3)
	})
	allServe(t, server, patience, nil)
	var before, after corev1.Service
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(server), &before))
	create(t, &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: objectMeta(server.Namespace, server.Name),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "FTPServer", Name: server.Name,
			},
			MinReplicas: ptr.To[int32](2), MaxReplicas: 3,
		},
	})
	took := eventually(t, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(server), server))
		if n := ptr.Deref(server.Spec.Replicas, 1); n != 2 {
			return fmt.Sprintf("spec.replicas is %d, want 2", n)
		}
		return ""
	})
	allServe(t, server, patience, nil)
	figures.Record(t, fmt.Sprintf("The autoscaler has set spec.replicas after %s", figures.Rounded(took)))
	if server.Status.Replicas != 2 {
		t.Errorf("status.replicas is %d, want 2", server.Status.Replicas)
	}
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(server), &after))
	if after.ResourceVersion != before.ResourceVersion {
		t.Error("The Service was written, within passive.slots")
	}
	var hpa autoscalingv2.HorizontalPodAutoscaler
	eventually(t, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(server), &hpa))
		if hpa.Status.CurrentReplicas != 2 || hpa.Status.DesiredReplicas != 2 {
			return fmt.Sprintf("the autoscaler sees %d replicas and wants %d, want 2", hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas)
		}
		return ""
	})
}

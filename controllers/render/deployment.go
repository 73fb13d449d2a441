package render

import (
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

const (
	// defaultGrace is how long transfers may finish where the spec says nothing.
	defaultGrace = 5 * time.Minute
	// startAllowance is what a new pod may take beyond the old one's grace
	// before its Deployment counts as stuck.
	startAllowance = 10 * time.Minute
)

// deployment runs one slot. Recreate, as the old pod must have let go of its
// passive ports and, often, of the volume before the next can have them.
func deployment(in Input, slot int) *appsv1.Deployment {
	s := in.Server
	grace := gracePeriod(s)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: child(s, DeploymentName(s.Name, slot)),
		Spec: appsv1.DeploymentSpec{
			Replicas:                ptr.To(slotReplicas(s, slot)),
			RevisionHistoryLimit:    ptr.To[int32](2),
			ProgressDeadlineSeconds: ptr.To(int32((grace + startAllowance).Seconds())),
			Strategy:                appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector:                &metav1.LabelSelector{MatchLabels: SlotSelector(s.Name, slot)},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: podMeta(s, slot),
				Spec:       podSpec(in, slot),
			},
		},
	}
	d.Labels[LabelSlot] = strconv.Itoa(slot)
	return d
}

// Replicas is how many pods the spec asks for.
func Replicas(s *v1alpha1.FTPServer) int { return int(ptr.Deref(s.Spec.Replicas, 1)) }

// slotReplicas is the one pod of a slot, or none for a slot that is scaled away.
func slotReplicas(s *v1alpha1.FTPServer, slot int) int32 {
	if slot < Replicas(s) {
		return 1
	}
	return 0
}

func gracePeriod(s *v1alpha1.FTPServer) time.Duration {
	if g := s.Spec.Pod.TerminationGracePeriod; g != nil {
		return g.Duration
	}
	return defaultGrace
}

func podMeta(s *v1alpha1.FTPServer, slot int) metav1.ObjectMeta {
	labels := childLabels(s.Name)
	labels[LabelSlot] = strconv.Itoa(slot)
	return metav1.ObjectMeta{
		Labels:      merged(s.Spec.Pod.Labels, labels),
		Annotations: s.Spec.Pod.Annotations,
	}
}

package render

import (
	"encoding/json"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const (
	// defaultGrace is how long transfers may finish where the spec says nothing.
	defaultGrace = 5 * time.Minute
	// startAllowance is what a new pod may take beyond the old one's grace
	// before its Deployment counts as stuck.
	startAllowance = 10 * time.Minute
)

// SlotDeployment is how the Deployment of a slot is to be.
type SlotDeployment struct {
	Slot int
	// Replicas is 1, or 0 for a slot that is to end.
	Replicas int32
	// Kept is the Deployment as it is, where its pod template stays. Nil: it gets
	// the newest.
	Kept *appsv1.Deployment
}

// Deployment runs one slot. Recreate, as the old pod must have let go of its
// passive ports and, often, of the volume before the next can have them.
func Deployment(in Input, slot SlotDeployment) *appsv1.Deployment {
	s := in.Server
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: child(s, DeploymentName(s.Name, slot.Slot)),
		Spec:       deploymentSpec(in, slot.Slot),
	}
	d.Labels[LabelSlot] = strconv.Itoa(slot.Slot)
	hash := templateHash(d.Spec.Template)
	if slot.Kept != nil {
		d.Spec = *slot.Kept.Spec.DeepCopy()
		hash = TemplateHash(slot.Kept)
	}
	if hash != "" {
		d.Annotations = map[string]string{AnnotationTemplate: hash}
	}
	d.Spec.Replicas = ptr.To(slot.Replicas)
	return d
}

func deploymentSpec(in Input, slot int) appsv1.DeploymentSpec {
	s := in.Server
	return appsv1.DeploymentSpec{
		RevisionHistoryLimit:    ptr.To[int32](2),
		ProgressDeadlineSeconds: ptr.To(int32((gracePeriod(s) + startAllowance).Seconds())),
		Strategy:                appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
		Selector:                &metav1.LabelSelector{MatchLabels: SlotSelector(s.Name, slot)},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: podMeta(s, slot),
			Spec:       podSpec(in, slot),
		},
	}
}

// TemplateHash identifies the pod template that a Deployment was rendered with,
// as it was before the API server filled in defaults. Empty: nobody noted it.
func TemplateHash(d *appsv1.Deployment) string { return d.Annotations[AnnotationTemplate] }

func templateHash(t corev1.PodTemplateSpec) string {
	data, err := json.Marshal(t)
	if err != nil {
		return "" // as of a template that nobody noted: it is written again
	}
	return config.Hash(data)
}

// Replicas is how many pods the spec asks for.
func Replicas(s *v1alpha1.FTPServer) int { return int(ptr.Deref(s.Spec.Replicas, 1)) }

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

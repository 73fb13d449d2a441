package policy

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Slot is a replica as it was gathered.
type Slot struct {
	Number int
	// Name is that of its Deployment.
	Name string
	// Deployment is nil where there is none yet.
	Deployment *appsv1.Deployment
	// Pods are the slot's, also those that are ending.
	Pods []*corev1.Pod
	// Outdated tells that the Deployment has another pod template than the newest.
	Outdated bool
	// AwaitsPorts tells that there is no Deployment yet, as the Service does not
	// have the slot's passive ports.
	AwaitsPorts bool
	// AwaitsPolicy tells that there is no Deployment yet, as Kubernetes refuses the
	// NetworkPolicy that is to guard its pod.
	AwaitsPolicy bool
}

// Live are the pods that are not ending, nor have ended.
func (s Slot) Live() []*corev1.Pod {
	return slices.DeleteFunc(s.running(), func(p *corev1.Pod) bool { return !p.DeletionTimestamp.IsZero() })
}

// running are the pods that have not ended. One that was evicted from its node
// is left lying, and is nobody's replica any more.
func (s Slot) running() []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(s.Pods), PodEnded)
}

// Ended tells of a slot that is not to run that nothing of it runs any more, and
// nothing is about to.
func (s Slot) Ended() bool {
	if len(s.running()) > 0 {
		return false
	}
	d := s.Deployment
	return d == nil || (ptr.Deref(d.Spec.Replicas, 1) == 0 && observed(d) && d.Status.Replicas == 0)
}

// Draining tells of a slot that was told to end, whose pod has yet to: it is not
// to run again before. A new pod would be given the passive ports at once, and
// with them the data connections that clients of the old one are about to open.
// One that is overdue no longer holds it up: it would for as long as its node is
// gone.
func (s Slot) Draining(now time.Time) bool {
	return s.Deployment != nil && ptr.Deref(s.Deployment.Spec.Replicas, 1) == 0 &&
		slices.ContainsFunc(s.running(), func(p *corev1.Pod) bool { return !Overdue(p, now) })
}

// ending tells that a pod of the slot was told to end and has yet to. Where the
// slot serves all the same, its Deployment has made another pod meanwhile; but
// one of a new template it would make only when this one has ended.
func (s Slot) ending() bool { return len(s.running()) > len(s.Live()) }

// up tells that the slot serves, and that nothing of it is in the middle: its
// Deployment has acted on the template that it has, and its pod is ready.
func (s Slot) up() bool {
	d := s.Deployment
	return d != nil && d.DeletionTimestamp.IsZero() && observed(d) &&
		d.Status.UpdatedReplicas > 0 && d.Status.AvailableReplicas > 0 && s.servesNow()
}

// current tells that a pod of the newest template serves.
func (s Slot) current() bool {
	d := s.Deployment
	return d != nil && observed(d) && d.Status.UpdatedReplicas > 0 && d.Status.AvailableReplicas > 0 && !s.Outdated
}

// down tells that the slot certainly serves nobody new. What is neither up nor
// down is in the middle, and Kubernetes soon says of which it is.
func (s Slot) down() bool {
	d := s.Deployment
	return d != nil && d.Status.AvailableReplicas == 0 && !s.servesNow()
}

func (s Slot) servesNow() bool { return slices.ContainsFunc(s.Live(), PodReady) }

// observed tells that the status of a Deployment is about its newest spec.
func observed(d *appsv1.Deployment) bool { return d.Status.ObservedGeneration >= d.Generation }

// PodReady tells that Kubernetes calls a pod ready.
func PodReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// PodEnded tells that nothing of a pod runs, nor will.
func PodEnded(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

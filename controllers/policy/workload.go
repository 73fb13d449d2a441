package policy

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
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
}

// Live are the pods that are not ending.
func (s Slot) Live() []*corev1.Pod {
	var out []*corev1.Pod
	for _, p := range s.Pods {
		if p.DeletionTimestamp.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// Ended tells of a slot that is not to run that nothing of it runs any more, and
// nothing is about to.
func (s Slot) Ended() bool {
	if len(s.Pods) > 0 {
		return false
	}
	d := s.Deployment
	return d == nil || (ptr.Deref(d.Spec.Replicas, 1) == 0 && d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == 0)
}

// WorkloadAvailable judges the slots that are to run. pods are all of the
// server's: with no slot to run, the last of them has to end first.
func WorkloadAvailable(slots []Slot, pods []*corev1.Pod) Finding {
	if len(slots) == 0 {
		for _, p := range pods {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The pod %s finishes its transfers and ends, as spec.replicas is 0", p.Name))
			}
		}
		return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas is 0")
	}
	for _, s := range slots {
		if f := SlotAvailable(s); !f.OK() {
			return f
		}
	}
	return yes(v1alpha1.ReasonWorkloadAvailable, "Every replica's pod is ready")
}

// SlotAvailable judges one slot: its Deployment has acted on its newest
// template, and the pod of it is ready.
func SlotAvailable(s Slot) Finding {
	d := s.Deployment
	switch {
	case d == nil || d.Status.ObservedGeneration < d.Generation:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("Kubernetes has yet to act on the Deployment %s", s.Name))
	case d.Status.UpdatedReplicas < ptr.Deref(d.Spec.Replicas, 1) && len(s.Pods) > 0:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("A pod of %s finishes its transfers before the new one starts", s.Name))
	case d.Status.AvailableReplicas < ptr.Deref(d.Spec.Replicas, 1):
		return no(v1alpha1.ReasonPodNotReady, podProblem(s))
	}
	return yes(v1alpha1.ReasonWorkloadAvailable, "")
}

// notReady says what keeps a pod from being ready.
func notReady(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			return strings.TrimSuffix(fmt.Sprintf("The pod %s waits: %s: %s", p.Name, w.Reason, w.Message), ": ")
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("The pod %s finds no node: %s", p.Name, c.Message)
		}
	}
	return fmt.Sprintf("The pod %s is not ready", p.Name)
}

// podProblem says what keeps the slot's pod from being ready.
func podProblem(s Slot) string {
	if live := s.Live(); len(live) > 0 {
		return notReady(live[0])
	}
	if d := s.Deployment; d != nil {
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				return fmt.Sprintf("The Deployment %s cannot make its pod: %s", s.Name, c.Message)
			}
		}
	}
	return fmt.Sprintf("The Deployment %s has no pod yet", s.Name)
}

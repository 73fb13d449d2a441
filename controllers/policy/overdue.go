package policy

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// overdueAfter is how much later than its kubelet was to kill it a pod may be
// there. It allows for a slow node, and for clocks that differ.
const overdueAfter = time.Minute

// OverdueAt is when a pod becomes overdue; zero: it was not told to end. The time
// of its deletion has the grace period in it.
func OverdueAt(p *corev1.Pod) time.Time {
	if p.DeletionTimestamp.IsZero() || PodEnded(p) {
		return time.Time{}
	}
	return p.DeletionTimestamp.Add(overdueAfter)
}

// Overdue tells of a pod that should long have ended. Only its kubelet takes a
// pod away, so that on a node that is gone it stays for as long as the node does.
func Overdue(p *corev1.Pod, now time.Time) bool {
	at := OverdueAt(p)
	return !at.IsZero() && now.After(at)
}

// overdueAmong says of the first pod that is overdue what to do about it; empty:
// there is none.
func overdueAmong(pods []*corev1.Pod, now time.Time) string {
	i := slices.IndexFunc(pods, func(p *corev1.Pod) bool { return Overdue(p, now) })
	if i < 0 {
		return ""
	}
	const help = "delete the Node, or, once it is off, taint it node.kubernetes.io/out-of-service"
	p := pods[i]
	if lost(p) {
		return fmt.Sprintf("The node %s does not answer, so the pod %s cannot end: %s", p.Spec.NodeName, p.Name, help)
	}
	return fmt.Sprintf("The pod %s was to have ended and has not: see its finalizers, and its node %s; if that does not answer, %s",
		p.Name, p.Spec.NodeName, help)
}

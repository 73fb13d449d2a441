package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// urgency orders what may be wrong with a slot: of several slots, the one that
// needs somebody most is told of.
var urgency = []v1alpha1.Reason{v1alpha1.ReasonRolloutStopped, v1alpha1.ReasonPodNotReady, v1alpha1.ReasonRollingOut}

// WorkloadAvailable judges the slots that are to run, and surplus ones whose
// pods have yet to end. pods are all of the server's: with no slot to run, the
// last of them has to end first.
func WorkloadAvailable(slots, surplus []Slot, pods []*corev1.Pod, now time.Time) Finding {
	if len(slots) == 0 {
		return scaledToZero(pods, now)
	}
	waiting := slices.DeleteFunc(slices.Clone(slots), func(s Slot) bool { return !s.Outdated || !s.up() })
	if worst, found := worstOf(slots, len(waiting) > 0, now); found {
		if worst.Reason == v1alpha1.ReasonRolloutStopped && len(waiting) > 0 {
			worst.Message += ". As they were stay " + strings.Join(names(waiting), ", ")
		}
		return worst
	}
	if len(waiting) > 0 {
		return yetToBeReplaced(waiting, now)
	}
	if len(surplus) > 0 {
		return scalingDown(surplus, now)
	}
	return yes(v1alpha1.ReasonWorkloadAvailable, "Every replica's pod is ready")
}

// yetToBeReplaced is the finding while all serve and some as they were. The roll
// has stopped where it can go on with none of them.
func yetToBeReplaced(waiting []Slot, now time.Time) Finding {
	all := "Yet to be replaced, one at a time: " + strings.Join(names(waiting), ", ")
	why := ""
	for _, s := range waiting {
		if why = overdueAmong(s.Pods, now); why == "" {
			return no(v1alpha1.ReasonRollingOut, all)
		}
	}
	return no(v1alpha1.ReasonRolloutStopped, all+". "+why)
}

// scalingDown is the finding while all serve and others have yet to end.
func scalingDown(surplus []Slot, now time.Time) Finding {
	message := "Every replica's pod is ready. No longer asked for, and finishing their transfers: " + strings.Join(names(surplus), ", ")
	for _, s := range surplus {
		if why := overdueAmong(s.Pods, now); why != "" {
			message += ". " + why
			break
		}
	}
	return yes(v1alpha1.ReasonScalingDown, message)
}

// worstOf is what is found of the slot that needs somebody most, of those that
// are not up. waits tells that others wait for it to be renewed themselves.
func worstOf(slots []Slot, waits bool, now time.Time) (worst Finding, found bool) {
	for _, s := range slots {
		f := SlotAvailable(s, now)
		if f.OK() || (s.Outdated && s.up()) {
			continue
		}
		if waits && !s.Outdated {
			f = inRoll(s, f)
		}
		if !found || slices.Index(urgency, f.Reason) < slices.Index(urgency, worst.Reason) {
			worst, found = f, true
		}
	}
	return worst, found
}

// inRoll is the finding for a slot that others wait for: what fails has stopped
// the rollout, also where it had come up before, and so has a pod without a node.
func inRoll(s Slot, f Finding) Finding {
	d := s.Deployment
	noNode := d != nil && observed(d) && d.Status.UpdatedReplicas > 0 &&
		slices.ContainsFunc(s.Live(), func(p *corev1.Pod) bool { return unscheduled(p) != nil })
	switch {
	case f.Reason == v1alpha1.ReasonRollingOut && noNode:
		return stopped(s, f.Message)
	case f.Reason == v1alpha1.ReasonPodNotReady:
		if _, fails := trouble(s); fails || noNode {
			f.Reason = v1alpha1.ReasonRolloutStopped
		}
	}
	return f
}

func scaledToZero(pods []*corev1.Pod, now time.Time) Finding {
	if why := overdueAmong(pods, now); why != "" {
		return no(v1alpha1.ReasonPodNotReady, why)
	}
	for _, p := range pods {
		if !PodEnded(p) {
			return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The pod %s finishes its transfers and ends, as spec.replicas is 0", p.Name))
		}
	}
	return yes(v1alpha1.ReasonScaledToZero, "No pod runs, as spec.replicas is 0")
}

func names(slots []Slot) []string {
	out := make([]string, len(slots))
	for i, s := range slots {
		out[i] = s.Name
	}
	return out
}

// SlotAvailable judges one slot that is to run: its Deployment has the newest
// template and has acted on it, and the pod of it is ready.
func SlotAvailable(s Slot, now time.Time) Finding {
	d := s.Deployment
	switch {
	case s.AwaitsPolicy:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The replica %s is held back until Kubernetes takes its NetworkPolicy: see Accepted", s.Name))
	case s.AwaitsPorts:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The replica %s is held back until the Service has its passive ports", s.Name))
	case d == nil || !observed(d):
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("Kubernetes has yet to act on the Deployment %s", s.Name))
	case d.Status.UpdatedReplicas == 0 && s.heldUp(now) != "":
		return stopped(s, s.heldUp(now))
	case d.Status.UpdatedReplicas == 0 && len(s.running()) > 0:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("A pod of %s finishes its transfers before the new one starts", s.Name))
	case d.Status.UpdatedReplicas == 0, d.Status.AvailableReplicas == 0:
		return notUp(s)
	case s.Outdated:
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The pod of %s is yet to be replaced", s.Name))
	}
	return yes(v1alpha1.ReasonWorkloadAvailable, "")
}

// heldUp says what keeps the new pod of a slot from being made while older ones
// run; empty: nothing but their transfers.
func (s Slot) heldUp(now time.Time) string {
	if why := overdueAmong(s.running(), now); why != "" {
		return why
	}
	inGrace := func(p *corev1.Pod) bool { return !p.DeletionTimestamp.IsZero() && !now.After(p.DeletionTimestamp.Time) }
	if len(s.running()) == 0 || slices.ContainsFunc(s.running(), inGrace) || !timedOut(s.Deployment) {
		return ""
	}
	return fmt.Sprintf("The pod %s has yet to end, and Kubernetes no longer waits for it (%s)", s.running()[0].Name, progressing(s.Deployment).Reason)
}

// stopped is the finding for a slot that does not get up. What came up before,
// and then went down, is no rollout.
func stopped(s Slot, why string) Finding {
	if rolledOut(s.Deployment) {
		return no(v1alpha1.ReasonPodNotReady, why)
	}
	return no(v1alpha1.ReasonRolloutStopped, fmt.Sprintf("The replica %s does not come up: %s", s.Name, why))
}

// timedOut tells that Kubernetes no longer waits for a pod of the newest template.
func timedOut(d *appsv1.Deployment) bool {
	c := progressing(d)
	return c != nil && c.Status == corev1.ConditionFalse
}

// notUp is the finding for a slot without a pod that serves. A rollout has
// stopped as soon as Kubernetes says that the new pod fails; until then it may
// still come up.
func notUp(s Slot) Finding {
	message, fails := trouble(s)
	switch {
	case rolledOut(s.Deployment) || (fails && s.Outdated):
		return no(v1alpha1.ReasonPodNotReady, message)
	case fails:
		return stopped(s, message)
	}
	return no(v1alpha1.ReasonRollingOut, message)
}

// rolledOut tells that a pod of the newest template has been available before.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
func rolledOut(d *appsv1.Deployment) bool {
	c := progressing(d)
	return c != nil && c.Status == corev1.ConditionTrue && c.Reason == "NewReplicaSetAvailable"
}

func progressing(d *appsv1.Deployment) *appsv1.DeploymentCondition {
	return deploymentCondition(d, appsv1.DeploymentProgressing)
}

func deploymentCondition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i, c := range d.Status.Conditions {
		if c.Type == kind {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

package policy

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// starting are the reasons for which a container waits that is about to start:
// the kubelet's words, which the Kubernetes API has no constants for. Any other
// is a failure, such as ErrImagePull or CreateContainerConfigError.
var starting = []string{"", "ContainerCreating", "PodInitializing"}

// trouble says what keeps a slot's pod from being ready. fails tells that
// Kubernetes says that it fails; else it may be about to come up. One that finds
// no node may as well: its claim is about to be bound, or a node to come.
func trouble(s Slot) (message string, fails bool) {
	live := s.Live()
	if len(live) > 0 {
		if message := podFailure(live[0]); message != "" {
			return message, true
		}
	}
	if c := deploymentCondition(s.Deployment, appsv1.DeploymentReplicaFailure); len(live) == 0 && c != nil && c.Status == corev1.ConditionTrue {
		return fmt.Sprintf("The Deployment %s cannot make its pod: %s", s.Name, c.Message), true
	}
	message = fmt.Sprintf("The Deployment %s has no pod yet", s.Name)
	if len(live) > 0 {
		message = notReady(live[0])
	}
	if timedOut(s.Deployment) {
		return fmt.Sprintf("%s, and Kubernetes no longer waits for it (%s)", message, progressing(s.Deployment).Reason), true
	}
	return message, false
}

// notReady says what a pod waits for, as far as Kubernetes tells.
func notReady(p *corev1.Pod) string {
	if c := unscheduled(p); c != nil {
		return fmt.Sprintf("The pod %s finds no node: %s", p.Name, c.Message)
	}
	return fmt.Sprintf("The pod %s is not ready", p.Name)
}

// podFailure says what Kubernetes tells to be wrong with a pod; empty: nothing.
func podFailure(p *corev1.Pod) string {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if m := containerFailure(c); m != "" {
			return fmt.Sprintf("The pod %s %s", p.Name, m)
		}
	}
	return ""
}

// unscheduled is the pod's condition that tells why it has no node, or nil.
func unscheduled(p *corev1.Pod) *corev1.PodCondition {
	for i, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// containerFailure completes "the pod …". For a container that ends again and
// again it says the same while it waits, runs and has ended, so that the message
// does not move.
func containerFailure(c corev1.ContainerStatus) string {
	if c.Ready {
		return ""
	}
	if end := lastEnd(c); end != nil && end.ExitCode != 0 {
		return strings.TrimSuffix(fmt.Sprintf("ends again and again: its container %s ended with exit code %d (%s): %s",
			c.Name, end.ExitCode, end.Reason, strings.TrimSpace(end.Message)), ": ")
	}
	if w := c.State.Waiting; w != nil && !slices.Contains(starting, w.Reason) {
		return strings.TrimSuffix(fmt.Sprintf("waits: %s: %s", w.Reason, w.Message), ": ")
	}
	return ""
}

func lastEnd(c corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if c.State.Terminated != nil {
		return c.State.Terminated
	}
	return c.LastTerminationState.Terminated
}

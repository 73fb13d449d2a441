package policy

import (
	"fmt"
	"net/netip"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// Front are the pods that take control connections, as they were gathered.
type Front struct {
	// Name is that of its Deployment.
	Name string
	// Deployment is nil where there is none, or none yet.
	Deployment *appsv1.Deployment
	// Pods are also those that are ending, and those of a front that is no longer
	// asked for.
	Pods []*corev1.Pod
	// Control is where the control port led.
	Control Control
}

// Control is where the control port leads.
type Control int

// What Front.Serves tells apart.
const (
	// ControlNowhere: there is no Service yet.
	ControlNowhere Control = iota
	ControlToSlots
	ControlToFront
)

// Serves tells whether the control port is to lead to the front: from when the
// first of its pods is ready, so that there is no gap, and for as long as it has a
// Deployment. A new Service leads there from the start. To lead it there later, when
// clients come, Kubernetes writes its EndpointSlices anew, one after the other, and
// nodes that look between two refuse data connections for about a second.
func (f Front) Serves(asked bool) bool {
	switch {
	case !asked:
		return false
	case f.Deployment == nil:
		return f.Control == ControlNowhere
	}
	return f.Control != ControlToSlots || f.Deployment.Status.AvailableReplicas > 0
}

// Runs tells whether a pod of the front has yet to end, also of one that is no
// longer asked for: sessions go through it until then.
func (f Front) Runs() bool {
	return slices.ContainsFunc(f.Pods, func(p *corev1.Pod) bool { return !PodEnded(p) })
}

// Addresses are those of the pods that send a PROXY header, as tells says of each,
// in order. A pod that is ending still does.
func (f Front) Addresses(tells func(*corev1.Pod) bool) []netip.Addr {
	var out []netip.Addr
	for _, p := range f.Pods {
		if !tells(p) || PodEnded(p) {
			continue
		}
		for _, ip := range p.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil {
				out = append(out, a.Unmap())
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// Silent is the name of a pod that connections may come from without a PROXY header,
// as tells says of each; empty where there is none. Through a pod that is ending,
// sessions go on.
func (f Front) Silent(tells func(*corev1.Pod) bool) string {
	for _, p := range f.Pods {
		if len(p.Status.PodIPs) > 0 && !tells(p) && !PodEnded(p) {
			return p.Name
		}
	}
	return ""
}

// FrontAvailable judges the front: its Deployment has acted on its newest
// template, and all pods of it are ready. While they are being replaced as many
// serve as are wanted, which is nobody's trouble unless a new one fails. leadsThere
// tells that clients depend on it.
func FrontAvailable(f Front, leadsThere bool) Finding {
	d := f.Deployment
	if d == nil || d.Status.ObservedGeneration < d.Generation {
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("Kubernetes has yet to act on the Deployment %s", f.Name))
	}
	wanted := ptr.Deref(d.Spec.Replicas, 1)
	if d.Status.UpdatedReplicas >= wanted && d.Status.AvailableReplicas >= wanted {
		return yes(v1alpha1.ReasonWorkloadAvailable, "")
	}
	if d.Status.AvailableReplicas >= wanted && !frontFails(f) {
		return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The Deployment %s replaces its pods, one by one; all that it needs serve", f.Name))
	}
	return no(v1alpha1.ReasonPodNotReady, fmt.Sprintf("%s; %s", frontProblem(f), frontMeans(d.Status.AvailableReplicas, leadsThere)))
}

// frontFails tells that replacing the front's pods comes to nothing: one of them
// fails, or cannot be made, or Kubernetes no longer waits for it.
func frontFails(f Front) bool {
	is := func(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus) bool {
		c := deploymentCondition(f.Deployment, kind)
		return c != nil && c.Status == status
	}
	return is(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue) || is(appsv1.DeploymentProgressing, corev1.ConditionFalse) ||
		slices.ContainsFunc(f.Pods, func(p *corev1.Pod) bool { return p.DeletionTimestamp.IsZero() && podFailure(p) != "" })
}

// frontProblem says what keeps the front from having all its pods.
func frontProblem(f Front) string {
	for _, p := range f.Pods {
		if !p.DeletionTimestamp.IsZero() || PodReady(p) {
			continue
		}
		if m := podFailure(p); m != "" {
			return m
		}
		if slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.State.Running != nil }) {
			return fmt.Sprintf("The pod %s of the front finds no replica that takes sessions from it", p.Name)
		}
		return notReady(p)
	}
	if c := deploymentCondition(f.Deployment, appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		return fmt.Sprintf("The Deployment %s cannot make its pods: %s", f.Name, c.Message)
	}
	return fmt.Sprintf("The Deployment %s has not all of its pods yet", f.Name)
}

// frontMeans says what a front that lacks pods means for clients.
func frontMeans(available int32, leadsThere bool) string {
	switch {
	case !leadsThere:
		return "until one is ready, clients go to the replicas directly"
	case available == 0:
		return "no new session can begin"
	}
	return "new sessions begin by the others"
}

// FrontHeldUp is the finding for a front that is not there, as a name that it needs
// is taken or a NetworkPolicy of it refused: Accepted tells which. until completes
// "it is not made until …".
func FrontHeldUp(f Front, until string, leadsThere bool) Finding {
	return no(v1alpha1.ReasonRollingOut, fmt.Sprintf("The Deployment %s is not made until %s: see Accepted; %s", f.Name, until, frontMeans(0, leadsThere)))
}

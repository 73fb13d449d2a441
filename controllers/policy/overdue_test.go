package policy_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// A pod that cannot end is told of, with the node and what to do, as soon as it
// is overdue and not before; what it leaves alone stays as it is.
func TestOverduePods(t *testing.T) {
	gone := func(s *policy.Slot) { // the node died while the old pod drained
		s.Deployment = deployment(2, 0, 0)
		s.Pods = []*corev1.Pod{pod("old", onLostNode, leaves)}
	}
	goneLater := func(s *policy.Slot) { gone(s); cameUp(s.Deployment) }
	held := func(s *policy.Slot) { // the node is there
		s.Deployment = deployment(2, 0, 0)
		s.Pods = []*corev1.Pod{pod("old", leaves)}
	}
	const node = "The node node-b does not answer, so the pod old cannot end: delete the Node, or"
	for name, tc := range map[string]struct {
		slots, surplus []policy.Slot
		early, late    v1alpha1.Reason
		ok             bool
		message        string
	}{
		"in a roll":                  {slots: slots(gone, outdated(serves)), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonRolloutStopped, message: node},
		"of one that had come up":    {slots: slots(goneLater), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonPodNotReady, message: node},
		"on a node that is there":    {slots: slots(held), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonRolloutStopped, message: "see its finalizers"},
		"beside one that waits":      {slots: slots(serves, outdated(beside(serves))), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonRolloutStopped, message: node},
		"and another is next":        {slots: slots(outdated(beside(serves)), outdated(serves)), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonRollingOut},
		"beside one that is current": {slots: slots(beside(serves)), early: v1alpha1.ReasonWorkloadAvailable, late: v1alpha1.ReasonWorkloadAvailable, ok: true},
		"of one that is surplus":     {slots: slots(serves), surplus: slots(none, gone)[1:], early: v1alpha1.ReasonScalingDown, late: v1alpha1.ReasonScalingDown, ok: true, message: node},
		"the last":                   {surplus: slots(gone), early: v1alpha1.ReasonRollingOut, late: v1alpha1.ReasonPodNotReady, message: node},
	} {
		t.Run(name, func(t *testing.T) {
			var pods []*corev1.Pod
			for _, s := range append(tc.slots, tc.surplus...) {
				pods = append(pods, s.Pods...)
			}
			for _, at := range []time.Time{now, killedAt.Add(time.Minute)} {
				got := policy.WorkloadAvailable(tc.slots, tc.surplus, pods, at)
				if got.Reason != tc.early || got.OK() != tc.ok || strings.Contains(got.Message, "out-of-service") {
					t.Errorf("at %v it is %+v", at, got)
				}
			}
			got := policy.WorkloadAvailable(tc.slots, tc.surplus, pods, late)
			if got.Reason != tc.late || got.OK() != tc.ok || !strings.Contains(got.Message, tc.message) {
				t.Errorf("late it is %+v", got)
			}
			if told := strings.Contains(got.Message, "out-of-service"); told != (tc.message != "") {
				t.Errorf("late it says %s", got.Message)
			}
		})
	}
}

// Kubernetes' word that it waits no longer counts also while an older pod has yet
// to end, unless that may still finish its transfers.
func TestDeadlineWhileAPodEnds(t *testing.T) {
	slot := slots(ends)[0]
	condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded", "")(slot.Deployment)
	if f := policy.SlotAvailable(slot, now); f.Reason != v1alpha1.ReasonRollingOut {
		t.Errorf("within its grace: %+v", f)
	}
	f := policy.SlotAvailable(slot, killedAt.Add(time.Second))
	if f.Reason != v1alpha1.ReasonRolloutStopped || !strings.Contains(f.Message, "The pod p has yet to end, and Kubernetes no longer waits for it (ProgressDeadlineExceeded)") {
		t.Errorf("after it: %+v", f)
	}
}

func TestOverdueAt(t *testing.T) {
	if at := policy.OverdueAt(pod("p", leaves)); !at.Equal(killedAt.Add(time.Minute)) {
		t.Errorf("it is overdue at %v", at)
	}
	ended := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	if !policy.OverdueAt(pod("p")).IsZero() || !policy.OverdueAt(pod("p", leaves, ended)).IsZero() {
		t.Error("one that was not told to end, or has ended, is overdue")
	}
}

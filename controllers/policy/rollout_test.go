package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// How a slot may be found.
var (
	serves = func(s *policy.Slot) {
		s.Deployment = deployment(2, 1, 1)
		s.Pods = []*corev1.Pod{pod("p", isReady)}
	}
	starts = func(s *policy.Slot) {
		s.Deployment = deployment(2, 1, 0)
		s.Pods = []*corev1.Pod{pod("p")}
	}
	ends = func(s *policy.Slot) { // the old pod drains, and the next waits for it
		s.Deployment = deployment(2, 0, 0)
		s.Pods = []*corev1.Pod{pod("p", isReady, leaves)}
	}
	beside = func(how func(*policy.Slot)) func(*policy.Slot) { // an older pod has yet to end
		return func(s *policy.Slot) {
			how(s)
			s.Pods = append(s.Pods, pod("old", onLostNode, leaves))
		}
	}
	justWritten = func(s *policy.Slot) { // Kubernetes has not seen the new template yet
		serves(s)
		s.Deployment.Status.ObservedGeneration = 1
	}
	halfSeen = func(s *policy.Slot) { // it has, and the old pod still counts as available
		serves(s)
		s.Deployment.Status.UpdatedReplicas = 0
	}
	podGone = func(s *policy.Slot) { // and the Deployment's status does not know yet
		serves(s)
		s.Pods = nil
	}
	podReadyFirst = func(s *policy.Slot) { // and the Deployment's status does not know yet
		starts(s)
		s.Pods = []*corev1.Pod{pod("p", isReady)}
	}
	deleted = func(s *policy.Slot) {
		serves(s)
		s.Deployment.DeletionTimestamp = &metav1.Time{}
		s.Deployment.DeletionTimestamp.Time = s.Deployment.DeletionTimestamp.AddDate(2026, 0, 0)
	}
	none     = func(*policy.Slot) {}
	outdated = func(how func(*policy.Slot)) func(*policy.Slot) {
		return func(s *policy.Slot) { how(s); s.Outdated = true }
	}
)

func isReady(p *corev1.Pod) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

// killedAt is when the kubelet is to kill a pod that leaves, now is while it may
// finish its transfers, and late when it should long be gone.
var (
	killedAt = time.Date(2030, 6, 15, 12, 0, 0, 0, time.UTC)
	now      = killedAt.Add(-time.Minute)
	late     = killedAt.Add(time.Minute + time.Second)
)

func leaves(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: killedAt} }

// onLostNode is a pod whose node is not heard of any more.
func onLostNode(p *corev1.Pod) {
	p.Spec.NodeName = "node-b"
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
	}
}

func slots(how ...func(*policy.Slot)) []policy.Slot {
	out := make([]policy.Slot, len(how))
	for i, f := range how {
		out[i] = policy.Slot{Number: i, Name: fmt.Sprint("files-", i)}
		f(&out[i])
	}
	return out
}

func TestRoll(t *testing.T) {
	for name, tc := range map[string]struct {
		slots []policy.Slot
		hold  bool
		renew []int
		down  int // -1: none
	}{
		"nothing to run":                    {nil, false, nil, -1},
		"all is as wanted":                  {slots(serves, serves), false, nil, -1},
		"all are made at once":              {slots(none, none, none), false, []int{0, 1, 2}, -1},
		"one alone":                         {slots(outdated(serves)), false, []int{0}, 0},
		"the lowest first":                  {slots(outdated(serves), outdated(serves), outdated(serves)), false, []int{0}, 0},
		"then the next":                     {slots(serves, outdated(serves), outdated(serves)), false, []int{1}, 1},
		"not while one starts":              {slots(starts, outdated(serves)), false, nil, -1},
		"not while one ends":                {slots(ends, outdated(serves)), false, nil, -1},
		"not before one is acted on":        {slots(justWritten, outdated(serves)), false, nil, -1},
		"nor when it is half seen":          {slots(halfSeen, outdated(serves)), false, nil, -1},
		"nor when a pod has just gone":      {slots(podGone, outdated(serves)), false, nil, -1},
		"nor while a Deployment goes":       {slots(deleted, outdated(serves)), false, nil, -1},
		"two that are down, at once":        {slots(outdated(starts), outdated(starts), outdated(serves)), false, []int{0, 1}, -1},
		"one that ends, at once":            {slots(outdated(ends), outdated(serves)), false, []int{0}, -1},
		"not one that has just come up":     {slots(outdated(podReadyFirst), outdated(serves)), false, nil, -1},
		"not one that is not acted on":      {slots(outdated(justWritten), outdated(serves)), false, nil, -1},
		"a new slot, and no other":          {slots(outdated(serves), none), false, []int{1}, -1},
		"not one with a pod that ends":      {slots(serves, outdated(beside(serves))), false, nil, -1},
		"but the next":                      {slots(outdated(beside(serves)), outdated(serves)), false, []int{1}, 1},
		"nor alone":                         {slots(outdated(beside(serves))), false, nil, -1},
		"what is down beside one that ends": {slots(outdated(beside(starts)), serves), false, []int{0}, -1},
		"none is ended in vain":             {slots(outdated(serves), outdated(serves)), true, nil, -1},
		"what is down is renewed even so":   {slots(outdated(starts), outdated(serves)), true, []int{0}, -1},
		"nor in vain where it is the last":  {slots(outdated(serves)), true, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.Roll(tc.slots, tc.hold)
			if down := ptr.Deref(got.Down, -1); !slices.Equal(got.Renew, tc.renew) || down != tc.down {
				t.Errorf("renews %v and takes down %d, want %v and %d", got.Renew, down, tc.renew, tc.down)
			}
		})
	}
}

// A slot that was told to end ends, before it is told to run again.
func TestDrainingSlot(t *testing.T) {
	stopped := func(change ...func(*corev1.Pod)) policy.Slot {
		s := policy.Slot{Deployment: &appsv1.Deployment{}}
		s.Deployment.Spec.Replicas = ptr.To[int32](0)
		if change != nil {
			s.Pods = []*corev1.Pod{pod("p", change...)}
		}
		return s
	}
	evicted := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	running := slots(serves)[0]
	running.Deployment.Spec.Replicas = ptr.To[int32](1)
	for name, tc := range map[string]struct {
		slot            policy.Slot
		draining, ended bool
	}{
		"runs":             {running, false, false},
		"is to end":        {stopped(isReady), true, false},
		"drains":           {stopped(isReady, leaves), true, false},
		"has ended":        {stopped(), false, true},
		"left a dead pod":  {stopped(evicted), false, true},
		"no Deployment":    {policy.Slot{}, false, true},
		"only a pod of it": {policy.Slot{Pods: []*corev1.Pod{pod("p", leaves)}}, false, false},
	} {
		if got := tc.slot.Draining(now); got != tc.draining || tc.slot.Ended() != tc.ended {
			t.Errorf("%s: draining %v, ended %v", name, got, tc.slot.Ended())
		}
	}
	if lost := stopped(onLostNode, leaves); !lost.Draining(killedAt.Add(time.Minute)) || lost.Draining(late) || lost.Ended() {
		t.Error("a pod that cannot end holds up the slot for too long or too short, or is forgotten")
	}
	two := stopped(onLostNode, leaves)
	two.Pods = append(two.Pods, pod("q", isReady))
	if !two.Draining(late) {
		t.Error("beside a pod that cannot end, one that runs is passed over")
	}
	unseen := stopped()
	unseen.Deployment.Generation = 1
	if unseen.Ended() {
		t.Error("Kubernetes has yet to see that it is to end, and it has ended")
	}
}

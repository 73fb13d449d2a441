package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// frontOf is a front of two whose Deployment tells of so many pods.
func frontOf(updated, available int32, pods ...*corev1.Pod) policy.Front {
	d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)}}
	d.Generation, d.Status.ObservedGeneration = 3, 3
	d.Status.UpdatedReplicas, d.Status.AvailableReplicas = updated, available
	return policy.Front{Name: "files-front", Deployment: d, Pods: pods}
}

func TestFrontAvailable(t *testing.T) {
	waiting := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	}
	runs := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	}
	ready := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	ending := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	old := frontOf(2, 2)
	old.Deployment.Generation++
	failing := frontOf(0, 0)
	failing.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "quota",
	}}
	refused := frontOf(0, 2, pod("a", ready))
	refused.Deployment.Status.Conditions = failing.Deployment.Status.Conditions
	overdue := frontOf(1, 2, pod("a", ready), pod("b", runs))
	overdue.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded",
	}}
	for name, tc := range map[string]struct {
		front   policy.Front
		leads   bool
		reason  v1alpha1.Reason
		message []string
	}{
		"no Deployment":     {policy.Front{Name: "files-front"}, false, v1alpha1.ReasonRollingOut, []string{"files-front"}},
		"not acted on":      {old, true, v1alpha1.ReasonRollingOut, []string{"files-front"}},
		"none yet":          {frontOf(2, 0), false, v1alpha1.ReasonPodNotReady, []string{"has not all of its pods", "clients go to the replicas directly"}},
		"no pod allowed":    {failing, true, v1alpha1.ReasonPodNotReady, []string{"quota", "no new session can begin"}},
		"image":             {frontOf(1, 2, pod("a", ready), pod("b", waiting)), true, v1alpha1.ReasonPodNotReady, []string{"pod b waits: ImagePullBackOff", "by the others"}},
		"finds no slot":     {frontOf(2, 1, pod("a", ready), pod("b", runs)), true, v1alpha1.ReasonPodNotReady, []string{"pod b of the front finds no replica"}},
		"an old one leaves": {frontOf(2, 2, pod("a", runs, ending)), true, v1alpha1.ReasonWorkloadAvailable, nil},
		"rolls, one leaves": {frontOf(1, 2, pod("a", runs, ending)), true, v1alpha1.ReasonRollingOut, []string{"files-front replaces its pods", "all that it needs serve"}},
		"rolls, one comes":  {frontOf(1, 2, pod("a", ready), pod("b", runs)), true, v1alpha1.ReasonRollingOut, []string{"replaces its pods"}},
		"rolls, one short":  {frontOf(1, 1, pod("a", ready), pod("b", runs)), true, v1alpha1.ReasonPodNotReady, []string{"pod b of the front finds no replica", "by the others"}},
		"rolls for long":    {overdue, true, v1alpha1.ReasonPodNotReady, []string{"pod b of the front finds no replica", "by the others"}},
		"rolls, no pod":     {refused, true, v1alpha1.ReasonPodNotReady, []string{"quota", "by the others"}},
		"all ready":         {frontOf(2, 2, pod("a", ready)), true, v1alpha1.ReasonWorkloadAvailable, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.FrontAvailable(tc.front, tc.leads)
			if got.Reason != tc.reason || got.OK() != (tc.reason == v1alpha1.ReasonWorkloadAvailable) {
				t.Errorf("got %+v", got)
			}
			for _, want := range tc.message {
				if !strings.Contains(got.Message, want) {
					t.Errorf("%q does not say %q", got.Message, want)
				}
			}
		})
	}
}

// The control port leads to the front from the start, or from when one of its pods
// is ready, and stays there until no front is asked for, or there is none.
func TestFrontServes(t *testing.T) {
	for name, tc := range map[string]struct {
		front policy.Front
		asked bool
		now   policy.Control
		want  bool
	}{
		"none asked for":              {policy.Front{}, false, policy.ControlToSlots, false},
		"none asked for at the start": {policy.Front{}, false, policy.ControlNowhere, false},
		"no longer":                   {frontOf(2, 2), false, policy.ControlToFront, false},
		"asked for from the start":    {policy.Front{}, true, policy.ControlNowhere, true},
		"not made yet":                {policy.Front{}, true, policy.ControlToSlots, false},
		"not ready yet":               {frontOf(2, 0), true, policy.ControlToSlots, false},
		"one ready":                   {frontOf(2, 1), true, policy.ControlToSlots, true},
		"not ready any more":          {frontOf(2, 0), true, policy.ControlToFront, true},
		"gone":                        {policy.Front{}, true, policy.ControlToFront, false},
		"the Service is gone":         {frontOf(2, 0), true, policy.ControlNowhere, true},
	} {
		tc.front.Control = tc.now
		if got := tc.front.Serves(tc.asked); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A front that is taken away runs until the last of its pods has ended.
func TestFrontRuns(t *testing.T) {
	ended := pod("a", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	ending := pod("b", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })
	for name, tc := range map[string]struct {
		pods []*corev1.Pod
		want bool
	}{
		"no pod":     {nil, false},
		"one ended":  {[]*corev1.Pod{ended}, false},
		"one ending": {[]*corev1.Pod{ended, ending}, true},
	} {
		if got := (policy.Front{Pods: tc.pods}).Runs(); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Believed are the addresses of all pods that send a header, also of those that
// are ending, and of no others. Through others connections come of which nothing is
// known.
func TestFrontAddresses(t *testing.T) {
	with := func(phase corev1.PodPhase, ips ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Phase = phase
			for _, ip := range ips {
				p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
			}
		}
	}
	f := policy.Front{Pods: []*corev1.Pod{
		pod("b", with(corev1.PodRunning, "10.0.0.9", "fd00::9")),
		pod("a", with(corev1.PodRunning, "10.0.0.7", "")),
		pod("new", with(corev1.PodPending)),
		pod("ending", with(corev1.PodRunning, "10.0.0.8"), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }),
		pod("ended", with(corev1.PodFailed, "10.0.0.1")),
		pod("silent", with(corev1.PodRunning, "10.0.0.2")),
		pod("twice", with(corev1.PodRunning, "10.0.0.7")),
	}}
	got := f.Addresses(func(p *corev1.Pod) bool { return p.Name != "silent" })
	if s := fmt.Sprint(got); s != "[10.0.0.7 10.0.0.8 10.0.0.9 fd00::9]" {
		t.Errorf("believed are %s", s)
	}
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"runs":          {pod("a", with(corev1.PodRunning, "10.0.0.7")), "a"},
		"is ending":     {pod("a", with(corev1.PodRunning, "10.0.0.7"), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }), "a"},
		"has not begun": {pod("a", with(corev1.PodPending)), ""},
		"has ended":     {pod("a", with(corev1.PodFailed, "10.0.0.7")), ""},
		"tells":         {pod("telling", with(corev1.PodRunning, "10.0.0.7")), ""},
	} {
		f := policy.Front{Pods: []*corev1.Pod{pod("telling", with(corev1.PodRunning, "10.0.0.9")), tc.pod}}
		if got := f.Silent(func(p *corev1.Pod) bool { return p.Name == "telling" }); got != tc.want {
			t.Errorf("one that %s: %q, want %q", name, got, tc.want)
		}
	}
}

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func finding(status metav1.ConditionStatus, reason v1alpha1.Reason) policy.Finding {
	return policy.Finding{Status: status, Reason: reason, Message: string(reason)}
}

func summary(conditions []metav1.Condition) string {
	var out []string
	for _, c := range conditions {
		out = append(out, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	return strings.Join(out, " ")
}

func TestSetConditions(t *testing.T) {
	good := policy.Named{Type: "A", Finding: finding("True", "Fine")}
	pending := policy.Named{Type: "B", Finding: finding("False", v1alpha1.ReasonPending)}
	unknown := policy.Named{Type: "C", Finding: finding("Unknown", v1alpha1.ReasonStatusUnreachable)}
	stuck := policy.Named{Type: "D", Finding: finding("False", v1alpha1.ReasonNameTaken)}
	advice := policy.Named{Type: "E", Finding: finding("False", v1alpha1.ReasonClientAddressesHidden), Advisory: true}
	for name, tc := range map[string]struct {
		findings []policy.Named
		want     string
	}{
		"all is well":         {[]policy.Named{good}, "Ready=True/Ready A=True/Fine"},
		"advice":              {[]policy.Named{advice, good}, "Ready=True/Ready E=False/ClientAddressesHidden A=True/Fine"},
		"advice decides not":  {[]policy.Named{advice, pending}, "Ready=False/Pending E=False/ClientAddressesHidden B=False/Pending Reconciling=True/Progressing"},
		"at work":             {[]policy.Named{good, pending}, "Ready=False/Pending A=True/Fine B=False/Pending Reconciling=True/Progressing"},
		"not known":           {[]policy.Named{good, unknown}, "Ready=Unknown/StatusUnreachable A=True/Fine C=Unknown/StatusUnreachable Reconciling=True/Progressing"},
		"needs an edit":       {[]policy.Named{stuck, good}, "Ready=False/NameTaken D=False/NameTaken A=True/Fine Stalled=True/NameTaken"},
		"the first decides":   {[]policy.Named{pending, stuck}, "Ready=False/Pending B=False/Pending D=False/NameTaken Stalled=True/NameTaken"},
		"unknown before wait": {[]policy.Named{unknown, pending}, "Ready=Unknown/StatusUnreachable C=Unknown/StatusUnreachable B=False/Pending Reconciling=True/Progressing"},
	} {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			policy.SetConditions(&conditions, 7, tc.findings, finding("True", v1alpha1.ReasonReady))
			if got := summary(conditions); got != tc.want {
				t.Errorf("got\n%s, want\n%s", got, tc.want)
			}
			for _, c := range conditions {
				if c.ObservedGeneration != 7 {
					t.Errorf("%s is of generation %d", c.Type, c.ObservedGeneration)
				}
			}
		})
	}
}

func TestConditionsRecover(t *testing.T) {
	var conditions []metav1.Condition
	ready := finding("True", v1alpha1.ReasonReady)
	policy.SetConditions(&conditions, 1, []policy.Named{{Type: "A", Finding: finding("False", v1alpha1.ReasonNameTaken)}}, ready)
	policy.SetConditions(&conditions, 2, []policy.Named{{Type: "A", Finding: finding("True", "Fine")}}, ready)
	if got := summary(conditions); got != "Ready=True/Ready A=True/Fine" {
		t.Errorf("got %s", got)
	}
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, f := range change {
		f(p)
	}
	return p
}

func deployment(observed int64, updated, available int32) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Generation = 2
	d.Spec.Replicas = ptr.To[int32](1)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: observed, UpdatedReplicas: updated, AvailableReplicas: available}
	return d
}

func TestSlotAvailable(t *testing.T) {
	waiting := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	}
	homeless := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes"}}
	}
	failing := deployment(2, 0, 0)
	failing.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "quota",
	}}
	for name, tc := range map[string]struct {
		slot    policy.Slot
		reason  v1alpha1.Reason
		message string
	}{
		"no Deployment":      {policy.Slot{Name: "f-0"}, v1alpha1.ReasonRollingOut, "has yet to act"},
		"not acted on":       {policy.Slot{Deployment: deployment(1, 1, 1)}, v1alpha1.ReasonRollingOut, "has yet to act"},
		"old pod still ends": {policy.Slot{Deployment: deployment(2, 0, 0), Pods: []*corev1.Pod{pod("p")}}, v1alpha1.ReasonRollingOut, "finishes its transfers"},
		"no pod":             {policy.Slot{Deployment: deployment(2, 0, 0)}, v1alpha1.ReasonPodNotReady, "has no pod yet"},
		"no pod allowed":     {policy.Slot{Deployment: failing}, v1alpha1.ReasonPodNotReady, "quota"},
		"image":              {policy.Slot{Deployment: deployment(2, 1, 0), Pods: []*corev1.Pod{pod("p", waiting)}}, v1alpha1.ReasonPodNotReady, "ImagePullBackOff: no such image"},
		"no node":            {policy.Slot{Deployment: deployment(2, 1, 0), Pods: []*corev1.Pod{pod("p", homeless)}}, v1alpha1.ReasonPodNotReady, "0/3 nodes"},
		"not ready":          {policy.Slot{Deployment: deployment(2, 1, 0), Pods: []*corev1.Pod{pod("p")}}, v1alpha1.ReasonPodNotReady, "p is not ready"},
		"ready":              {policy.Slot{Deployment: deployment(2, 1, 1), Pods: []*corev1.Pod{pod("p")}}, v1alpha1.ReasonWorkloadAvailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.SlotAvailable(tc.slot)
			if got.Reason != tc.reason || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// With nothing to run, the last pod must have ended; one that has, and was left
// lying, does not count.
func TestWorkloadThatIsToEnd(t *testing.T) {
	pod := func(phase corev1.PodPhase) []*corev1.Pod {
		return []*corev1.Pod{{Status: corev1.PodStatus{Phase: phase}}}
	}
	for name, tc := range map[string]struct {
		pods []*corev1.Pod
		want v1alpha1.Reason
	}{
		"none":     {nil, v1alpha1.ReasonScaledToZero},
		"runs":     {pod(corev1.PodRunning), v1alpha1.ReasonRollingOut},
		"to start": {pod(corev1.PodPending), v1alpha1.ReasonRollingOut},
		"evicted":  {pod(corev1.PodFailed), v1alpha1.ReasonScaledToZero},
		"ended":    {pod(corev1.PodSucceeded), v1alpha1.ReasonScaledToZero},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.WorkloadAvailable(nil, tc.pods); got.Reason != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

func TestServerAccepted(t *testing.T) {
	none := []string(nil)
	for name, tc := range map[string]struct {
		got     policy.Finding
		reason  v1alpha1.Reason
		message string
	}{
		"all is well": {policy.ServerAccepted("", none, none, none), v1alpha1.ReasonAccepted, ""},
		"invalid":     {policy.ServerAccepted("bad", []string{"Service x"}, none, none), v1alpha1.ReasonInvalidSpec, "bad"},
		"taken":       {policy.ServerAccepted("", []string{"Service x", "Secret y"}, []string{"Secret z"}, none), v1alpha1.ReasonNameTaken, "Service x, Secret y"},
		"refused":     {policy.ServerAccepted("", none, []string{"Secret z"}, []string{"a: no", "b: never"}), v1alpha1.ReasonChildRejected, "a: no; b: never"},
		"leaving":     {policy.ServerAccepted("", none, []string{"Secret y", "Secret z"}, none), v1alpha1.ReasonChildLeaving, "Secret y, Secret z"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.got.Reason != tc.reason || !strings.Contains(tc.got.Message, tc.message) {
				t.Errorf("got %+v", tc.got)
			}
		})
	}
}

func TestRejection(t *testing.T) {
	for said, want := range map[string]string{
		"spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated":                                  "30001: provided port is already allocated: another Service has",
		"spec.ports[1].nodePort: Invalid value: 21: provided port is not in the valid range. The range of ports is 30000-1": "give service.nodePort",
		"exceeded quota: few": "Service files: exceeded quota: few",
	} {
		if got := policy.Rejection("Service files", said); !strings.HasPrefix(got, "Service files: "+said) || !strings.Contains(got, want) {
			t.Errorf("got %s", got)
		}
	}
}

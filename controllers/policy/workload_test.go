package policy_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// deployment is of generation 2.
func deployment(observed int64, updated, available int32) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Generation = 2
	d.Spec.Replicas = ptr.To[int32](1)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: observed, UpdatedReplicas: updated, AvailableReplicas: available}
	return d
}

// containing is a pod with a container of that status.
func containing(c corev1.ContainerStatus) *corev1.Pod {
	c.Name = "ftpserver"
	return pod("files-0-x", func(p *corev1.Pod) { p.Status.ContainerStatuses = []corev1.ContainerStatus{c} })
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

// failures are the ways in which Kubernetes tells that a new pod fails, and what
// is told of them.
var failures = map[string]struct {
	pod     *corev1.Pod
	status  func(*appsv1.Deployment)
	message string
}{
	"no such image":      {containing(corev1.ContainerStatus{State: waiting("ErrImagePull", "not found")}), nil, "The pod files-0-x waits: ErrImagePull: not found"},
	"image, backing off": {containing(corev1.ContainerStatus{State: waiting("ImagePullBackOff", "")}), nil, "files-0-x waits: ImagePullBackOff"},
	"no such key":        {containing(corev1.ContainerStatus{State: waiting("CreateContainerConfigError", "no key")}), nil, "CreateContainerConfigError: no key"},
	"crashes": {containing(corev1.ContainerStatus{
		State: waiting("CrashLoopBackOff", "back-off 40s"), LastTerminationState: ended(2, "Error", "panic\n"),
	}), nil, "files-0-x ends again and again: its container ftpserver ended with exit code 2 (Error): panic"},
	"runs, and has crashed": {containing(corev1.ContainerStatus{
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, LastTerminationState: ended(137, "OOMKilled", ""),
	}), nil, "exit code 137 (OOMKilled)"},
	"has just crashed": {containing(corev1.ContainerStatus{State: ended(1, "Error", "")}), nil, "exit code 1 (Error)"},
	"no node": {pod("files-0-x", func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes"}}
	}), nil, "files-0-x finds no node: 0/3 nodes"},
	"quota":         {nil, condition(appsv1.DeploymentReplicaFailure, corev1.ConditionTrue, "FailedCreate", "exceeded quota"), "cannot make its pod: exceeded quota"},
	"too long":      {pod("files-0-x"), condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded", ""), "files-0-x is not ready, and Kubernetes no longer waits for it (ProgressDeadlineExceeded)"},
	"no pod at all": {nil, condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded", ""), "has no pod yet, and Kubernetes no longer waits"},
}

func condition(kind appsv1.DeploymentConditionType, status corev1.ConditionStatus, reason, message string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

var cameUp = condition(appsv1.DeploymentProgressing, corev1.ConditionTrue, "NewReplicaSetAvailable", "")

// failing is a slot that fails in one of these ways.
func failing(how string) func(*policy.Slot) {
	return func(s *policy.Slot) {
		f := failures[how]
		s.Deployment = deployment(2, 1, 0)
		if f.status != nil {
			f.status(s.Deployment)
		}
		if f.pod != nil {
			s.Pods = []*corev1.Pod{f.pod}
		}
	}
}

// A new pod that fails stops the rollout, and is told of with the slot, the pod
// and the reason as soon as Kubernetes tells.
func TestRolloutStops(t *testing.T) {
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			all := slots(serves, failing(name), outdated(serves))
			got := policy.WorkloadAvailable(all, nil, nil, now)
			if got.OK() || got.Reason != v1alpha1.ReasonRolloutStopped {
				t.Errorf("got %+v", got)
			}
			for _, want := range []string{"files-1", f.message, "As they were stay files-2"} {
				if !strings.Contains(got.Message, want) {
					t.Errorf("the message leaves out %q: %s", want, got.Message)
				}
			}
			want := v1alpha1.ReasonRolloutStopped
			if name == "no node" {
				want = v1alpha1.ReasonRollingOut // one may come, and nobody waits
			}
			if alone := policy.SlotAvailable(slots(failing(name))[0], now); alone.Reason != want || !strings.Contains(alone.Message, f.message) {
				t.Errorf("with one replica: %+v", alone)
			}
		})
	}
}

func TestSlotAvailable(t *testing.T) {
	before := func(how func(*policy.Slot)) func(*policy.Slot) { // it had come up
		return func(s *policy.Slot) { how(s); cameUp(s.Deployment) }
	}
	creating := func(s *policy.Slot) {
		starts(s)
		s.Pods = []*corev1.Pod{containing(corev1.ContainerStatus{State: waiting("ContainerCreating", "")})}
	}
	noPod := func(s *policy.Slot) { s.Deployment = deployment(2, 0, 0) }
	stopped := func(s *policy.Slot) { // told to end, and to run again
		s.Deployment = deployment(2, 0, 0)
		s.Deployment.Spec.Replicas = ptr.To[int32](0)
	}
	evicted := func(s *policy.Slot) {
		noPod(s)
		s.Pods = []*corev1.Pod{pod("p", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })}
	}
	for name, tc := range map[string]struct {
		slot    func(*policy.Slot)
		reason  v1alpha1.Reason
		message string
	}{
		"no Deployment":      {none, v1alpha1.ReasonRollingOut, "has yet to act"},
		"not acted on":       {justWritten, v1alpha1.ReasonRollingOut, "has yet to act"},
		"old pod still ends": {ends, v1alpha1.ReasonRollingOut, "finishes its transfers"},
		"half seen":          {halfSeen, v1alpha1.ReasonRollingOut, "finishes its transfers"},
		"no pod":             {noPod, v1alpha1.ReasonRollingOut, "has no pod yet"},
		"evicted":            {evicted, v1alpha1.ReasonRollingOut, "has no pod yet"},
		"stopped":            {stopped, v1alpha1.ReasonRollingOut, "has no pod yet"},
		"starts":             {starts, v1alpha1.ReasonRollingOut, "p is not ready"},
		"is created":         {creating, v1alpha1.ReasonRollingOut, "files-0-x is not ready"},
		"not ready any more": {before(starts), v1alpha1.ReasonPodNotReady, "p is not ready"},
		"crashes later":      {before(failing("crashes")), v1alpha1.ReasonPodNotReady, "ends again and again"},
		"no longer wanted":   {outdated(failing("crashes")), v1alpha1.ReasonPodNotReady, "ends again and again"},
		"waits for its turn": {outdated(serves), v1alpha1.ReasonRollingOut, "yet to be replaced"},
		"ready":              {serves, v1alpha1.ReasonWorkloadAvailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.SlotAvailable(slots(tc.slot)[0], now)
			if got.Reason != tc.reason || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWorkloadAvailable(t *testing.T) {
	crashedLater := func(s *policy.Slot) { failing("crashes")(s); cameUp(s.Deployment) }
	noNodeLater := func(s *policy.Slot) { failing("no node")(s); cameUp(s.Deployment) }
	noNodeForLong := func(s *policy.Slot) {
		failing("no node")(s)
		condition(appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded", "")(s.Deployment)
	}
	orphan := func(s *policy.Slot) { failing("no node")(s); s.Deployment = nil }
	killed := func(s *policy.Slot) { starts(s); cameUp(s.Deployment) }
	for name, tc := range map[string]struct {
		slots, surplus []policy.Slot
		ok             bool
		reason         v1alpha1.Reason
		message        string
	}{
		"all serve":                   {slots(serves, serves), nil, true, v1alpha1.ReasonWorkloadAvailable, ""},
		"one drains":                  {slots(serves), slots(none, ends)[1:], true, v1alpha1.ReasonScalingDown, "finishing their transfers: files-1"},
		"one drains, and one starts":  {slots(starts), slots(none, ends)[1:], false, v1alpha1.ReasonRollingOut, "p is not ready"},
		"waits":                       {slots(serves, outdated(serves), outdated(serves)), nil, false, v1alpha1.ReasonRollingOut, "one at a time: files-1, files-2"},
		"one is replaced":             {slots(ends, outdated(serves)), nil, false, v1alpha1.ReasonRollingOut, "A pod of files-0 finishes"},
		"what fails is told first":    {slots(ends, failing("no such image")), nil, false, v1alpha1.ReasonRolloutStopped, "files-1"},
		"what went down before that":  {slots(ends, killed), nil, false, v1alpha1.ReasonPodNotReady, "not ready"},
		"a roll that crashed later":   {slots(crashedLater, outdated(serves)), nil, false, v1alpha1.ReasonRolloutStopped, "ends again and again"},
		"no node, and nobody waits":   {slots(serves, failing("no node")), nil, false, v1alpha1.ReasonRollingOut, "The pod files-0-x finds no node: 0/3 nodes"},
		"no node for too long":        {slots(serves, noNodeForLong), nil, false, v1alpha1.ReasonRolloutStopped, "finds no node: 0/3 nodes, and Kubernetes no longer waits"},
		"no node any more":            {slots(serves, noNodeLater), nil, false, v1alpha1.ReasonPodNotReady, "finds no node: 0/3 nodes"},
		"no node any more, in a roll": {slots(noNodeLater, outdated(serves)), nil, false, v1alpha1.ReasonRolloutStopped, "finds no node: 0/3 nodes"},
		"all of the first find none":  {slots(failing("no node"), failing("no node")), nil, false, v1alpha1.ReasonRollingOut, "finds no node"},
		"a pod without a Deployment":  {slots(orphan, outdated(serves)), nil, false, v1alpha1.ReasonRollingOut, "has yet to act"},
		"killed while the roll waits": {slots(killed, outdated(serves)), nil, false, v1alpha1.ReasonPodNotReady, "not ready"},
		"crashed, and no roll":        {slots(crashedLater, serves), nil, false, v1alpha1.ReasonPodNotReady, "ends again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.WorkloadAvailable(tc.slots, tc.surplus, nil, now)
			if got.OK() != tc.ok || got.Reason != tc.reason || !strings.Contains(got.Message, tc.message) {
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
			if got := policy.WorkloadAvailable(nil, nil, tc.pods, now); got.Reason != tc.want {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
		})
	}
}

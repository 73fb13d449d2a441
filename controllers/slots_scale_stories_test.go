package controllers

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// Scaling makes and ends replicas and touches no other. The ports of a new one
// are there before its Deployment; those of one that ends stay until its pod has.
func TestScaling(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 2)
	pods, deployments := w.podsOf(), w.versionsOf("Deployment")
	made := w.writes()
	w.scale(4)
	w.work()
	service, config, slot := slices.Index(*made, "Apply Service files"), slices.Index(*made, "Apply Secret files-config"), slices.Index(*made, "Apply Deployment files-2")
	if service < 0 || config < service || slot < config {
		t.Errorf("the writes are %v", *made)
	}
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	var s v1alpha1.FTPServer
	if w.read(theServer, &s); s.Status.Replicas != 4 || len(s.Status.Slots) != 4 || s.Status.Selector != metav1.FormatLabelSelector(render.ScaleSelector(theServer)) {
		t.Errorf("the status is %+v", s.Status)
	}

	w.cluster.draining = true
	w.scale(1)
	w.settle()
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonScalingDown, "files-1, files-2, files-3")
	serverReady(w)
	if w.read(theServer, &s); s.Status.Replicas != 1 || len(s.Status.Slots) != 1 {
		t.Errorf("while they drain, the status is %+v", s.Status)
	}
	if n := len(w.passivePorts()); n != 4*8 {
		t.Errorf("while they drain, the Service has %d passive ports", n)
	}
	for name, d := range w.deploymentsNow() {
		if want := map[bool]int32{true: 1, false: 0}[name == "files-0"]; *d.Spec.Replicas != want {
			t.Errorf("%s has %d replicas", name, *d.Spec.Replicas)
		}
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	w.work()
	if image := w.deploymentsNow()["files-3"].Spec.Template.Spec.Containers[0].Image; image != testImage {
		t.Errorf("what only drains was given the image %s", image)
	}
	w.cluster.draining = false
	w.settle()
	serverReady(w)
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	if left := slices.Sorted(maps.Keys(w.deploymentsNow())); !slices.Equal(left, []string{"files-0"}) || len(w.passivePorts()) != 8 {
		t.Errorf("left are %v and %d ports", left, len(w.passivePorts()))
	}
	w.rests()
}

func untouched(w *world, pods, deployments map[string]string) {
	w.t.Helper()
	nowPods, now := w.podsOf(), w.versionsOf("Deployment")
	for name, version := range deployments {
		if now[name] != version {
			w.t.Errorf("%s was written", name)
		}
	}
	for slot, pod := range pods {
		if nowPods[slot] != pod {
			w.t.Errorf("the pod of %s is %s and was %s", slot, nowPods[slot], pod)
		}
	}
}

// Within passive.slots, scaling never writes the Service, nor the configuration.
func TestScalingWithinSlots(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](4) })
	services, secrets := w.versionsOf("Service"), w.versionsOf("Secret")
	for _, n := range []int{4, 2, 3, 0, 1} {
		w.scale(n)
		w.settle()
		serverReady(w)
		if len(w.deploymentsNow()) != n {
			t.Errorf("with %d replicas there are %d Deployments", n, len(w.deploymentsNow()))
		}
	}
	if after := w.versionsOf("Service"); !maps.Equal(services, after) {
		t.Errorf("the Service was written: %s", cmp.Diff(services, after))
	}
	if after := w.versionsOf("Secret"); !maps.Equal(secrets, after) {
		t.Errorf("a Secret was written: %s", cmp.Diff(secrets, after))
	}
	if n := len(w.passivePorts()); n != 4*8 {
		t.Errorf("the Service has %d passive ports", n)
	}
}

// A replica that is asked for again while its pod still ends comes back once
// that has: a new pod would take over the ports that clients of the old one were
// told.
func TestScaledUpWhileDraining(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, between int }{"a replica of two": {2, 1}, "the only one": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serverOf(t, int32(tc.before))
			w.cluster.draining = true
			last := render.DeploymentName(theServer, tc.before-1)
			old := w.podsOf()[last]
			w.scale(tc.between)
			w.settle()
			w.scale(tc.before)
			w.settle()
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "A pod of "+last+" finishes its transfers")
			if n := *w.deploymentsNow()[last].Spec.Replicas; n != 0 {
				t.Errorf("it was given %d replicas while its pod still ends", n)
			}
			w.cluster.draining = false
			w.settle()
			serverReady(w)
			if now := w.podsOf()[last]; now == "" || now == old {
				t.Errorf("its pod is %q and was %q", now, old)
			}
		})
	}
}

// The budget comes with the second replica and goes with it.
func TestDisruptionBudget(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	var budget policyv1.PodDisruptionBudget
	has := func() bool { return w.read(render.DisruptionBudgetName(theServer), &budget) }
	for _, n := range []int{1, 3, 2, 1, 2, 0} {
		w.scale(n)
		w.settle()
		serverReady(w)
		if has() != (n > 1) {
			t.Errorf("with %d replicas there is one: %v", n, has())
		}
		if n > 1 && budget.Spec.MinAvailable.IntValue() != n-1 {
			t.Errorf("with %d replicas it is %+v", n, budget.Spec)
		}
	}
}

package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// loses has the node of a slot's pod stop answering, and tells the pod's name. As
// Kubernetes does then, the pod is called not ready.
func (w *world) loses(slot string) string {
	w.t.Helper()
	name := w.podsOf()[slot]
	var pod corev1.Pod
	if !w.read(name, &pod) {
		w.t.Fatalf("%s has no pod", slot)
	}
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
	}
	if err := kube.Status().Update(w.t.Context(), &pod); err != nil {
		w.t.Fatal(err)
	}
	w.cluster.lost[pod.UID] = true
	return name
}

// evict tells a pod to end, as Kubernetes does with those of a node that is gone.
func (w *world) evict(pod string) {
	w.t.Helper()
	if err := kube.Delete(w.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: pod}}); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
}

// beyondGrace is when a pod that was told to end is overdue.
const beyondGrace = 7 * time.Minute

// A pod that cannot end, as its node is gone, keeps its slot from being renewed,
// and not the others: the next pod would wait for it and nobody serve.
func TestRollBesideALostPod(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	lost := w.loses("files-1")
	w.evict(lost)
	w.settle()
	serverReady(w)
	serving := w.podsOf()["files-1"]
	if serving == lost || serving == "" {
		t.Fatalf("the pod is %q and was %q", serving, lost)
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "Yet to be replaced, one at a time: files-1")
	w.elapse(beyondGrace)
	w.work()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped, "files-1", "The node node does not answer, so the pod "+lost+" cannot end", "out-of-service")
	for name, want := range map[string]string{"files-0": "example.com/new", "files-1": testImage, "files-2": "example.com/new"} {
		if image := w.deploymentsNow()[name].Spec.Template.Spec.Containers[0].Image; image != want {
			t.Errorf("%s is of %s", name, image)
		}
	}
	if now := w.podsOf()["files-1"]; now != serving {
		t.Errorf("the pod that served was %q and is %q", serving, now)
	}
	clear(w.cluster.lost) // somebody has deleted the Node
	w.settle()
	serverReady(w)
	w.rests()
}

// A replica that was scaled away and is asked for again does not wait for ever
// for a pod that cannot end; one that stays away tells why its ports do.
func TestScalingBesideALostPod(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	lost := w.loses("files-2")
	w.scale(2)
	w.settle()
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonScalingDown, "files-2")
	w.elapse(beyondGrace)
	w.work()
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonScalingDown, "The node node does not answer, so the pod "+lost+" cannot end")
	if n := len(w.passivePorts()); n != 3*8 {
		t.Errorf("the Service has %d passive ports", n)
	}
	w.scale(3)
	w.settle()
	serverReady(w)
	if now := w.podsOf()["files-2"]; now == lost || now == "" {
		t.Errorf("the pod is %q and was %q", now, lost)
	}
	clear(w.cluster.lost)
	w.settle()
	w.rests()
}

// That a pod is overdue, no watch tells: the operator looks by itself.
func TestOverduePodsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 2)
	w.server.ResyncInterval = 24 * time.Hour
	w.loses("files-1")
	w.scale(1)
	w.settle()
	left := w.timers["server/"+theServer].Sub(w.clock.Now())
	if left < time.Minute || left > beyondGrace {
		t.Errorf("it looks again after %v", left)
	}
	w.elapse(left)
	for {
		key, ok := w.next()
		if !ok {
			break
		}
		w.pass(key)
	}
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonScalingDown, "cannot end")
}

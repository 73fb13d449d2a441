package controllers

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// claimOf is somebody's claim, which names its modes.
func claimOf(namespace string, modes ...corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "theirs"}}
	c.Spec.AccessModes = modes
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	return c
}

func onTheirs(replicas int32) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		s.Spec.Replicas = &replicas
		s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "theirs"}}
	}
}

// Of a claim that only one pod can have, only one is made, and one that runs
// goes on; who asks for more is told what to do.
func TestVolumeThatIsNotShared(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteOncePod} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(claimOf(w.namespace, mode), w.newServer(onTheirs(1)))
			w.settle()
			serverReady(w)
			pods, deployments := w.podsOf(), w.versionsOf("Deployment")
			w.scale(3)
			w.settle()
			c := w.condition(v1alpha1.ConditionResolvedRefs)
			if c.Reason != string(v1alpha1.ReasonVolumeNotShared) || c.Status != metav1.ConditionFalse {
				t.Errorf("ResolvedRefs is %+v", c)
			}
			if c := w.condition(v1alpha1.ConditionStalled); c.Reason != string(v1alpha1.ReasonVolumeNotShared) {
				t.Errorf("Stalled is %+v", c)
			}
			untouched(w, pods, deployments)
			if n := len(w.deploymentsNow()); n != 1 {
				t.Errorf("there are %d Deployments", n)
			}
			w.rests()
			w.scale(1)
			w.settle()
			serverReady(w)
			for _, p := range w.problems {
				t.Error(p)
			}
		})
	}
}

// Of a claim that is not there nobody knows whether several can have it: one slot
// is made, and the others once it is there and they can. While it is gone, no pod
// that runs is ended: the next could not start.
func TestClaimThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer(onTheirs(3)))
	w.settle()
	if n := len(w.deploymentsNow()); n != 1 {
		t.Errorf("there are %d Deployments", n)
	}
	claim := claimOf(w.namespace, corev1.ReadWriteMany)
	w.create(claim)
	w.settle()
	serverReady(w)
	if n := len(w.podsOf()); n != 3 {
		t.Errorf("there are %d pods", n)
	}
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/new" })
	edit(w, claim.Name, claim, func(c *corev1.PersistentVolumeClaim) { c.Finalizers = nil })
	if err := kube.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	pods := w.podsOf()
	w.settle()
	if now := w.podsOf(); !maps.Equal(pods, now) {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A claim that is bound to a volume which can do more than was asked for replaces
// no pod by that; and what the volume can do, it may be used for.
func TestBindingReplacesNoPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := claimOf(w.namespace, corev1.ReadWriteOnce)
	w.create(claim, w.newServer(onTheirs(1)))
	w.settle()
	serverReady(w)
	pods, deployments := w.podsOf(), w.versionsOf("Deployment")
	claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound,
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany}}
	if err := kube.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	w.scale(3)
	w.settle()
	serverReady(w)
	untouched(w, pods, deployments)
	if n := len(w.podsOf()); n != 3 {
		t.Errorf("there are %d pods", n)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A volume that one node or one pod has is let go before the next pod is made:
// where that runs does not matter then.
func TestVolumeOfOneMoves(t *testing.T) {
	t.Parallel()
	for _, mode := range []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteOncePod} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(w.newServer(func(s *v1alpha1.FTPServer) {
				s.Spec.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{mode}
			}))
			w.settle()
			serverReady(w)
			old := w.podsOf()["files-0"]
			w.cluster.draining = true
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.NodeSelector = map[string]v1alpha1.LabelValue{"disk": "other"} })
			w.settle()
			if now := w.podsOf(); len(now) != 0 || len(w.cluster.running("")) != 1 {
				t.Errorf("beside %s, which drains, there are %v", old, now)
			}
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "finishes its transfers")
			w.cluster.draining = false
			w.settle()
			serverReady(w)
			for name, d := range w.deploymentsNow() {
				if d.Spec.Strategy.Type != "Recreate" || len(d.Spec.Template.Spec.Tolerations) > 0 {
					t.Errorf("%s has the strategy %s and tolerates %v", name, d.Spec.Strategy.Type, d.Spec.Template.Spec.Tolerations)
				}
			}
			if now := w.podsOf()["files-0"]; now == old || now == "" {
				t.Error("the pod was not replaced")
			}
			for _, p := range w.problems {
				t.Error(p)
			}
		})
	}
}

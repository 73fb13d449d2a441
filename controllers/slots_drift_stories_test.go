package controllers

import (
	"maps"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// Whoever changed pod templates while no operator ran is put right, and so are
// two of them: one at a time.
func TestDriftIsPutRightOneAtATime(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	for _, name := range []string{"files-0", "files-1"} {
		edit(w, name, w.deploymentsNow()[name], func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "example.com/theirs" })
	}
	w.still()
	w.boot()
	w.settle()
	serverReady(w)
	w.rests()
	// What is nobody else's to say is no drift.
	edit(w, "files-2", w.deploymentsNow()["files-2"], func(d *appsv1.Deployment) { d.Spec.Template.Annotations = map[string]string{"theirs": "x"} })
	w.settle()
	serverReady(w)
	w.rests()
}

// A Deployment that no hash was noted of, as an earlier version has made it, is
// written again, and where nothing about the pod is new it stays.
func TestUnknownTemplatesAreNotReplacedInVain(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	pods := w.podsOf()
	for name, d := range w.deploymentsNow() {
		edit(w, name, d, func(d *appsv1.Deployment) { d.Annotations = nil })
	}
	w.boot()
	w.settle()
	serverReady(w)
	if now := w.podsOf(); !maps.Equal(pods, now) {
		t.Errorf("the pods were %v and are %v", pods, now)
	}
	for name, d := range w.deploymentsNow() {
		if render.TemplateHash(d) == "" {
			t.Errorf("there is still no hash on %s", name)
		}
	}
	w.rests()
}

// A Deployment that has lost labels gets them back: it is the same to the roll
// with them and without, also while the newest template is not its turn yet, and
// where it is to end.
func TestLostLabelsArePutRight(t *testing.T) {
	t.Parallel()
	for _, label := range []string{render.LabelSlot, render.LabelServer, render.LabelManagedBy, render.LabelInstance} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w := serverOf(t, 3)
			lose := func(name string) {
				edit(w, name, w.deploymentsNow()[name], func(d *appsv1.Deployment) { delete(d.Labels, label) })
			}
			has := func(name string) {
				t.Helper()
				if d := w.deploymentsNow()[name]; d.Labels[label] == "" {
					t.Errorf("%s has the labels %v", name, d.Labels)
				}
			}
			lose("files-1")
			lose("files-2")
			pods := w.podsOf()
			w.settle()
			serverReady(w)
			has("files-1")
			has("files-2")
			if now := w.podsOf(); !maps.Equal(pods, now) {
				t.Errorf("the pods were %v and are %v", pods, now)
			}
			w.rests()

			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
			lose("files-0")
			lose("files-2")
			w.settle()
			w.tells(metav1.ConditionFalse, v1alpha1.ReasonRolloutStopped, "As they were stay files-1, files-2")
			has("files-2")
			if now := w.podsOf(); now["files-1"] != pods["files-1"] || now["files-2"] != pods["files-2"] {
				t.Errorf("the pods were %v and are %v", pods, now)
			}

			lose("files-2")
			w.scale(2)
			w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "" })
			w.settle()
			serverReady(w)
			if left := slices.Sorted(maps.Keys(w.deploymentsNow())); !slices.Equal(left, []string{"files-0", "files-1"}) {
				t.Errorf("left are %v", left)
			}
		})
	}
}

// The replicas of a slot that somebody has changed are put right, also while the
// slot waits for its turn to be renewed.
func TestReplicasArePutRightWhileASlotWaits(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 3)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Pod.Image = "example.com/" + brokenImage })
	w.settle()
	edit(w, "files-2", w.deploymentsNow()["files-2"], func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) })
	w.work()
	d := w.deploymentsNow()["files-2"]
	if *d.Spec.Replicas != 1 || d.Spec.Template.Spec.Containers[0].Image != testImage {
		t.Errorf("it has %d replicas of %s", *d.Spec.Replicas, d.Spec.Template.Spec.Containers[0].Image)
	}
}

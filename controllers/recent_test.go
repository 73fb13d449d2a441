package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// The last answer of a pod counts for a while, and for the same containers only.
func TestRecentAnswers(t *testing.T) {
	r, server, now := newRecent(), client.ObjectKey{Name: "files"}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	run := func(id string) *corev1.Pod {
		p := aPod("a", corev1.ConditionTrue)
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{ContainerID: id}}
		return p
	}
	said := &config.Status{}
	if r.of(server, run("1"), now) != nil {
		t.Error("an answer that was never given")
	}
	r.keep(server, run("1"), said, now)
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		after time.Duration
		want  *config.Status
	}{
		"soon":              {run("1"), patience, said},
		"too late":          {run("1"), patience + 1, nil},
		"another container": {run("2"), 0, nil},
		"another pod":       {aPod("b", corev1.ConditionTrue), 0, nil},
	} {
		if got := r.of(server, c.pod, now.Add(c.after)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	r.only(server, []*corev1.Pod{run("2")})
	if len(r.pods[server]) != 1 {
		t.Error("a pod that is there was forgotten")
	}
	r.forget(server)
	if len(r.pods) != 0 {
		t.Errorf("still remembered: %v", r.pods)
	}
}

// A pod that does not answer for a moment changes no status, of the server nor of
// its users.
func TestSlowMomentIsNoNews(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	for range 10 {
		reconcileAll(t, ns, "files")
		before, began := versionOf(t, server)+versionOf(t, user), time.Now()
		pods.set(t, func() { pods.silent[host(ns, "files")] = true })
		reconcileAll(t, ns, "files")
		after, took := versionOf(t, server)+versionOf(t, user), time.Since(began)
		pods.set(t, func() { delete(pods.silent, host(ns, "files")) })
		if took > patience/2 {
			reaches(t, server, kstatus.CurrentStatus)
			reaches(t, user, kstatus.CurrentStatus)
			continue // this was no moment
		}
		if after != before {
			says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			t.Error("the status was written")
		}
		return
	}
	t.Skip("The machine is too slow to tell a moment")
}

func versionOf(t *testing.T, o client.Object) string {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
	return o.GetResourceVersion()
}

package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	// A reconciler whose clock stands still: the moment is none longer than it is.
	r, now := *serverReconciler, time.Now()
	r.asking, r.recent, r.Now = newAsking(), newRecent(), func() time.Time { return now }
	look := func() string {
		pass(t, &r, request(ns, "files"))
		pass(t, userReconciler, request(ns, "alice"))
		return versionOf(t, server) + versionOf(t, user)
	}
	before := look()
	pods.set(t, func() { pods.silent[host(ns, "files")] = true })
	after := look()
	pods.set(t, func() { delete(pods.silent, host(ns, "files")) })
	if after != before {
		t.Error("the status was written")
	}
}

func versionOf(t *testing.T, o client.Object) string {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
	return o.GetResourceVersion()
}

package controllers

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

func aPod(uid string, isReady corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: isReady}}},
	}
}

// asked plays passes at a fixed rhythm over one pod that never answers, and
// returns when it was asked.
func asked(a *asking, pod *corev1.Pod, every, until time.Duration) []time.Duration {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []time.Duration
	for at := time.Duration(0); at <= until; at += every {
		if done, _, _, _ := a.turn(client.ObjectKey{Name: "files"}, pod, start.Add(at)); done != nil {
			out = append(out, at)
			done("no answer", start.Add(at))
		}
	}
	return out
}

// A pod that does not answer is asked ever more rarely, however often its server
// is looked at.
func TestSilentPodIsLeftAlone(t *testing.T) {
	got := asked(newAsking(), aPod("a", corev1.ConditionTrue), 50*time.Millisecond, 5*time.Minute)
	if len(got) < 13 || len(got) > 17 { // 0.5, 1, 2 … 30 s, and a fifth of it more at most
		t.Errorf("asked %d times in 5 minutes: %v", len(got), got)
	}
	for i := 1; i < len(got); i++ {
		want := askAgainAfter(i)
		if pause := got[i] - got[i-1]; pause < want || pause > want*12/10+50*time.Millisecond {
			t.Errorf("after %d asks it was left alone for %s, want about %s", i, pause, want)
		}
	}
}

func TestAskAgainAfter(t *testing.T) {
	for count, want := range map[int]time.Duration{
		1: askAgainFirst, 2: 2 * askAgainFirst, 6: 16 * time.Second, 7: askAgainLast, 1000: askAgainLast,
	} {
		if got := askAgainAfter(count); got != want {
			t.Errorf("after %d: %s, want %s", count, got, want)
		}
	}
}

// An answer makes up for all that was not answered; and a pod that has become
// ready is asked soon, though not at once.
func TestSilentPodThatComesBack(t *testing.T) {
	a, server, now := newAsking(), client.ObjectKey{Name: "files"}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	starting, started := aPod("a", corev1.ConditionFalse), aPod("a", corev1.ConditionTrue)
	for range 6 {
		a.note(server, starting, "refused", now)
	}
	if done, _, problem, in := a.turn(server, starting, now.Add(time.Second)); done != nil || problem != "refused" || in < 14*time.Second {
		t.Errorf("asked again at once, or %q in %s", problem, in)
	}
	if done, _, _, in := a.turn(server, started, now); done != nil || in != askAgainFirst {
		t.Errorf("once ready it is asked in %s", in)
	}
	done, twice, _, _ := a.turn(server, started, now.Add(askAgainFirst))
	if done == nil || twice {
		t.Fatal("not asked though it has become ready, or asked twice though it was silent")
	}
	if again := done("", now); again != 0 {
		t.Errorf("it has answered, and is to be asked in %s", again)
	}
	if done, twice, _, _ := a.turn(server, started, now); done == nil || !twice {
		t.Error("a pod that has answered is not asked twice before it counts as silent")
	}
}

// Of the pods that were silent only so many are asked at once, and none is
// forgotten while it is there.
func TestSilentPodsDoNotTakeAllWorkers(t *testing.T) {
	a, server, now := newAsking(), client.ObjectKey{Name: "files"}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	tenant := func(i int) client.ObjectKey {
		return client.ObjectKey{Namespace: fmt.Sprint("tenant-", i), Name: "files"}
	}
	var pods []*corev1.Pod
	for i := range 3 * serverWorkers {
		pods = append(pods, aPod(fmt.Sprint(i), corev1.ConditionTrue))
		a.note(server, pods[i], "no answer", now)
		a.note(tenant(i), pods[i], "no answer", now)
	}
	later := now.Add(time.Hour)
	var asking []func(string, time.Time) time.Duration
	ask := func(of client.ObjectKey, p *corev1.Pod) {
		if done, _, _, in := a.turn(of, p, later); done != nil {
			asking = append(asking, done)
		} else if in <= 0 {
			t.Error("it is not told when to come back")
		}
	}
	for _, p := range pods {
		ask(server, p)
	}
	if len(asking) != 1 {
		t.Fatalf("of one namespace %d are asked at once", len(asking))
	}
	for i, p := range pods {
		ask(tenant(i), p)
	}
	if len(asking) != silentAtOnce {
		t.Fatalf("%d are asked at once", len(asking))
	}
	asking[0]("no answer", later)
	if done, _, _, _ := a.turn(server, pods[len(pods)-1], later); done == nil {
		t.Error("none is asked though one has been")
	}
	a.keep(server, pods[:2])
	if n := len(a.pods[server]); n != 2 {
		t.Errorf("%d are remembered", n)
	}
	a.forget(server)
	for i := range pods {
		a.forget(tenant(i))
	}
	if len(a.pods) != 0 {
		t.Errorf("still remembered: %v", a.pods)
	}
}

// Many servers whose pods hang, and whose owner keeps editing them, do not keep
// another tenant's from being served.
func TestHangingPodsHoldUpNobodyElse(t *testing.T) {
	const many = 30
	theirs := namespace(t)
	var hang []*v1alpha1.FTPServer
	for i := range many {
		s := newServer(theirs, fmt.Sprintf("hang-%d", i))
		hang = append(hang, s)
		pods.set(t, func() { pods.hanging[host(theirs, s.Name)] = true })
		create(t, s)
		runPods(t, theirs, s.Name)
	}
	t.Cleanup(func() {
		for _, s := range hang {
			remove(t, s)
		}
	})
	ours := namespace(t)
	server := newServer(ours, "files")
	create(t, server)
	runPods(t, ours, "files")
	reaches(t, server, kstatus.CurrentStatus)
	for _, s := range hang { // from here on each is known not to answer
		says(t, s, v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonStatusUnreachable)
	}
	pods.set(t, func() { pods.hangMost = 0 })
	for _, level := range []v1alpha1.LogLevel{v1alpha1.LogDebug, v1alpha1.LogWarn, v1alpha1.LogInfo} {
		for _, s := range hang {
			change(t, s, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = level })
		}
		change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = level })
		says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	}
	pods.mu.Lock()
	defer pods.mu.Unlock()
	if pods.hangMost > silentAtOnce {
		t.Errorf("%d of %d workers waited at once for pods that had not answered before", pods.hangMost, serverWorkers)
	}
}

package controllers

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

const (
	// askAgainFirst is how long a pod that did not answer is left alone; each
	// further time it is twice as long, up to askAgainLast.
	askAgainFirst = 500 * time.Millisecond
	askAgainLast  = 30 * time.Second
	// silentAtOnce is how many pods that did not answer the last time are asked
	// at once: each may hold up a worker until probe.Timeout. Of one namespace it
	// is one, so that a tenant with many takes no other's turn.
	silentAtOnce = serverWorkers / 2
)

// silence is what is remembered of a pod that was asked.
type silence struct {
	count   int // how often in a row it has not answered
	problem string
	ready   bool // it was, when it was last asked
	last    time.Time
	until   time.Time // not asked before
}

// asking bounds what pods cost that take connections and do not answer, so that
// one tenant's cannot keep the workers from the servers of the others.
type asking struct {
	mu   sync.Mutex
	pods perPod[silence]
	busy map[string]bool // namespaces of which a silent pod is being asked
}

func newAsking() *asking {
	return &asking{pods: perPod[silence]{}, busy: map[string]bool{}}
}

// turn tells whether to ask a pod now. If not, problem is why it did not answer
// the last time, and in is when to come back. Else done must be called with what
// came of it, and tells the same; twice tells whether to ask a second time where
// there is no answer.
func (a *asking) turn(server client.ObjectKey, pod *corev1.Pod, now time.Time) (done func(problem string, at time.Time) time.Duration, twice bool, problem string, in time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.pods[server][pod.UID]
	release := func() {}
	if s.count > 0 {
		if in := a.pause(s, pod).Sub(now); in > 0 {
			return nil, false, s.problem, in
		}
		if a.busy[server.Namespace] || len(a.busy) >= silentAtOnce {
			return nil, false, s.problem, wait.Jitter(askAgainFirst, 1)
		}
		a.busy[server.Namespace] = true
		release = func() { a.free(server.Namespace) }
	}
	return func(problem string, at time.Time) time.Duration {
		release()
		return a.note(server, pod, problem, at)
	}, s.count == 0, "", 0
}

func (a *asking) free(namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, namespace)
}

// pause is until when a silent pod is left alone. One that has become ready
// since is likely to answer now.
func (a *asking) pause(s silence, pod *corev1.Pod) time.Time {
	if soon := s.last.Add(askAgainFirst); policy.PodReady(pod) && !s.ready && soon.Before(s.until) {
		return soon
	}
	return s.until
}

// note remembers what came of asking a pod, where no problem means that it
// answered, and tells in which time to ask again one that did not.
func (a *asking) note(server client.ObjectKey, pod *corev1.Pod, problem string, now time.Time) (again time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := silence{problem: problem, ready: policy.PodReady(pod), last: now}
	if problem != "" {
		s.count = a.pods[server][pod.UID].count + 1
		again = wait.Jitter(askAgainAfter(s.count), 0.2)
		s.until = now.Add(again)
	}
	a.pods.put(server, pod, s)
	return again
}

// askAgainAfter is how long a pod is left alone that has not answered so often.
func askAgainAfter(count int) time.Duration {
	d := askAgainFirst
	for ; count > 1 && d < askAgainLast; count-- {
		d *= 2
	}
	return min(d, askAgainLast)
}

// keep forgets the pods of a server that are gone.
func (a *asking) keep(server client.ObjectKey, still []*corev1.Pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods.only(server, still)
}

func (a *asking) forget(server client.ObjectKey) { a.keep(server, nil) }

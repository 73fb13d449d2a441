package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// lookEvery is how often the client looks for the effect of a change, and so
// how fine the figures are.
const lookEvery = 20 * time.Millisecond

// liveChange is one kind of change to a running server, and what a client sees
// of it. A round makes them all, one after another, each on a settled server.
type liveChange struct {
	name string
	// of is the object whose Ready speaks of the change; nil: none does.
	of func(*stage) client.Object
	// before prepares: the clock does not run yet.
	before func(s *stage, i int)
	// apply writes to the API.
	apply func(s *stage, i int)
	// effect looks once, and says what is missing; "" is the end of the clock.
	effect func(s *stage, i int) string
	// apart tells that something that Ready does not speak of comes between it
	// and the effect, such as the nodes' routing.
	apart bool
	// after must hold once Ready speaks of the change too.
	after func(s *stage, i int) string
	// confirm sees the effect with a real client, in the first round.
	confirm func(s *stage, i int) string
}

// stage is the running server, and who is there.
type stage struct {
	t *testing.T
	// server is used by user, who is changed, and by bystander, who is not.
	server          *v1alpha1.FTPServer
	user, bystander *v1alpha1.FTPUser
	secret          *corev1.Secret
	// authority is somebody else's, and given what it has signed for the server.
	authority authority
	given     *corev1.Secret
	door      door
	curl      ftpclient.Connection // as the bystander
	log       *podLog
	held      *session // the user's, during a change
	watcher   *session // the bystander's, for looking
}

// TestChangesAreLive: a change is seen by clients within seconds, while pods
// run on, transfers and sessions of others go on, and Ready is never told
// before the change is there. It prints how long each kind took: from just
// before the write to the API until a client outside sees the effect, and until
// Ready speaks of it.
func TestChangesAreLive(t *testing.T) {
	rounds := 3
	if full {
		rounds = 100
	}
	s := newStage(t)
	before := pods(t, s.server)
	idle := []*session{s.login(s.bystander), s.login(s.bystander)}
	slow := s.slowTransfers()
	var seen, told figures.Durations
	for i := range rounds {
		background := s.curlTransfers(i)
		for _, c := range liveChanges() {
			s.try(c, i, &seen, &told)
		}
		background()
		for _, held := range idle {
			must(t, held.do("NOOP").is(200))
		}
	}
	slow()
	seen.Record(t, "From the write until a client sees it:")
	told.Record(t, "From the write until Ready speaks of it:")
	samePods(t, before, pods(t, s.server))
}

func newStage(t *testing.T) *stage {
	t.Helper()
	server, bystander := serving(t, func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 64 })
	s := &stage{t: t, server: server, bystander: bystander, curl: connection(t, ftpclient.Curl{}, server, bystander)}
	s.door = doorOf(t, outsideDialer(t), s.curl)
	s.log = followLog(t, &pods(t, server)[0])
	s.watcher = s.login(bystander)
	s.watcher.dataWait = 300 * time.Millisecond // it asks again, where a number leads nowhere
	return s
}

func (s *stage) login(u *v1alpha1.FTPUser) *session {
	s.t.Helper()
	held, err := s.door.login(u.Username(), password(s.t, u))
	must(s.t, err)
	s.t.Cleanup(held.close)
	return held
}

// try makes one change and takes its time.
func (s *stage) try(c liveChange, i int, seen, told *figures.Durations) {
	s.t.Helper()
	s.settle()
	if c.before != nil {
		c.before(s, i)
	}
	start := time.Now()
	c.apply(s, i)
	seen.Add(c.name, s.awaitEffect(c, i, start))
	if c.of != nil {
		ready(s.t, c.of(s))
		told.Add(c.name, time.Since(start))
	}
	if c.after != nil {
		if problem := c.after(s, i); problem != "" {
			s.t.Errorf("%s, afterwards: %s", c.name, problem)
		}
	}
	if c.confirm != nil && i == 0 {
		eventually(s.t, func() string { return c.confirm(s, i) })
	}
	if s.held != nil {
		s.held.close()
		s.held = nil
	}
}

// awaitEffect waits for the effect. Meanwhile Ready must not tell of it: what
// it told before a look must be seen by that look.
func (s *stage) awaitEffect(c liveChange, i int, start time.Time) time.Duration {
	s.t.Helper()
	for tick := time.NewTicker(lookEvery); ; <-tick.C {
		early := c.of != nil && !c.apart && s.isReady(c.of(s))
		problem := c.effect(s, i)
		if problem == "" {
			tick.Stop()
			return time.Since(start)
		}
		if early {
			s.t.Fatalf("%s: Ready was told, and yet: %s", c.name, problem)
		}
		if time.Since(start) > patience {
			s.t.Fatalf("%s: after %s still: %s", c.name, patience, problem)
		}
	}
}

// settle waits until everything is told as loaded.
func (s *stage) settle() {
	s.t.Helper()
	ready(s.t, s.server)
	if s.user != nil {
		ready(s.t, s.user)
	}
}

func (s *stage) isReady(o client.Object) bool {
	s.t.Helper()
	now := o.DeepCopyObject().(client.Object)
	must(s.t, kube.Get(soon(s.t), client.ObjectKeyFromObject(o), now))
	c := condition(now, v1alpha1.ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration >= o.GetGeneration()
}

// samePods fails where a pod is another one, or has been restarted.
func samePods(t *testing.T, before, after []corev1.Pod) {
	t.Helper()
	if len(before) != len(after) {
		t.Fatalf("There were %d pods and are %d", len(before), len(after))
	}
	for i := range before {
		a, b := before[i], after[i]
		if a.UID != b.UID || !a.Status.StartTime.Equal(b.Status.StartTime) {
			t.Errorf("The pod %s was replaced by %s", a.Name, b.Name)
		}
		for _, c := range b.Status.ContainerStatuses {
			if c.RestartCount > 0 {
				t.Errorf("The pod %s was restarted", b.Name)
			}
		}
	}
}

// podLog is what a pod writes, as it comes.
type podLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func followLog(t *testing.T, pod *corev1.Pod) *podLog {
	t.Helper()
	l := &podLog{}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 32<<10); ; {
			n, err := stream.Read(b)
			l.mu.Lock()
			l.text.Write(b[:n])
			l.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = stream.Close()
		<-done
	})
	return l
}

// has says that a text is missing in the log, or nothing.
func (l *podLog) has(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(l.text.String(), text) {
		return ""
	}
	return fmt.Sprintf("the log has no %s", text)
}

// lines counts those with all the texts.
func (l *podLog) lines(texts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		n++
	}
	return n
}

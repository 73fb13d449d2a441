package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

const (
	churners   = 40
	churnEvery = 100 * time.Millisecond
	// churnGoal is how long a user's own last change should take at most,
	// whatever happens to the others. It is told, not enforced: the machine may
	// be a busy one.
	churnGoal = 5 * time.Second
	pokeEvery = 500 * time.Millisecond
	// writesEach bounds what one change is worth, without pokes: a Secret, two
	// statuses of the user, two events, and a share in the server's own.
	writesEach = 6
)

// TestChurn: ten changes a second, on forty users of one server: each user is
// told as Programmed soon after their own last change, in the end everybody has
// exactly what was last asked for, and the API server sees no storm.
func TestChurn(t *testing.T) {
	length := 10 * time.Second
	if full {
		length = time.Minute
	}
	// All logins come from one address, and many are refused: they must not wait.
	server, alice := serving(t, func(s *v1alpha1.FTPServer) { s.Spec.Limits.FailedLogins.Mode = v1alpha1.FailedLoginsNone })
	c := connection(t, ftpclient.Curl{}, server, alice)
	f := newFair(t, server)
	pod := operatorPod(t)
	before, writes, start := operatorMetrics(t, pod), countWrites(t, server.Namespace), time.Now()

	for tick := time.NewTicker(churnEvery); time.Since(start) < length; <-tick.C {
		f.changeOne(t)
	}
	f.settle(t)
	elapsed := time.Since(start)
	f.report(t, elapsed, before, operatorMetrics(t, pod))
	writes.check(t, f, elapsed)
	f.everybodyHasTheirs(t, doorOf(t, outsideDialer(t), c))
}

// fair is where the churners are.
type fair struct {
	server *v1alpha1.FTPServer
	all    []*churner
	count  map[string]int // changes by kind

	mu      sync.Mutex
	waiting map[types.UID]waiting // the last change of those that wait for it
	latest  map[types.UID]int64   // the generation that is programmed
	took    figures.Durations
	late    []string
}

// churner is a user to be, what was last asked for, and the word before.
type churner struct {
	user      *v1alpha1.FTPUser // nil: removed
	secret    *corev1.Secret
	word, old string
}

type waiting struct {
	name, kind string
	generation int64
	since      time.Time
}

func newFair(t *testing.T, server *v1alpha1.FTPServer) *fair {
	t.Helper()
	f := &fair{server: server, count: map[string]int{}, waiting: map[types.UID]waiting{}, latest: map[types.UID]int64{}}
	follow(t, &v1alpha1.FTPUserList{}, server.Namespace, func(e watch.Event) { f.see(e.Object.(*v1alpha1.FTPUser), time.Now()) })
	for i := range churners {
		name := fmt.Sprintf("churner-%02d", i)
		c := &churner{word: name + "'s first word", secret: passwordSecret(server.Namespace, name, name+"'s first word")}
		create(t, c.secret)
		c.user = newChurner(server, name)
		create(t, c.user)
		f.all = append(f.all, c)
	}
	for _, c := range f.all {
		ready(t, c.user)
	}
	return f
}

func newChurner(server *v1alpha1.FTPServer, name string) *v1alpha1.FTPUser {
	u := newUser(server.Namespace, name, server.Name)
	u.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: name}
	return u
}

// see takes note of a user's status as it comes.
func (f *fair) see(u *v1alpha1.FTPUser, now time.Time) {
	c := condition(u, v1alpha1.ConditionProgrammed)
	if c == nil || c.Status != metav1.ConditionTrue {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest[u.UID] = max(f.latest[u.UID], c.ObservedGeneration)
	f.arrive(u.UID, now)
}

// arrive is called with mu held.
func (f *fair) arrive(uid types.UID, now time.Time) {
	w, waits := f.waiting[uid]
	if !waits || f.latest[uid] < w.generation {
		return
	}
	delete(f.waiting, uid)
	took := now.Sub(w.since)
	f.took.Add(w.kind, took)
	if took > churnGoal {
		f.late = append(f.late, fmt.Sprintf("%s (%s) %s", w.name, w.kind, figures.Rounded(took)))
	}
}

// changed has a user wait for a change. One that waited for an earlier change
// waits for this one now.
func (f *fair) changed(u *v1alpha1.FTPUser, kind string, start time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting[u.UID] = waiting{u.Name, kind, u.Generation, start}
	f.arrive(u.UID, time.Now())
}

// changeOne makes one change to one user.
func (f *fair) changeOne(t *testing.T) {
	t.Helper()
	c := f.all[rand.IntN(len(f.all))]
	start := time.Now()
	kind := "added"
	switch dice := rand.IntN(10); {
	case c.user == nil:
		c.user = newChurner(f.server, c.secret.Name)
		create(t, c.user)
	case dice < 3:
		kind = "password"
		c.old, c.word = c.word, fmt.Sprintf("%s's word %d", c.user.Name, rand.Uint64())
		change(t, c.secret, func() { c.secret.Data = map[string][]byte{"password": []byte(c.word)} })
	case dice < 6:
		kind = "role"
		change(t, c.user, func() { c.user.Spec.Role = other(c.user.Spec.Role, v1alpha1.RoleReadWrite, v1alpha1.RoleReadOnly) })
	case dice < 8:
		kind = "login"
		change(t, c.user, func() { c.user.Spec.Login = other(c.user.Spec.Login, v1alpha1.LoginEnabled, v1alpha1.LoginSuspended) })
	default:
		kind = "removed"
		must(t, kube.Delete(soon(t), c.user))
		f.mu.Lock()
		delete(f.waiting, c.user.UID)
		f.mu.Unlock()
		c.user = nil
	}
	f.count[kind]++
	if kind != "removed" && kind != "password" { // a Secret has no status
		f.changed(c.user, kind, start)
	}
}

func other[T comparable](is, a, b T) T {
	if is == a {
		return b
	}
	return a
}

func (f *fair) changes() (n int) {
	for _, c := range f.count {
		n += c
	}
	return n
}

// settle waits until everybody is programmed and the server too.
func (f *fair) settle(t *testing.T) {
	t.Helper()
	eventually(t, func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, w := range f.waiting {
			return fmt.Sprintf("%s waits for %q", w.name, w.kind)
		}
		return ""
	})
	ready(t, f.server)
}

func (f *fair) report(t *testing.T, elapsed time.Duration, before, after metrics) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took.Record(t, fmt.Sprintf("%d changes in %s: %v. From a user's own last change until Programmed:", f.changes(), figures.Rounded(elapsed), f.count))
	if len(f.late) > 0 {
		figures.Record(t, fmt.Sprintf("Later than %s: %v", churnGoal, f.late))
	}
	made := since(before.requests(), after.requests())
	if n, most := made["POST"]+made["PATCH"], writesEach*f.changes()+int(elapsed/pokeEvery); n > most {
		t.Errorf("The operator has made %d writing requests, want at most %d", n, most)
	}
	figures.Record(t, fmt.Sprintf("The operator's requests, by method: %v; %.1f for each change", made, float64(made["GET"]+made["POST"]+made["PATCH"])/float64(f.changes())))
	for _, controller := range []string{"ftpserver", "ftpuser"} {
		n, seconds := before.passes(controller)
		m, more := after.passes(controller)
		t.Logf("%s: %d passes, each %s", controller, m-n, figures.Rounded(time.Duration((more-seconds)/float64(max(1, m-n))*float64(time.Second))))
	}
}

// everybodyHasTheirs looks with a client whether each login is as it was last
// asked for.
func (f *fair) everybodyHasTheirs(t *testing.T, d door) {
	t.Helper()
	for _, c := range f.all {
		name := c.secret.Name
		if c.old != "" {
			eventually(t, func() string { return d.refuses(name, c.old) })
		}
		if c.user == nil || c.user.Spec.Login == v1alpha1.LoginSuspended {
			eventually(t, func() string { return d.refuses(name, c.word) })
			continue
		}
		s := (*session)(nil)
		eventually(t, func() string {
			var err error
			if s, err = d.login(name, c.word); err != nil {
				return err.Error()
			}
			return ""
		})
		want := 257
		if c.user.Spec.Role == v1alpha1.RoleReadOnly {
			want = 550
		}
		if err := s.do(fmt.Sprintf("MKD /%d", rand.Uint64())).is(want); err != nil {
			t.Errorf("%s, who is %s: %v", name, c.user.Spec.Role, err)
		}
		s.close()
	}
}

// writes are what was written in a namespace, and by whom it shows.
type writes struct {
	mu    sync.Mutex
	seen  map[string]int    // by kind
	pokes map[string]int    // by pod
	value map[string]string // the poke a pod had last
}

// countWrites counts from now on.
func countWrites(t *testing.T, ns string) *writes {
	t.Helper()
	w := &writes{seen: map[string]int{}, pokes: map[string]int{}, value: map[string]string{}}
	for kind, list := range map[string]client.ObjectList{
		"users' status and spec": &v1alpha1.FTPUserList{}, "server's status": &v1alpha1.FTPServerList{},
		"operator's Secrets": &corev1.SecretList{}, "pods": &corev1.PodList{}, "events": &corev1.EventList{},
	} {
		follow(t, list, ns, func(e watch.Event) { w.see(kind, e) })
	}
	return w
}

func (w *writes) see(kind string, e watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch o := e.Object.(type) {
	case *corev1.Secret:
		if o.Labels["app.kubernetes.io/managed-by"] != "ftp-operator" {
			return
		}
	case *corev1.Pod:
		if now := o.Annotations["ftp-operator.io/poked"]; now != w.value[o.Name] {
			w.value[o.Name] = now
			w.pokes[o.Name]++
		}
	case *corev1.Event:
		if o.ReportingController != "ftp-operator" {
			return
		}
	}
	w.seen[kind]++
}

// check holds the writes against what a change can be worth.
func (w *writes) check(t *testing.T, f *fair, elapsed time.Duration) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	figures.Record(t, fmt.Sprintf("Writes seen: %v; pokes by pod: %v", w.seen, w.pokes))
	for pod, n := range w.pokes {
		if most := int(elapsed/pokeEvery) + 2; n > most { // the one that it had, and one at either end
			t.Errorf("The pod %s was poked %d times in %s, want at most %d", pod, n, figures.Rounded(elapsed), most)
		}
	}
	// A change is one line in one Secret, and many changes share a write. A user
	// is written by the test, told as pending, then as programmed; a new one is
	// told its place before. The server is told as behind and as up to date at
	// most once for each, and each of these transitions is an event.
	for kind, each := range map[string]int{
		"operator's Secrets": 1, "users' status and spec": 4, "server's status": 2, "events": 3,
	} {
		if n, most := w.seen[kind], each*f.changes(); n > most {
			t.Errorf("%d writes, %s, for %d changes: want at most %d", n, kind, f.changes(), most)
		}
	}
}

// follow calls see with all that is added or modified from now on, until the
// test ends.
func follow(t *testing.T, list client.ObjectList, ns string, see func(watch.Event)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	must(t, kube.List(ctx, list, client.InNamespace(ns)))
	w, err := kube.Watch(ctx, list, client.InNamespace(ns), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range w.ResultChan() {
			if e.Type == watch.Added || e.Type == watch.Modified {
				see(e)
			}
		}
	}()
	t.Cleanup(func() {
		w.Stop()
		cancel()
		<-done
	})
}

package controllers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

// world is a namespace with an operator of its own, whose passes are made one
// after the other, and only where in a cluster something would bring them about:
// a change of an object, an error, a time that is due. What is not brought about
// stays undone, and is found.
type world struct {
	t         *testing.T
	namespace string
	wire      *wire
	cluster   *cluster
	clock     *testClock

	server *FTPServerReconciler
	user   *FTPUserReconciler

	due     map[string]bool      // passes to make, by key
	timers  map[string]time.Time // when one is due again, by key
	changed bool                 // the pass has changed an object that the operator watches
	failure error                // what the last pass failed with

	mu       sync.Mutex
	secrets  map[string]string // what is made once, as it was first written
	taken    map[string]bool   // slots whose pod was ended for a newer one that does not serve yet
	problems []string
}

const theServer = "files" // the name of the server in a world

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, namespace: namespace(t), wire: &wire{at: -1}, clock: &testClock{stopped: time.Now()},
		timers: map[string]time.Time{}, secrets: map[string]string{}, taken: map[string]bool{},
	}
	w.cluster = newCluster(w.namespace)
	w.cluster.problem = w.problem
	w.wire.wrote, w.wire.before = w.wrote, w.checkRoll
	w.boot()
	t.Cleanup(w.leave)
	return w
}

// rival is a second operator at work in the same namespace.
func (w *world) rival() *world {
	r := &world{
		t: w.t, namespace: w.namespace, wire: &wire{at: -1}, cluster: w.cluster, clock: w.clock,
		timers: map[string]time.Time{}, secrets: map[string]string{},
	}
	r.wire.before = w.checkRoll
	r.wire.wrote = func(verb string, o client.Object) {
		w.wrote(verb, o) // one book of what is made once, and of what is said
		r.changed = true
	}
	r.boot()
	return r
}

// work makes passes until none is due, and nothing else.
func (w *world) work() {
	w.t.Helper()
	w.wakeAll()
	for range maxPasses {
		key, ok := w.next()
		if !ok {
			return
		}
		w.pass(key)
	}
	w.t.Fatalf("after %d passes it is still at work, the last failed with: %v", maxPasses, w.failure)
}

// leave gives back what there is a limited number of, ports and addresses.
func (w *world) leave() {
	remove(w.t, newServer(w.namespace, theServer))
	remove(w.t, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: theServer}})
}

// boot starts an operator that remembers nothing: it looks at everything.
func (w *world) boot() {
	board := NewBoard()
	w.server = &FTPServerReconciler{
		Client: w.wire.cached(), Live: w.wire.live(), Recorder: &events.FakeRecorder{},
		Prober: w.cluster, Board: board, Now: w.clock.Now, Image: testImage, FrontImage: testFrontImage,
		Namespace: operatorNamespace, ClusterDomain: "cluster.local", Lifetimes: pki.DefaultLifetimes,
	}
	w.user = &FTPUserReconciler{Client: w.wire.cached(), Live: w.wire.live(), Recorder: &events.FakeRecorder{}, Board: board, Now: w.clock.Now}
	w.server.start()
	w.user.start()
	w.wakeAll()
}

// wakeAll makes a pass due over everything that there is.
func (w *world) wakeAll() {
	w.due = map[string]bool{"server/" + theServer: true}
	var users v1alpha1.FTPUserList
	if err := kube.List(w.t.Context(), &users, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	for _, u := range users.Items {
		w.due["user/"+u.Name] = true
	}
}

// newServer is a server of this world's own operator.
func (w *world) newServer(change ...func(*v1alpha1.FTPServer)) *v1alpha1.FTPServer {
	s := newServer(w.namespace, theServer, change...)
	s.Labels = map[string]string{notTheSuites: ""}
	return s
}

func (w *world) newUser(name string, change ...func(*v1alpha1.FTPUser)) *v1alpha1.FTPUser {
	u := newUser(w.namespace, name, theServer, change...)
	u.Labels = map[string]string{notTheSuites: ""}
	return u
}

// wrote sees each write of the operator that took effect.
func (w *world) wrote(verb string, obj client.Object) {
	switch o := obj.(type) {
	case *v1alpha1.FTPServer:
		w.checkServer(o)
	case *v1alpha1.FTPUser:
		w.checkUser(o)
	default:
		w.changed = true // the watches tell of it
		w.checkSecret(verb, o)
	}
}

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// maxPasses is far more than any step takes.
const maxPasses = 200

// settle makes passes, and has the cluster act, until nothing is due within half
// a minute.
func (w *world) settle() {
	w.t.Helper()
	w.wakeAll()
	for range maxPasses {
		key, ok := w.next()
		if !ok {
			moved, err := w.cluster.tick(w.t.Context())
			if err != nil {
				w.t.Fatal(err)
			}
			if moved {
				w.wakeAll()
			} else if !w.wait() {
				w.checkSettled()
				return
			}
			continue
		}
		w.pass(key)
	}
	w.t.Fatalf("after %d passes it is still at work, the last failed with: %v; the last calls were %v", maxPasses, w.failure, w.wire.last(60))
}

// next is the pass to make now: the server's first.
func (w *world) next() (string, bool) {
	first := ""
	for key := range w.due {
		if first == "" || key < first {
			first = key
		}
	}
	delete(w.due, first)
	return first, first != ""
}

// wait lets the time pass until a pass is due by it, if it is soon.
func (w *world) wait() bool {
	var first string
	for key, at := range w.timers {
		if first == "" || at.Before(w.timers[first]) {
			first = key
		}
	}
	if first == "" {
		return false
	}
	left := w.timers[first].Sub(w.clock.Now())
	if left > 20*time.Second {
		return false
	}
	w.clock.Advance(max(left, 0))
	delete(w.timers, first)
	w.due[first] = true
	return true
}

// elapse lets so much time pass, and makes due what is due by then.
func (w *world) elapse(d time.Duration) {
	w.clock.Advance(d)
	for key, at := range w.timers {
		if !at.After(w.clock.Now()) {
			delete(w.timers, key)
			w.due[key] = true
		}
	}
}

// pass makes one pass. Where the process ended in it a new one begins.
func (w *world) pass(key string) {
	var r reconcile.Reconciler = w.server
	kind, name := key[:4], key[len("server/"):]
	if kind == "user" {
		r, name = w.user, key[len("user/"):]
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	stopped := false
	w.wire.mu.Lock()
	w.wire.stop = func() { stopped = true; cancel() }
	w.wire.mu.Unlock()
	w.changed = false
	delete(w.timers, key)
	var result ctrl.Result
	result, w.failure = r.Reconcile(ctx, request(w.namespace, name))
	switch {
	case w.wire.revive() || stopped:
		w.boot()
		return
	case w.failure != nil:
		w.due[key] = true
	case result.RequeueAfter > 0:
		w.timers[key] = w.clock.Now().Add(result.RequeueAfter)
	}
	if w.changed {
		w.wakeAll()
	}
	w.readBoard()
}

// readBoard wakes the users that the board tells of.
func (w *world) readBoard() {
	for {
		select {
		case e := <-w.server.Board.Changed:
			w.due["user/"+e.Object.GetName()] = true
		default:
			return
		}
	}
}

// revive tells whether the process had ended, and lets calls through again.
func (w *wire) revive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	dead := w.dead
	w.dead = false
	return dead
}

func (w *wire) last(n int) []apiCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[max(0, len(w.calls)-n):]
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls)
}

package accept

import (
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// after lets time of the bubble go by.
func after(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.After(d)
	synctest.Wait()
}

// queue is a listener that hands out what it is given.
type queue struct {
	net.Listener
	conns chan net.Conn
}

func (q queue) Accept() (net.Conn, error) {
	c, ok := <-q.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// TestWatch: a loop that does not come back is named once it is away for too long,
// and no other; it is not any more when it has come back.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch()
		stuck, idle, blocked := queue{conns: make(chan net.Conn)}, queue{conns: make(chan net.Conn)}, make(chan struct{})
		log := slog.New(slog.DiscardHandler)
		go w.All(stuck, "control", log, func(net.Conn) { <-blocked })
		go w.All(idle, "passive 30000", log, func(net.Conn) {})
		for range 10 * StuckAfter {
			w.Beat() // nobody connects: nothing is wrong
		}
		idle.conns <- nil
		stuck.conns <- nil
		synctest.Wait()
		for range StuckAfter {
			w.Beat()
		}
		if got := w.Stuck(); got != nil {
			t.Errorf("stuck at the bound: %q", got)
		}
		w.Beat()
		if got := w.Stuck(); !slices.Equal(got, []string{"control"}) {
			t.Errorf("stuck: %q", got)
		}
		close(blocked)
		synctest.Wait()
		if got := w.Stuck(); got != nil {
			t.Errorf("stuck, though it has come back: %q", got)
		}
		close(stuck.conns)
		close(idle.conns)
		synctest.Wait()
		if n := len(w.loops); n > 0 {
			t.Errorf("%d loops are watched that have ended", n)
		}
	})
}

// TestWatchBeats: once a second of its own; of seconds in which it had no turn,
// one counts.
func TestWatchBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch()
		go w.Run(t.Context())
		after(t, 10*Interval+Interval/2)
		if n := w.beats.Load(); n != 10 {
			t.Errorf("%d beats in 10 seconds", n)
		}
	})
}

// TestOutOfDescriptors: a loop that can't accept is not stuck, and tells how often.
func TestOutOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWatch()
		l := &starved{left: 100}
		go w.All(l, "control", slog.New(slog.DiscardHandler), func(net.Conn) {})
		for range 2 * StuckAfter {
			w.Beat()
			after(t, Pause)
		}
		if got := w.Stuck(); got != nil {
			t.Errorf("stuck: %q", got)
		}
		if n := w.Failures(); n < StuckAfter {
			t.Errorf("%d failures are counted", n)
		}
		after(t, 100*Pause)
	})
}

package accept

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// starved fails as often as it is told to, then accepts one and is closed.
type starved struct {
	net.Listener
	mu     sync.Mutex
	left   int
	tries  int
	served bool
}

func (s *starved) Accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	switch {
	case s.left > 0:
		s.left--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	case s.served:
		return nil, net.ErrClosed
	}
	s.served = true
	return nil, nil
}

// TestAll: between two failures there is a pause; the log has one line of them,
// and one when they are over.
func TestAll(t *testing.T) {
	var log bytes.Buffer
	taken := 0
	l := &starved{left: 5}
	began := time.Now()
	NewWatch().All(l, "control", slog.New(slog.NewTextHandler(&log, nil)), func(net.Conn) { taken++ })
	if took := time.Since(began); took < 5*Pause {
		t.Errorf("5 failures took %s: the loop spins", took)
	}
	if taken != 1 || l.tries != 7 {
		t.Errorf("%d connections taken in %d tries", taken, l.tries)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("the log says %q", log.String())
	}
}

// TestFailuresAreTold once a minute, with how many there were, however often
// they come and go.
func TestFailuresAreTold(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	f := failures{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	for range 2 * 60 * 20 { // two minutes
		f.add(syscall.EMFILE)
		f.over()
		now = now.Add(Pause)
	}
	if n := strings.Count(log.String(), "\n"); n != 4 || !strings.Contains(log.String(), "failures=1200") {
		t.Errorf("the log says %q", log.String())
	}
}

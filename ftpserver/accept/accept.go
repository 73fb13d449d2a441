// Package accept takes the connections of a listener, also while the process is
// out of descriptors: it neither spins nor fills the log then, and goes on when
// there are some again. It knows which of its loops are stuck. It knows nothing of
// who connects, and why.
package accept

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

const (
	// Pause is between two tries while connections can't be accepted. Those who
	// connect meanwhile wait in the kernel.
	Pause = 50 * time.Millisecond
	// tellEvery is how often the log is told so, at most.
	tellEvery = time.Minute
)

// All hands each connection to take, until the listener is closed. What the log
// says of failures has the attributes of log. The loop is known by its name: what
// the listener is for, and where it listens.
func (w *Watch) All(l net.Listener, name string, log *slog.Logger, take func(net.Conn)) {
	at := w.begin(name)
	defer w.end(at)
	failures := failures{log: log, now: time.Now}
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			failures.over()
			at.leave(w.beats.Load())
			take(c)
			at.back()
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors or memory
			w.failed.Add(1)
			failures.add(err)
			<-time.After(Pause)
		}
	}
}

// failures are told of when they begin, once a while as long as they last, and
// when they are over.
type failures struct {
	log   *slog.Logger
	now   func() time.Time
	count int // since it was last told
	began time.Time
	told  time.Time
	// telling: the log has a line of these failures, and is owed one of their end.
	telling bool
}

func (f *failures) add(err error) {
	now := f.now()
	if f.began.IsZero() {
		f.began = now
	}
	f.count++
	if now.Sub(f.told) < tellEvery {
		return
	}
	f.log.Warn("Accepting connections fails", "error", err, "failures", f.count)
	f.count, f.told, f.telling = 0, now, true
}

// over ends a time of failures. What comes and goes is told of no more often than
// what lasts.
func (f *failures) over() {
	if f.telling {
		f.log.Info("Connections are accepted again", "seconds", f.now().Sub(f.began).Seconds())
	}
	f.began, f.telling = time.Time{}, false
}

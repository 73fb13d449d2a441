package ftp

import (
	"sync"
	"time"
)

// clockCheck is the longest wait for an instant before the clock is looked at
// again: it may have been set meanwhile.
const clockCheck = 10 * time.Minute

// expiry calls a function at an instant of the wall clock.
type expiry struct {
	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
}

// set has f called at that instant, at once if it has passed, and what was set
// before not any more. The zero time is never.
func (e *expiry) set(at time.Time, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at.Equal(e.at) {
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.at, e.timer = at, nil
	if !at.IsZero() {
		e.wait(at, f)
	}
}

// wait is called with mu held.
func (e *expiry) wait(at time.Time, f func()) {
	e.timer = time.AfterFunc(min(time.Until(at), clockCheck), func() {
		e.mu.Lock()
		due := e.at.Equal(at) && !time.Now().Before(at)
		if e.at.Equal(at) && !due {
			e.wait(at, f)
		}
		e.mu.Unlock()
		if due {
			f()
		}
	})
}

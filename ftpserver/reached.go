package main

import (
	"sync"
	"time"
)

// nodesFollow is how long nodes may take to lead to the passive ports of a pod that
// has become ready; most take about a second.
const nodesFollow = 3 * time.Second

// reached tells whether nodes lead to the server by now. Whoever asks a pod itself
// knows of it sooner than they do, and sessions that began then could not transfer:
// their data connections would go where the pod before was, and to nobody.
type reached struct {
	mu    sync.Mutex
	since time.Time // zero: not ready
}

// note keeps since when the server has been ready without a break.
func (r *reached) note(ready bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !ready:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = now
	}
}

// by tells whether it has been ready for long enough.
func (r *reached) by(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.since.IsZero() && now.Sub(r.since) >= nodesFollow
}

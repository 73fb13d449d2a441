// Package lograte bounds lines of the log that anybody who connects brings about, so
// that they can't fill it. It writes none of them.
package lograte

import (
	"sync"
	"time"
)

// Every is how often the log is told of one kind of thing, at most.
const Every = time.Minute

// Limit is for things of one kind.
type Limit struct {
	now func() time.Time

	mu    sync.Mutex
	told  time.Time
	count int // since then
}

// New returns a limit by a clock.
func New(now func() time.Time) *Limit { return &Limit{now: now} }

// Add counts one more. Due tells that the log is to be told of all n of them.
func (l *Limit) Add() (n int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	now := l.now()
	if !l.told.IsZero() && now.Sub(l.told) < Every {
		return 0, false
	}
	n, l.count, l.told = l.count, 0, now
	return n, true
}

package main

import (
	"context"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

func TestQuietIsDue(t *testing.T) {
	begun := time.Now()
	at := func(seconds float64, cpu time.Duration, live, garbage uint64) load {
		return load{begun.Add(time.Duration(seconds * float64(time.Second))), cpu, live, garbage}
	}
	const mib = 1 << 20
	for name, c := range map[string]struct {
		loads []load
		want  []bool
	}{
		"what came before is not known": {[]load{at(0, time.Hour, mib, 9*mib)}, []bool{false}},
		"quiet":                         {[]load{at(0, time.Hour, mib, 9*mib), at(2, time.Hour, mib, 9*mib)}, []bool{false, true}},
		"busy, then quiet": {
			[]load{at(0, 0, mib, 9*mib), at(2, 200*time.Millisecond, mib, 9*mib), at(4, 210*time.Millisecond, mib, 9*mib)},
			[]bool{false, false, true},
		},
		"little garbage":                   {[]load{at(0, 0, mib, 0), at(2, 0, mib, 3*mib)}, []bool{false, false}},
		"little beside what is in use":     {[]load{at(0, 0, 900*mib, 0), at(2, 0, 900*mib, 80*mib)}, []bool{false, false}},
		"that, and the same with a little": {[]load{at(0, 0, 700*mib, 0), at(2, 0, 700*mib, 80*mib)}, []bool{false, true}},
	} {
		var q quiet
		for i, l := range c.loads {
			if got := q.due(l); got != c.want[i] {
				t.Errorf("%s: %v at %d, want %v", name, got, i, c.want[i])
			}
		}
	}
}

// TestQuietRests: however much garbage there is, collections take a small share of
// the time.
func TestQuietRests(t *testing.T) {
	for took, rest := range map[time.Duration]time.Duration{
		time.Millisecond: 5 * time.Second, 100 * time.Millisecond: 20 * time.Second,
	} {
		now := time.Now()
		q := quiet{before: load{at: now}}
		q.collected(now, took)
		for after, want := range map[time.Duration]bool{rest - time.Millisecond: false, rest + time.Millisecond: true} {
			if got := q.due(load{at: now.Add(after), garbage: 1 << 30}); got != want {
				t.Errorf("%v after a collection of %v: %v, want %v", after, took, got, want)
			}
		}
	}
}

// TestQuietCollects: a server that has become quiet gives back what it used.
func TestQuietCollects(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing else collects
	for range 64 {
		kept = make([]byte, 1<<20)
	}
	kept = nil
	if before := currentLoad().garbage; before < 32<<20 {
		t.Fatalf("%d bytes of garbage, want 64 MiB", before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { new(quiet).run(ctx) })
	defer running.Wait()
	defer cancel()
	for deadline := time.Now().Add(30 * time.Second); currentLoad().garbage > 8<<20; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of garbage after 30 s of rest", currentLoad().garbage)
		}
	}
}

// kept makes the compiler allocate on the heap.
var kept []byte

package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// quietCheck is how often it is looked whether the server has become quiet.
	quietCheck = 2 * time.Second
	// quietShare of one processor's time is the most that a quiet server takes.
	quietShare = 0.05
	// leastGarbage is what is worth a collection, in bytes, and garbageShare what
	// is, as a share of what is in use.
	leastGarbage = 4 << 20
	garbageShare = 0.1
	// collectEvery is the least time between two collections, and collectShare the
	// most that they take of the time.
	collectEvery = 5 * time.Second
	collectShare = 0.005
)

// load is what a process has done and holds.
type load struct {
	at      time.Time
	cpu     time.Duration // of all processors, since the process began
	live    uint64        // bytes that the last collection has found in use
	garbage uint64        // bytes that another one may give back to the system
}

// quiet has garbage collected when the server has become quiet. The runtime would
// leave it, and what it takes of the system's memory, until as much again has been
// allocated: of thousands of sessions that wait for a command, that is as much as
// they hold themselves.
type quiet struct {
	before  load
	notTill time.Time
}

// due tells whether now is the time.
func (q *quiet) due(now load) bool {
	before := q.before
	q.before = now
	passed := now.at.Sub(before.at)
	switch {
	case before.at.IsZero(), now.at.Before(q.notTill):
		return false
	case now.garbage < leastGarbage, float64(now.garbage) < garbageShare*float64(now.live):
		return false
	}
	return float64(now.cpu-before.cpu) < quietShare*float64(passed)
}

// collected notes how long a collection took.
func (q *quiet) collected(now time.Time, took time.Duration) {
	q.notTill = now.Add(max(collectEvery, time.Duration(float64(took)/collectShare)))
}

// run looks from time to time until ctx ends.
func (q *quiet) run(ctx context.Context) {
	ticks := time.NewTicker(quietCheck)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if !q.due(currentLoad()) {
			continue
		}
		begun := time.Now()
		debug.FreeOSMemory()
		now := currentLoad()
		q.before = now // the collection is no load of the server's
		q.collected(now.at, now.at.Sub(begun))
	}
}

func currentLoad() load {
	l := load{at: time.Now()}
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		l.cpu = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	l.live = samples[0].Value.Uint64()
	l.garbage = samples[1].Value.Uint64() + samples[2].Value.Uint64() - min(l.live, samples[1].Value.Uint64())
	return l
}

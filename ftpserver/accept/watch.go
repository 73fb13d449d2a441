package accept

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Interval is how often a Watch that runs beats.
	Interval = time.Second
	// StuckAfter is how many beats a loop may be away from Accept. What it does
	// there takes microseconds.
	StuckAfter = 30
)

// Watch tells a loop that is stuck from one that is busy: from one that does not come
// back to Accept, as it waits for something that will not happen. Connections would be
// taken by the kernel, and never be answered.
//
// It counts its own turns, and not the time: where the process has no processor for
// long, for being held to a share of one, crowded, or stopped, neither the loops nor
// the Watch get on. A loop that cannot accept, for want of descriptors, is not
// stuck: a restart would cut transfers, and change nothing.
type Watch struct {
	beats  atomic.Int64
	failed atomic.Uint64

	mu    sync.Mutex
	loops map[*loop]struct{}
}

// loop is one that takes connections.
type loop struct {
	name string
	// left is the beat at which it went away from Accept, plus one; 0: it is there.
	left atomic.Int64
}

// NewWatch returns a Watch that has yet to Run.
func NewWatch() *Watch { return &Watch{loops: map[*loop]struct{}{}} }

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	ticks := time.NewTicker(Interval) // which drops those that nobody had the time to take
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			w.Beat()
		}
	}
}

// Beat counts one turn.
func (w *Watch) Beat() { w.beats.Add(1) }

// Stuck names the loops that are stuck, in order.
func (w *Watch) Stuck() []string {
	now := w.beats.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for l := range w.loops {
		if left := l.left.Load(); left > 0 && now-(left-1) > StuckAfter {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names
}

// Failures is how many tries to accept a connection have failed.
func (w *Watch) Failures() uint64 { return w.failed.Load() }

func (w *Watch) begin(name string) *loop {
	l := &loop{name: name}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loops[l] = struct{}{}
	return l
}

func (w *Watch) end(l *loop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.loops, l)
}

func (l *loop) leave(beat int64) { l.left.Store(beat + 1) }
func (l *loop) back()            { l.left.Store(0) }

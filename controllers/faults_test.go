package controllers

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fault is one call of a flow, and how it goes wrong.
type fault struct {
	at   int
	what string
	kind faultKind
}

// TestFaults walks each flow once without a fault, and then with each way in
// which each of its calls can go wrong. It comes to the same end; nothing is
// there twice; what is made once is not made again; and no status that was
// written on the way said what was not so.
func TestFaults(t *testing.T) {
	for _, f := range flows {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			plain, want := f.plain(t)
			faults := sampled(plain)
			t.Logf("%d calls, %d of them writes; %d faults", len(plain), writes(plain), len(faults))
			for _, wrong := range faults {
				t.Run(fmt.Sprintf("%d %s %s", wrong.at, wrong.what, wrong.kind), func(t *testing.T) {
					t.Parallel()
					if _, got := f.walk(t, &wrong); got != want {
						t.Errorf("it came to another end (-without the fault, +with it):\n%s", cmp.Diff(want, got))
					}
				})
			}
		})
	}
}

// plainly are the walks without a fault, by the flow's name: made once.
var plainly sync.Map

type plainWalk struct {
	calls []apiCall
	end   string
}

// plain walks a flow without a fault, where that was not done before.
func (f flow) plain(t *testing.T) ([]apiCall, string) {
	t.Helper()
	if known, ok := plainly.Load(f.name); ok {
		p := known.(plainWalk)
		return p.calls, p.end
	}
	calls, end := f.walk(t, nil)
	plainly.Store(f.name, plainWalk{calls, end})
	return calls, end
}

// walk walks a flow, and returns the calls that could have gone wrong and what
// there is in the end.
func (f flow) walk(t *testing.T, wrong *fault) ([]apiCall, string) {
	t.Helper()
	w := newWorld(t)
	f.prepare(w)
	from := w.wire.count()
	if wrong != nil {
		w.wire.arm(from+wrong.at, wrong.kind)
	}
	f.run(w)
	f.check(w)
	for _, p := range w.problems {
		t.Error(p)
	}
	if wrong != nil && !w.wire.fired {
		t.Error("the call was not made: the flow takes another way each time")
	}
	return w.wire.calls[from:], w.snapshot()
}

func (w *wire) arm(at int, kind faultKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.kind = at, kind
}

func writes(calls []apiCall) int {
	n := 0
	for _, c := range calls {
		if c.write {
			n++
		}
	}
	return n
}

// How many faults of writes and how many of reads the gate tries of each flow.
// With FTP_TEST_FULL=1 all are tried.
const gateWrites, gateReads = 2, 1

func sampled(calls []apiCall) []fault {
	if os.Getenv("FTP_TEST_FULL") == "1" {
		return all(calls)
	}
	var reads, writes []fault
	for i, c := range calls {
		kinds := faultsOf(c)
		if c.write { // each kind in turn
			writes = append(writes, fault{i, c.what, kinds[len(writes)%len(kinds)]})
		} else {
			reads = append(reads, fault{i, c.what, kinds[0]})
		}
	}
	if len(writes) == 1 { // of the shortest flow, every fault of its only write
		return append(at(calls, writes[0].at), spread(reads, gateReads)...)
	}
	return append(spread(writes, gateWrites), spread(reads, gateReads)...)
}

func all(calls []apiCall) []fault {
	var out []fault
	for i := range calls {
		out = append(out, at(calls, i)...)
	}
	return out
}

// at are the faults of one call.
func at(calls []apiCall, i int) []fault {
	var out []fault
	for _, kind := range faultsOf(calls[i]) {
		out = append(out, fault{i, calls[i].what, kind})
	}
	return out
}

// spread are n of a list, at even distances, and always the same.
func spread(all []fault, n int) []fault {
	if len(all) <= n {
		return all
	}
	out := make([]fault, 0, n)
	for i := range n {
		out = append(out, all[(2*i+1)*len(all)/(2*n)])
	}
	return out
}

package clients

import (
	"os"
	"testing"
	"time"
)

// longSoak is from when on memory tells of growth: a run is then long beside the 75 s
// for which the server remembers the ports that a late connection may come to.
const longSoak = 4 * time.Minute

// least is how often a run is at rest, however slow the machine.
func (s *soak) least() int {
	if s.long {
		return 12
	}
	return 3
}

// How much may come in the last third of a long run.
const (
	soakThreads  = 8
	soakHeap     = 1 << 20
	soakResident = 24 << 20
	// soakRemembered is for each of the last 10,000 sessions, of which it is known
	// for 10 minutes whose TLS sessions they were.
	soakRemembered = 256
)

const residentMemory = "bytes of resident memory"

// judgeGrowth compares, of a long run, the least in the last third with the
// least in the third before: what comes and goes does not count, what stays does.
// After a short run, memory has a coarse bound.
func judgeGrowth(t *testing.T, points []soakPoint, long bool) {
	t.Helper()
	for _, p := range points {
		t.Log(p)
	}
	n := len(points)
	first, last := points[0], points[n-1]
	if !long {
		if most := first.heap + soakFirst + soakEach*last.sessions; last.heap > most {
			t.Errorf("the heap holds %d KiB after %d sessions, want at most %d KiB", last.heap>>10, last.sessions, most>>10)
		}
		return
	}
	for _, what := range []struct {
		name string
		of   func(soakPoint) int64
		most int64
	}{
		{"threads", func(p soakPoint) int64 { return int64(p.threads) }, soakThreads},
		{residentMemory, func(p soakPoint) int64 { return p.rss }, soakResident},
	} {
		middle, end := lowest(points[n/3:2*n/3], what.of), lowest(points[2*n/3:], what.of)
		if what.name == residentMemory && os.Getenv("RACE") == "1" {
			continue // the race detector gives back none of its own
		}
		if end > middle+what.most {
			t.Errorf("growth: %d %s in the last third, %d in the third before", end, what.name, middle)
		}
	}
}

// judgeHeap compares, of a long run, what the heap holds at its end with what it held
// a third before, when nothing of ports was remembered either time.
func judgeHeap(t *testing.T, forgotten []soakPoint) {
	t.Helper()
	for i, p := range forgotten {
		t.Logf("nothing of ports remembered: %s", p)
		if i == 0 || i < len(forgotten)-1 {
			continue
		}
		was := forgotten[i-1]
		if most := was.heap + soakRemembered*(min(p.sessions, 10_000)-min(was.sessions, 10_000)) + soakHeap; p.heap > most {
			t.Errorf("growth: the heap holds %d KiB at the end, want at most %d KiB", p.heap>>10, most>>10)
		}
	}
}

// What a short run may leave: so much at first, and for each session.
const (
	soakFirst = 4 << 20
	soakEach  = 4 << 10
)

func lowest(points []soakPoint, of func(soakPoint) int64) int64 {
	n := of(points[0])
	for _, p := range points[1:] {
		n = min(n, of(p))
	}
	return n
}

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
)

// fate is what became of a try that did not go well.
type fate string

const (
	// turnedAway: the server said 421 while nothing was in progress.
	turnedAway fate = "421"
	// busy: no passive port was free (425 to PASV or EPSV).
	busy fate = "425"
	// unreached: there was no connection, or it was lost while nothing was in
	// progress.
	unreached fate = "lost"
	// cut: a transfer was in progress, from the reply to PASV or EPSV on.
	cut fate = "cut"
)

// incident is a try of a client that did not go well.
type incident struct {
	who          string
	fate         fate
	began, ended time.Time
	slot         int // of the transfer that was cut
	why          string
}

func (i incident) String() string {
	return fmt.Sprintf("%s from %s to %s, slot %d: %s: %s", i.who, clock(i.began), clock(i.ended), i.slot, i.fate, i.why)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// deed is something that is done to the server while clients work. A kill may
// cut what its slot has in progress at that moment; nothing else may cut.
type deed struct {
	name         string
	began, ended time.Time
	killed       int // the slot; -1: none
}

// crowd is a number of clients at work on one server, and the account of it.
type crowd struct {
	ctx    context.Context // the test's: when it has ended, clients give up
	server *v1alpha1.FTPServer
	slots  map[int]int // of the passive ports
	stop   chan struct{}
	wg     sync.WaitGroup

	mu        sync.Mutex
	deeds     []deed
	incidents []incident
	counts    map[string]int64
	sums      map[string]string // of each acknowledged file, by its path on the volume
	broken    []error           // clients that gave up
}

func newCrowd(t *testing.T, s *v1alpha1.FTPServer) *crowd {
	t.Helper()
	return &crowd{ctx: t.Context(), server: s, slots: portSlots(t, s), stop: make(chan struct{}), counts: map[string]int64{}, sums: map[string]string{}}
}

// join has a client work until the crowd is told to stop.
func (c *crowd) join(who string, work func() error) {
	c.wg.Go(func() {
		if err := work(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.broken = append(c.broken, fmt.Errorf("%s: %w", who, err))
		}
	})
}

// stopped tells whether the clients are to come to an end.
func (c *crowd) stopped() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// rest lets a while pass, less when the crowd is told to stop.
func (c *crowd) rest(d time.Duration) {
	select {
	case <-c.stop:
	case <-c.ctx.Done():
	case <-time.After(d):
	}
}

// retry waits a while before a try is repeated, however soon the crowd is to
// stop. It fails where what was tried has failed for too long.
func (c *crowd) retry(since time.Time, failed error, pause time.Duration) error {
	select {
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-time.After(pause):
	}
	if time.Since(since) > longest {
		return fmt.Errorf("after %s still: %w", longest, failed)
	}
	return nil
}

// finish lets the clients finish what they are at, and waits for them.
func (c *crowd) finish(t *testing.T, limit time.Duration) {
	t.Helper()
	close(c.stop)
	done := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s after they were told to stop, clients are still at work", limit)
	}
}

func (c *crowd) count(what string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n != 0 {
		c.counts[what] += n
	}
}

// acknowledged takes note of a file that is there now, whatever comes.
func (c *crowd) acknowledged(path, sum string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sums[path] = sum
	c.counts["uploads"]++
	c.counts["bytes"] += size
}

// sumOf is that of a file that was acknowledged.
func (c *crowd) sumOf(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sums[path]
}

func (c *crowd) happened(i incident) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.incidents = append(c.incidents, i)
	c.counts[string(i.fate)]++
}

// slotOf is the slot that a passive port leads to; -1: none.
func (c *crowd) slotOf(port int) int {
	if slot, ok := c.slots[port]; ok {
		return slot
	}
	return -1
}

// does carries out something while the clients work, and takes note of when.
func (c *crowd) does(t *testing.T, name string, killed int, do func()) {
	t.Helper()
	d := deed{name: name, killed: killed, began: time.Now()}
	// Noted before it is over: what it cuts is judged by its beginning.
	c.mu.Lock()
	c.deeds = append(c.deeds, d)
	at := len(c.deeds) - 1
	c.mu.Unlock()
	do()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deeds[at].ended = time.Now()
	t.Logf("%s: %s", name, figures.Rounded(c.deeds[at].ended.Sub(d.began)))
}

// excuse is the kill that an incident comes from; "": none.
func excuse(i incident, deeds []deed) string {
	for _, d := range deeds {
		// The signal goes out some time between the two.
		if d.killed >= 0 && d.killed == i.slot && !i.began.After(d.ended) && !i.ended.Before(d.began) {
			return d.name
		}
	}
	return ""
}

// under tells what was being done at the time of an incident.
func under(i incident, deeds []deed) string {
	var names []string
	for _, d := range deeds {
		if !i.began.After(d.ended) && !i.ended.Before(d.began) {
			names = append(names, d.name)
		}
	}
	return strings.Join(names, ", ")
}

// judge fails where a transfer was cut by anything but a kill, and where a
// client gave up.
func (c *crowd) judge(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	excused := map[string]int{}
	for _, i := range c.incidents {
		if i.fate != cut {
			continue
		}
		if by := excuse(i, c.deeds); by != "" {
			excused[by]++
		} else {
			t.Errorf("A transfer was cut, during %q: %v", under(i, c.deeds), i)
		}
	}
	for _, err := range c.broken {
		t.Errorf("A client gave up: %v", err)
	}
	figures.Record(t, fmt.Sprintf("%d files acknowledged. %s. Cut by a kill: %v", len(c.sums), tally(c.counts), excused))
	for _, i := range c.incidents {
		if i.fate == unreached {
			t.Logf("during %q: %v", under(i, c.deeds), i)
		}
	}
}

func tally(counts map[string]int64) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(out, ", ")
}

// everythingIsThere holds the volume against what was acknowledged.
func (c *crowd) everythingIsThere(t *testing.T) {
	t.Helper()
	found := onVolume(t, c.server)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sums) == 0 {
		t.Error("Nothing was acknowledged at all")
	}
	for path, want := range c.sums {
		switch got, there := found[path]; {
		case !there:
			t.Errorf("%s was acknowledged and is not there", path)
		case got != want:
			t.Errorf("%s has another content than the one that was acknowledged", path)
		}
	}
	for path := range found {
		if _, known := c.sums[path]; !known {
			t.Errorf("%s is there, and nobody was told so", path)
		}
	}
}

// TestCutIsTold: a cut transfer is excused by a kill of its own slot at that time,
// and by nothing else.
func TestCutIsTold(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	deeds := []deed{
		{name: "roll", killed: -1, began: at(10), ended: at(20)},
		{name: "kill", killed: 2, began: at(30), ended: at(31)},
	}
	for _, c := range []struct {
		began, ended, slot int
		want               string
	}{
		{29, 31, 2, "kill"}, {29, 31, 1, ""}, {29, 31, -1, ""}, {12, 15, 2, ""}, {12, 29, 2, ""}, {32, 35, 2, ""},
	} {
		if got := excuse(incident{fate: cut, began: at(c.began), ended: at(c.ended), slot: c.slot}, deeds); got != c.want {
			t.Errorf("%+v is excused by %q, want %q", c, got, c.want)
		}
	}
}

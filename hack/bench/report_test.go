package main

import (
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/hack/bench/cell"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
)

// samples by round; a value of 0 is a round that failed.
func samples(values ...float64) []cell.Sample {
	var out []cell.Sample
	for _, v := range values {
		out = append(out, cell.Sample{Value: v, CPU: v / 10})
	}
	return out
}

func comparisonOf(values map[string][]cell.Sample) (*comparison, row) {
	c := &comparison{values: map[key][]cell.Sample{}}
	for server, s := range values {
		c.values[key{"r", server}] = s
	}
	return c, row{Name: "r"}
}

// TestRatiosAreOfOneRound: a peer that was fast while ours did not run says
// nothing about ours.
func TestRatiosAreOfOneRound(t *testing.T) {
	c, r := comparisonOf(map[string][]cell.Sample{
		servers.Ours: samples(100, 0, 300, 50),
		"vsftpd":     samples(50, 1000, 150, 25),
		"proftpd":    samples(10, 10, 10, 10),
	})
	v := c.judge(r, atLeast(2, best))
	if v.Against != "vsftpd" || v.Median != 2 || v.Low != 2 || v.High != 2 || !v.Reached {
		t.Errorf("verdict %+v", v)
	}
	if v := c.judge(r, atLeast(2.1, best)); v.Reached {
		t.Errorf("verdict %+v", v)
	}
}

func TestGoals(t *testing.T) {
	c, r := comparisonOf(map[string][]cell.Sample{
		servers.Ours:   samples(8, 10, 12),
		"pure-ftpd":    samples(10, 10, 10),
		"ftpserverlib": samples(5, 5, 5),
		servers.Limit:  samples(100, 100, 100),
	})
	for _, g := range []struct {
		goal    goal
		against string
		reached bool
	}{
		{atLeast(1.2, best), "pure-ftpd", true}, // by the interval's upper end
		{atLeast(1.3, best), "pure-ftpd", false},
		{atLeast(2.4, bestGo), "ftpserverlib", true},
		{atMost(0.8, "pure-ftpd"), "pure-ftpd", true},
		{atMost(0.7, "pure-ftpd"), "pure-ftpd", false},
		{goal{Against: best, CPU: true, AtMost: true, Target: 1.1}, "pure-ftpd", true},
		{atMost(9, ""), "", true},
		{atMost(7, ""), "", false},
	} {
		v := c.judge(r, g.goal)
		if v.Undecided || v.Against != g.against || v.Reached != g.reached {
			t.Errorf("%s: %+v", g.goal, v)
		}
	}
	if v := c.judge(r, atLeast(1, "vsftpd")); !v.Undecided {
		t.Errorf("against a server without figures: %+v", v)
	}
	// Where small is good, the best peer has the smallest value.
	r.Low = true
	if v := c.judge(r, atMost(2, best)); v.Against != "ftpserverlib" {
		t.Errorf("the best is %s", v.Against)
	}
}

// TestEveryRowIsGiven: each row's scenario is one that somebody takes part in,
// and names are unique.
func TestEveryRowIsGiven(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.Name] {
			t.Errorf("two rows %s", r.Name)
		}
		seen[r.Name] = true
		if !cell.Known(r.Scenario) {
			t.Errorf("%s: no scenario %s", r.Name, r.Scenario)
		}
	}
	for _, r := range rows {
		for _, g := range r.Goals {
			if other, ok := strings.CutPrefix(g.Against, "row:"); ok && !seen[other] {
				t.Errorf("%s: no row %s", r.Name, other)
			}
		}
	}
}

// TestKeep: what is measured now replaces what was before, and the rest stays.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	run := func(rows string, keep bool, values map[string][]cell.Sample) *comparison {
		c := newComparison(options{dir: dir, rows: rows, keep: keep, rounds: 2}, nil)
		if keep {
			if err := c.takeEarlier(); err != nil {
				t.Fatal(err)
			}
		}
		for row, s := range values {
			c.values[key{row, servers.Ours}] = s
		}
		if err := c.report(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	run("", false, map[string][]cell.Sample{"retr-plain-1": samples(1, 2), "logins-plain": samples(3, 4)})
	c := run("logins-plain", true, map[string][]cell.Sample{"logins-plain": samples(5, 6)})
	for row, want := range map[string]float64{"retr-plain-1": 1, "logins-plain": 5} {
		if got := c.of(row, servers.Ours, false); len(got) != 2 || got[0] != want {
			t.Errorf("%s: %v, want first %v", row, got, want)
		}
	}
	if got := c.roundsMeasured(); got != "2 rounds" {
		t.Errorf("told as %s", got)
	}
	c.values[key{"retr-plain-8", servers.Ours}] = samples(1)
	if got := c.roundsMeasured(); got != "1 to 2 rounds" {
		t.Errorf("told as %s", got)
	}
	other := newComparison(options{dir: dir, quick: true}, nil)
	if err := other.takeEarlier(); err == nil {
		t.Error("results of other sizes were taken over")
	}
}

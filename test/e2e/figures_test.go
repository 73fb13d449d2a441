package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// figures are durations by what they belong to, in the order in which each kind
// came first.
type figures struct {
	kinds []string
	all   map[string][]time.Duration
}

func (f *figures) add(kind string, d time.Duration) {
	if f.all == nil {
		f.all = map[string][]time.Duration{}
	}
	if _, known := f.all[kind]; !known {
		f.kinds = append(f.kinds, kind)
	}
	f.all[kind] = append(f.all[kind], d)
}

// log prints one table: how many, and how long.
func (f *figures) log(t *testing.T, title string) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "n\tp50\tp95\tmax\t  of\t")
	for _, kind := range f.kinds {
		d := slices.Clone(f.all[kind])
		slices.Sort(d)
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t  %s\t\n", len(d), rounded(quantile(d, 50)), rounded(quantile(d, 95)), rounded(d[len(d)-1]), kind)
	}
	_ = w.Flush()
	t.Logf("%s\n%s", title, text.String())
}

// quantile is the smallest value that so many percent do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

package e2e

import (
	"errors"
	"fmt"
	"os"
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
	record(t, title+"\n"+text.String())
}

// record logs what was measured, and adds it to the file FTP_FIGURES.
func record(t *testing.T, text string) {
	t.Helper()
	t.Log(text)
	name := os.Getenv("FTP_FIGURES")
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = fmt.Fprintf(file, "%s: %s\n", t.Name(), text)
	must(t, errors.Join(err, file.Close()))
}

// quantile is the smallest value that so many percent do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

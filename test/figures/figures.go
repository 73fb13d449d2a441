// Package figures keeps what tests measure. It is printed with the test, and at
// the end of a gate with all others: nothing fails by it.
package figures

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

// Record logs what was measured, and adds it to the file that the environment's
// FTP_FIGURES names.
func Record(t testing.TB, text string) {
	t.Helper()
	t.Log(text)
	name := os.Getenv("FTP_FIGURES")
	if name == "" {
		return
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s: %s\n", t.Name(), text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Durations are durations by what they belong to, in the order in which each
// kind came first. The zero value is ready to use.
type Durations struct {
	kinds []string
	all   map[string][]time.Duration
}

// Add takes note of one.
func (d *Durations) Add(kind string, took time.Duration) {
	if d.all == nil {
		d.all = map[string][]time.Duration{}
	}
	if _, known := d.all[kind]; !known {
		d.kinds = append(d.kinds, kind)
	}
	d.all[kind] = append(d.all[kind], took)
}

// Record records one table: how many, and how long.
func (d *Durations) Record(t testing.TB, title string) {
	t.Helper()
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "n\tp50\tp95\tmax\t  of\t")
	for _, kind := range d.kinds {
		all := slices.Clone(d.all[kind])
		slices.Sort(all)
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t  %s\t\n", len(all), Rounded(quantile(all, 50)), Rounded(quantile(all, 95)), Rounded(all[len(all)-1]), kind)
	}
	_ = w.Flush()
	Record(t, title+"\n"+text.String())
}

// quantile is the smallest value that so many percent do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// Rounded is as much of a duration as anyone reads: milliseconds.
func Rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

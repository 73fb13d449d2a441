package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/hack/bench/cell"
	"github.com/ftp-operator/ftp-operator/hack/bench/servers"
	"github.com/ftp-operator/ftp-operator/hack/bench/stats"
)

// verdict is what came of one goal.
type verdict struct {
	Goal      string  `json:"goal"`
	Against   string  `json:"against,omitempty"` // the server or row that it was compared with
	Median    float64 `json:"median"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Reached   bool    `json:"reached"`
	Undecided bool    `json:"-"` // nothing to compare with
}

func (g goal) String() string {
	op, what := "≥", ""
	if g.AtMost {
		op = "≤"
	}
	switch against, isRow := strings.CutPrefix(g.Against, "row:"); {
	case isRow:
		what = " × " + against
	case g.Against == best && g.CPU:
		what = " × its CPU"
	case g.Against == best:
		what = " × best"
	case g.Against == bestGo:
		what = " × best Go peer"
	case g.Against != "":
		what = " × " + g.Against
	}
	return op + " " + number(g.Target) + what
}

// values of a row and server by round; rounds that failed have 0.
func (c *comparison) of(row, server string, cpu bool) []float64 {
	var out []float64
	for _, s := range c.values[key{row, server}] {
		if cpu {
			out = append(out, s.CPU)
		} else {
			out = append(out, s.Value)
		}
	}
	return out
}

func without0(values []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v == 0 })
}

// bestPeer has the best median of a row.
func (c *comparison) bestPeer(r row, goOnly bool) string {
	name, value := "", 0.0
	for _, s := range servers.All {
		if s.Name == servers.Ours || s.Limit || goOnly && !s.Go {
			continue
		}
		m := stats.Median(without0(c.of(r.Name, s.Name, false)))
		if m > 0 && (name == "" || (m > value) != r.Low) {
			name, value = s.Name, m
		}
	}
	return name
}

func (c *comparison) judge(r row, g goal) verdict {
	v := verdict{Goal: g.String()}
	ours := c.of(r.Name, servers.Ours, g.CPU)
	var theirs []float64
	switch against, isRow := strings.CutPrefix(g.Against, "row:"); {
	case g.Against == "":
	case isRow:
		v.Against = against
		theirs = c.of(against, servers.Ours, g.CPU)
	default:
		v.Against = g.Against
		if g.Against == best || g.Against == bestGo {
			v.Against = c.bestPeer(r, g.Against == bestGo)
		}
		theirs = c.of(r.Name, v.Against, g.CPU)
	}
	var compared []float64
	for i, o := range ours {
		switch {
		case g.Against == "" && (o != 0 || r.Low):
			compared = append(compared, o)
		case i < len(theirs) && theirs[i] > 0 && o > 0:
			compared = append(compared, o/theirs[i])
		}
	}
	if len(compared) == 0 {
		v.Undecided = true
		return v
	}
	v.Median = stats.Median(compared)
	v.Low, v.High = stats.Interval(compared)
	if g.AtMost {
		v.Reached = v.Low <= g.Target
	} else {
		v.Reached = v.High >= g.Target
	}
	return v
}

// number with three significant digits, without an exponent.
func number(v float64) string {
	switch abs := max(v, -v); {
	case abs >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case abs == float64(int(abs)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// figure is a server's median of a row, with its processor time in brackets.
func (c *comparison) figure(r row, server string) string {
	values := c.values[key{r.Name, server}]
	if len(values) == 0 {
		return "–"
	}
	text := number(stats.Median(c.of(r.Name, server, false)))
	if r.Per == "GiB" {
		text += fmt.Sprintf(" (%.2f)", stats.Median(without0(c.of(r.Name, server, true))))
	} else if r.Per != "" {
		text += fmt.Sprintf(" (%.0f)", 1e6*stats.Median(without0(c.of(r.Name, server, true))))
	}
	var busy []float64
	for _, v := range values {
		busy = append(busy, v.ClientBusy)
	}
	if stats.Median(busy) > 0.95 && r.Per == "GiB" {
		text += " ¹"
	}
	if note := values[len(values)-1].Note; strings.HasPrefix(note, "resumed") {
		text += " ²"
	} else if n := values[len(values)-1].More["sessions"]; n > 0 && int(n) < c.size.Idle {
		text += fmt.Sprintf(" (%d sessions)", int(n))
	}
	return text
}

// roundsMeasured tells how many rounds the rows have, which differs where those of
// an earlier run are kept.
func (c *comparison) roundsMeasured() string {
	var all []int
	for _, samples := range c.values {
		all = append(all, len(samples))
	}
	if len(all) == 0 {
		return "no rounds"
	}
	least, most := slices.Min(all), slices.Max(all)
	if least == most {
		return fmt.Sprintf("%d rounds", most)
	}
	return fmt.Sprintf("%d to %d rounds", least, most)
}

func (c *comparison) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on %s; server on processors %s, client on %s; %s", c.begun.Format(time.RFC3339), machine(),
		c.serverCPUs.String(), c.clientCPUs.String(), c.roundsMeasured())
	if c.quick {
		b.WriteString(", quick")
	}
	if c.note != "" {
		b.WriteString("; " + c.note)
	}
	b.WriteString(".\n\n| | unit (CPU) |")
	for _, s := range servers.All {
		fmt.Fprintf(&b, " %s |", s.Name)
	}
	b.WriteString(" goal: median ratio or value [90 % interval] |\n|---|---|" + strings.Repeat("---|", len(servers.All)+1) + "\n")
	for _, r := range rows {
		if len(c.values[key{r.Name, servers.Ours}]) > 0 {
			b.WriteString(c.line(r))
		}
	}
	b.WriteString("\n¹ The client's processors were busy: the server may be faster. ² Not all data connections resumed.\n")
	for _, f := range c.failed {
		fmt.Fprintf(&b, "\nFailed: %s\n", f)
	}
	return b.String()
}

func (c *comparison) line(r row) string {
	var b strings.Builder
	unit := r.Unit
	switch r.Per {
	case "":
	case "GiB":
		unit += " (s per GiB)"
	default:
		unit += " (µs per " + r.Per + ")"
	}
	fmt.Fprintf(&b, "| %s | %s |", r.Title, unit)
	for _, s := range servers.All {
		fmt.Fprintf(&b, " %s |", c.figure(r, s.Name))
	}
	var goals []string
	for _, g := range r.Goals {
		v := c.judge(r, g)
		if v.Undecided {
			continue
		}
		mark := "**missed**"
		if v.Reached {
			mark = "reached"
		}
		against := ""
		if g.Against == best || g.Against == bestGo {
			against = " (" + v.Against + ")"
		}
		goals = append(goals, fmt.Sprintf("%s%s: %s [%s–%s] %s", v.Goal, against, number(v.Median), number(v.Low), number(v.High), mark))
	}
	fmt.Fprintf(&b, " %s |\n", strings.Join(goals, "; "))
	return b.String()
}

// results is what a comparison leaves behind for programs.
type results struct {
	Time       time.Time         `json:"time"`
	Machine    string            `json:"machine"`
	ServerCPUs []int             `json:"serverCPUs"`
	ClientCPUs []int             `json:"clientCPUs"`
	Rounds     int               `json:"rounds"`
	Size       cell.Size         `json:"size"`
	Note       string            `json:"note,omitempty"`
	Versions   map[string]string `json:"versions"`
	Results    []result          `json:"results"`
	Failed     []string          `json:"failed,omitempty"`
}

type result struct {
	Row      string                   `json:"row"`
	Title    string                   `json:"title"`
	Unit     string                   `json:"unit"`
	Servers  map[string][]cell.Sample `json:"servers"` // by round
	Verdicts []verdict                `json:"goals,omitempty"`
}

func (c *comparison) resultsFile() string { return filepath.Join(c.dir, "results.json") }

// report writes what has been measured as Markdown and as JSON.
func (c *comparison) report() error {
	file := results{
		Time: c.begun, Machine: machine(), ServerCPUs: c.serverCPUs, ClientCPUs: c.clientCPUs,
		Rounds: c.rounds, Size: c.size, Note: c.note, Versions: map[string]string{}, Failed: c.failed,
	}
	for _, s := range servers.All {
		if !s.Limit {
			file.Versions[s.Name] = s.Version
		}
	}
	for _, r := range rows {
		if one := c.result(r); len(one.Servers) > 0 {
			file.Results = append(file.Results, one)
		}
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(c.resultsFile(), append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(c.dir, "results.md"), []byte(c.markdown()), 0o644),
	)
}

func (c *comparison) result(r row) result {
	one := result{Row: r.Name, Title: r.Title, Unit: r.Unit, Servers: map[string][]cell.Sample{}}
	for _, s := range servers.All {
		if samples := c.values[key{r.Name, s.Name}]; len(samples) > 0 {
			one.Servers[s.Name] = samples
		}
	}
	for _, g := range r.Goals {
		if v := c.judge(r, g); !v.Undecided {
			one.Verdicts = append(one.Verdicts, v)
		}
	}
	return one
}

// takeEarlier takes over what an earlier run has measured of the scenarios that
// this one leaves out. A run of all of them takes long.
func (c *comparison) takeEarlier() error {
	data, err := os.ReadFile(c.resultsFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var earlier results
	if err := json.Unmarshal(data, &earlier); err != nil {
		return fmt.Errorf("%s: %w", c.resultsFile(), err)
	}
	if earlier.Size != c.size || earlier.Machine != machine() || !slices.Equal(earlier.ServerCPUs, c.serverCPUs) {
		return fmt.Errorf("%s is of other sizes, another machine or other processors: leave out -keep", c.resultsFile())
	}
	measured := map[string]bool{}
	for _, scenario := range c.scenarios() {
		measured[scenario] = true
	}
	for _, r := range rows {
		i := slices.IndexFunc(earlier.Results, func(one result) bool { return one.Row == r.Name })
		if i < 0 || measured[r.Scenario] {
			continue
		}
		for server, samples := range earlier.Results[i].Servers {
			c.values[key{r.Name, server}] = samples
		}
	}
	return nil
}

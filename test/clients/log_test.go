package clients

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// entry is a line of the server's log.
type entry map[string]any

func (e entry) message() string { return e.text("msg") }

func (e entry) text(key string) string {
	s, _ := e[key].(string)
	return s
}

func (e entry) number(key string) int64 {
	n, _ := e[key].(float64)
	return int64(n)
}

// serverLog collects what the server writes to standard error.
type serverLog struct {
	mu      sync.Mutex
	entries []entry
	foreign []string // lines that are no JSON: a panic, a report of a data race
	raw     strings.Builder
	ended   chan struct{}
	// look, where it is set, sees each line as it comes, and says whether it is
	// kept: a long run has too many.
	look func(line string, e entry) bool
}

func collect(r io.Reader, look func(string, entry) bool) *serverLog {
	l := &serverLog{ended: make(chan struct{}), look: look}
	go func() {
		defer close(l.ended)
		lines := bufio.NewReader(r)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				l.add(line)
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

func (l *serverLog) add(line string) {
	var e entry
	err := json.Unmarshal([]byte(line), &e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.look != nil && !l.look(line, e) {
		return
	}
	l.raw.WriteString(line)
	if err != nil {
		l.foreign = append(l.foreign, line)
		return
	}
	l.entries = append(l.entries, e)
}

func (l *serverLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.raw.String()
}

// find returns the entries with this message for which keep is true.
func (l *serverLog) find(message string, keep func(entry) bool) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []entry
	for _, e := range l.entries {
		if e.message() == message && (keep == nil || keep(e)) {
			out = append(out, e)
		}
	}
	return out
}

// wait returns the first entry that find returns, once there is one.
func (l *serverLog) wait(t *testing.T, message string, keep func(entry) bool) entry {
	t.Helper()
	var found []entry
	eventually(t, 2*time.Minute, "a line in the log: "+message, func() bool {
		found = l.find(message, keep)
		return len(found) > 0
	})
	return found[0]
}

func field(key, value string) func(entry) bool {
	return func(e entry) bool { return e.text(key) == value }
}

// eventually polls until ok is true.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}

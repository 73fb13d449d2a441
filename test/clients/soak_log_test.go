package clients

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// soakLog looks at each line of the server's log and keeps the last.
type soakLog struct {
	s   *soak
	dir string // of the log of transfers

	mu    sync.Mutex
	lines []string
	about map[string][]string // the last of each user and path
}

// look keeps of the log what other helpers wait for.
func (l *soakLog) look(line string, e entry) bool {
	switch {
	case e.text("level") == "Error":
		l.s.fail(fmt.Errorf("in the log: %s", line))
	case strings.Contains(line, soakMark), strings.Contains(line, "$2a$"), strings.Contains(line, "PRIVATE KEY"):
		l.s.fail(fmt.Errorf("a secret is in the log, in a line %q", e.message()))
	}
	l.s.count("lines of the log", 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, line); len(l.lines) > 400 {
		l.lines = slices.Clone(l.lines[200:])
	}
	if path := e.text("path"); path != "" {
		key := e.text("user") + path
		if l.about[key] = append(l.about[key], line); len(l.about[key]) > 8 {
			l.about[key] = l.about[key][1:]
		}
	}
	return e.message() == "Serving"
}

// of are the last lines about a file of a user.
func (l *soakLog) of(user, path string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.about[user+path], "")
}

func (l *soakLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// Package telemetry tells operators how the server fares: its log, its metrics
// and the read-only endpoints /healthz, /readyz, /metrics and /status.
//
// Nothing here changes what the server does, and no label of a metric comes
// from a client: the number of series is bounded by the code.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// NewLogger returns a logger that writes lines of JSON, or of key=value text
// where format is Text, from the level on that the words Debug, Info, Warn and
// Error name. Times are UTC, RFC 3339 with nanoseconds. The level can be
// changed while the logger is in use; see Level for the words.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, *slog.LevelVar) {
	v := new(slog.LevelVar)
	v.Set(Level(level))
	w = printable{w}
	o := &slog.HandlerOptions{Level: v, ReplaceAttr: uniform}
	if format == "Text" {
		return slog.New(slog.NewTextHandler(w, o)), v
	}
	return slog.New(slog.NewJSONHandler(w, o)), v
}

// printable is a log on its way to somebody's terminal: what package slog leaves
// of control characters, DEL and those that Unicode has from U+0080 on (with
// U+009B begins what ESC [ does), is written as JSON escapes it. Slog writes a
// whole line at a time.
type printable struct{ to io.Writer }

func (p printable) Write(line []byte) (int, error) {
	var out []byte
	done := 0 // how much of line is in out
	for i := 0; i < len(line); {
		c, n := line[i], 1
		if c == 0xc2 && i+1 < len(line) { // the first of two bytes
			c, n = line[i+1], 2
		}
		if c == 0x7f && n == 1 || 0x80 <= c && c < 0xa0 && n == 2 {
			out = fmt.Appendf(append(out, line[done:i]...), `\u%04x`, c)
			done = i + n
		}
		i += n
	}
	if done == 0 {
		return p.to.Write(line)
	}
	if _, err := p.to.Write(append(out, line[done:]...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Level is the level that a word of the configuration names; Info for any
// other, as the configuration is validated before.
func Level(word string) slog.Level {
	switch word {
	case "Debug":
		return slog.LevelDebug
	case "Warn":
		return slog.LevelWarn
	case "Error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// uniform writes time and level the way the configuration words them.
func uniform(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch v := a.Value.Any().(type) {
	case time.Time:
		if a.Key == slog.TimeKey {
			return slog.String(a.Key, v.UTC().Format(time.RFC3339Nano))
		}
	case slog.Level:
		if a.Key == slog.LevelKey {
			return slog.String(a.Key, levelWord(v))
		}
	}
	return a
}

func levelWord(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "Debug"
	case l < slog.LevelWarn:
		return "Info"
	case l < slog.LevelError:
		return "Warn"
	}
	return "Error"
}

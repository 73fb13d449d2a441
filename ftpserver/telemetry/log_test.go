package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestJSONLog(t *testing.T) {
	var b bytes.Buffer
	log, _ := NewLogger(&b, "Info", "JSON")
	start := time.Now()
	log.Debug("Not told")
	log.Warn("Client speaks", "text", "a\r\n\x1b\"b", "took", 2*time.Second, slog.Group("inner", "level", slog.LevelInfo))
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if got["level"] != "Warn" || got["msg"] != "Client speaks" || got["text"] != "a\r\n\x1b\"b" {
		t.Errorf("line = %v", got)
	}
	if strings.Count(b.String(), "\n") != 1 {
		t.Errorf("a client's text makes lines of its own: %q", b.String())
	}
	text, _ := got["time"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strings.HasSuffix(text, "Z") || at.Before(start.Truncate(0)) || at.After(time.Now()) {
		t.Errorf("time = %q (%v), want now in UTC", text, err)
	}
}

func TestTextLog(t *testing.T) {
	var b bytes.Buffer
	log, _ := NewLogger(&b, "Debug", "Text")
	log.Debug("Hello", "name", "a b\n")
	if got, want := b.String(), ` level=Debug msg=Hello name="a b\n"`+"\n"; !strings.HasSuffix(got, want) || !strings.HasPrefix(got, "time=") {
		t.Errorf("line = %q, want …%q", got, want)
	}
}

func TestLevels(t *testing.T) {
	var b bytes.Buffer
	log, level := NewLogger(&b, "Error", "JSON")
	for word, want := range map[string]string{
		"Debug": "Debug Info Warn Error", "Info": "Info Warn Error", "Warn": "Warn Error", "Error": "Error", "?": "Info Warn Error",
	} {
		level.Set(Level(word))
		b.Reset()
		log.Debug("m")
		log.Info("m")
		log.Warn("m")
		log.Error("m")
		var told []string
		for line := range strings.Lines(b.String()) {
			var l struct{ Level string }
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			told = append(told, l.Level)
		}
		if got := strings.Join(told, " "); got != want {
			t.Errorf("level %s tells %s, want %s", word, got, want)
		}
	}
}

// TestPrintable: whatever stands in a line, what a terminal would obey is escaped,
// and all else is as it was.
func TestPrintable(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "",
		"plain é \u00a0\n":         "plain é \u00a0\n",
		"\x7f":                     `\u007f`,
		"a\u009b31mb\u0085\x7fc\n": `a\u009b31mb\u0085\u007fc` + "\n",
		"cut \xc2":                 "cut \xc2",
	} {
		var out strings.Builder
		if n, err := (printable{&out}).Write([]byte(line)); n != len(line) || err != nil || out.String() != want {
			t.Errorf("%q is written as %q, %d, %v, want %q", line, out.String(), n, err, want)
		}
	}
}

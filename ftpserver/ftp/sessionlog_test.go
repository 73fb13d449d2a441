package ftp

import (
	"log/slog"
	"testing"
)

// TestSessionLog: whatever a session logs says which session it is, outside of any
// group.
func TestSessionLog(t *testing.T) {
	b := newBench(t, nil)
	c := b.connect()
	log := b.server.all()[0].log
	which := " session=1 client=" + c.raw.LocalAddr().String()
	for name, log := range map[string]*slog.Logger{
		"bare": log, "with": log.With("a", "1"), "group": log.WithGroup("g"), "both": log.With("a", "1").WithGroup("g"),
	} {
		log.Info(name, "b", "2")
		rest := map[string]string{"bare": " b=2", "with": " a=1 b=2", "group": " g.b=2", "both": " a=1 g.b=2"}[name]
		if want := "msg=" + name + which + rest + "\n"; !b.log.logged(want) {
			t.Errorf("no line ends with %q:\n%s", want, b.log.String())
		}
	}
	log.Debug("hidden")
	if b.log.logged("hidden") {
		t.Error("the level does not count")
	}
}

package ftp

import (
	"os"
	"strings"
	"testing"
)

// TestAttackHostileReload: while sessions run, the configuration becomes something
// that would cost the server its memory or its time. Nothing changes for anybody,
// and the log says why.
func TestAttackHostileReload(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	for what, file := range map[string]string{
		"aliases":  "hosts: &h [" + strings.Repeat("a.example,", 5000) + "]\nusers: [" + strings.Repeat("{paths: *h},", 20_000) + "]",
		"fields":   strings.Repeat("x: 1\n", 60_000),
		"tower":    strings.Repeat("[", 100_000),
		"values":   "users: [" + strings.Repeat("a,", 1<<20) + "]",
		"100 MiB":  strings.Repeat("listen: 127.0.0.1:21\n", 5<<20),
		"no users": "users: []\n",
		"NUL":      "\x00",
	} {
		before := heap()
		must(t, os.WriteFile(b.configFile, []byte(file), 0o600))
		if err := b.source.Reload(); err == nil || len(err.Error()) > 100_000 {
			t.Errorf("%s: %.200v", what, err)
		}
		if grown := heap() - before; grown > 32<<20 {
			t.Errorf("%s holds %d KiB", what, grown>>10)
		}
		c.do("NOOP", "200")
		b.servesOn("alice")
	}
	if !b.log.logged("level=WARN", "must be at most 4194304 bytes long") {
		t.Error("the log says nothing of it")
	}
	b.writeConfig()
	must(t, b.source.Reload())
	c.do("NOOP", "200")
	b.servesOn("alice")
}

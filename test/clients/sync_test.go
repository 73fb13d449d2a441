package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestMirrorsFindNothingToDo: the clients that mirror set the times of what they
// bring (MFMT), so the next run transfers nothing, up and down; and of what has
// got another time since, it transfers that alone.
func TestMirrorsFindNothingToDo(t *testing.T) {
	t.Parallel()
	var all []combination
	for _, client := range []ftpclient.Client{ftpclient.LFTP{}, ftpclient.Rclone{}} {
		all = append(all, combination{client, ftpclient.TLSNone, ftpclient.Default}, combination{client, ftpclient.TLS13, ftpclient.Default})
	}
	forEach(t, config.TLSOptional, all, func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		up, down := t.TempDir(), filepath.Join(t.TempDir(), "down")
		// A fraction of a second is no part of the protocol's times.
		when := time.Date(2001, 2, 3, 4, 5, 6, 700_000_000, time.UTC)
		names := []string{"a", "dir/b", "dir/two words", "dir/deeper/c"}
		for i, name := range names {
			path := filepath.Join(up, name)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			must(t, os.WriteFile(path, []byte(strings.Repeat(name, 1000*(i+1))), 0o644))
			must(t, os.Chtimes(path, when, when))
		}
		mirrors := map[string]func() error{
			"upload":   func() error { return b.MirrorUp(soon(t), up, "/tree") },
			"download": func() error { return b.MirrorDown(soon(t), "/tree", down) },
		}
		b.moves(t, "upload", len(names), mirrors)
		for _, name := range names {
			st, err := os.Stat(b.disk("/tree/" + name))
			must(t, err)
			if !st.ModTime().Equal(when.Truncate(time.Second)) {
				t.Errorf("%s has the time %v", name, st.ModTime().UTC())
			}
		}
		b.moves(t, "upload", 0, mirrors)
		b.moves(t, "download", len(names), mirrors)
		b.moves(t, "download", 0, mirrors)
		when = when.Add(time.Hour)
		must(t, os.Chtimes(filepath.Join(up, "dir/b"), when, when))
		b.moves(t, "upload", 1, mirrors)
		b.moves(t, "download", 1, mirrors)
	})
}

// moves runs a mirror, and counts by the server's log how many files it moved.
func (b *bench) moves(t *testing.T, direction string, want int, mirrors map[string]func() error) {
	t.Helper()
	count := func() int {
		return len(b.server.log.find("Transfer", func(e entry) bool { return e.text("user") == b.user() && e.text("direction") == direction }))
	}
	before := count()
	must(t, mirrors[direction]())
	// The line of a transfer is written before the reply to it, but may be read later.
	eventually(t, 2*time.Minute, "the lines of the transfers", func() bool { return count() >= before+want })
	if got := count() - before; got != want {
		t.Errorf("%s: %d files were moved, want %d", direction, got, want)
	}
}

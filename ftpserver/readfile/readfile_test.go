package readfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRegular: files as large as may be are read; nothing else is, and nothing is
// waited for.
func TestRegular(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", "")
	write("full", "0123456789")
	write("more", "0123456789x")
	if err := syscall.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("full", path("link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ content, err string }{
		path("empty"): {}, path("full"): {content: "0123456789"}, path("link"): {content: "0123456789"},
		path("more"): {err: "must be at most 10 bytes long"}, path("fifo"): {err: "is not a regular file"}, dir: {err: "is not a regular file"},
		"/dev/zero": {err: "is not a regular file"}, path("none"): {err: "no such file"},
		"/proc/self/status": {err: "must be at most 10 bytes long"}, // of which the system says that it is empty
	} {
		data, err := Regular(name, 10)
		if string(data) != want.content || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%s: %q, %v, want %+v", name, data, err, want)
		}
	}
}

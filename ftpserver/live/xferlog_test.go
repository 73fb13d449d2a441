package live

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestXferlogBelowTheRoot: whatever the names are relative to, and through
// whatever links, no user gets to the transfer log; also after a reload that
// names another root, which takes a restart.
func TestXferlogBelowTheRoot(t *testing.T) {
	d := newDir(t)
	root := d.path("files")
	for _, dir := range []string{root, d.path("other")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("files", d.path("link")); err != nil {
		t.Fatal(err)
	}
	with := func(root, xferlog string) string {
		return strings.ReplaceAll(configured("log: {xferlog: "+xferlog+"}\n"), "/srv", root)
	}
	for _, xferlog := range []string{"files/xferlog", "./other/../files/deep/xferlog", "link/xferlog", d.path("link/none/xferlog")} {
		d.write(config.FileName, with(root, xferlog))
		if _, err := Open(d.root, config.Strict, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "log.xferlog: must not lie below storage.root") {
			t.Errorf("%s is taken: %v", xferlog, err)
		}
	}
	d.write(config.FileName, with(root, "other/xferlog"))
	s := d.open()
	d.write(config.FileName, with(d.path("other"), "files/xferlog"))
	if err := s.Reload(); err == nil || s.Current().Config.Log.Xferlog != "other/xferlog" {
		t.Errorf("below the root in force: %v, in force is %s", err, s.Current().Config.Log.Xferlog)
	}
}

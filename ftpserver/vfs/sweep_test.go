package vfs

import (
	"context"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestSweep(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.mkdir("sub/deep")
	young, old := time.Now().Add(-PartialMaxAge+time.Minute), time.Now().Add(-PartialMaxAge-time.Minute)
	for _, c := range []struct {
		name string
		time time.Time
	}{
		{"file", old},
		{".ftpserver-tmp-1-boot-1-1", young},
		{"sub/deep/.ftpserver-tmp-1-boot-1-2", old},
		{"sub/.ftpserver-tmp-2-boot-1-1", old},
		{"sub/.ftpserver-tmp-1-boot-2-999", old},
		{"sub/.ftpserver-part-aa", old},
		{"sub/.ftpserver-part-bb", young},
		{"sub/.ftpserver-note", old},
	} {
		d.write(c.name, "12345")
		if err := os.Chtimes(d.path(c.name), c.time, c.time); err != nil {
			t.Fatal(err)
		}
	}
	outside := t.TempDir()
	d.symlink(outside, "sub/link")
	kept := path.Join(outside, ".ftpserver-tmp-1-boot-1-1")
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u := begin(t, f, "/up", CreateTruncate, 0, "x")

	got, err := d.store.Sweep(t.Context())
	if want := (SweepResult{Temporaries: 2, Partials: 1, Bytes: 15}); err != nil || got != want {
		t.Errorf("swept %+v, %v; want %+v", got, err, want)
	}
	if _, err := u.Commit(); err != nil {
		t.Error(err)
	}
	d.wantNames("", "file", "sub", "up")
	d.wantNames("sub", ".ftpserver-note", ".ftpserver-part-bb", ".ftpserver-tmp-1-boot-2-999", ".ftpserver-tmp-2-boot-1-1", "deep", "link")
	d.wantNames("sub/deep")
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("the sweep left the root: %v", err)
	}
}

func TestSweepEndsWithItsContext(t *testing.T) {
	d := newDisk(t)
	d.write("sub/.ftpserver-tmp-1-boot-1-1", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.store.Sweep(ctx)
	wantError(t, "Sweep", err, context.Canceled)
	d.wantFile("sub/.ftpserver-tmp-1-boot-1-1", "x")
}

func TestSweepGoesOnAfterFailures(t *testing.T) {
	log, text := newLog()
	d := openDisk(t, t.TempDir(), Options{BootID: "b", Log: log})
	d.mkdir(".ftpserver-tmp-0-a-1") // a directory of that name: not a file that can be removed
	d.mkdir(strings.Repeat("d/", maxDepth+2))
	d.write("x/.ftpserver-tmp-0-a-2", "12")
	got, err := d.store.Sweep(t.Context())
	if want := (SweepResult{Temporaries: 1, Bytes: 2, Failed: 2}); err != nil || got != want {
		t.Errorf("swept %+v, %v; want %+v", got, err, want)
	}
	if !strings.Contains(text.String(), "nested too deeply") || strings.Contains(text.String(), d.root) {
		t.Errorf("log is %s", text.String())
	}
}

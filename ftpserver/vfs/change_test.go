package vfs

import (
	"io/fs"
	"os"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestMkdir(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "x")
	for _, c := range []struct {
		path string
		want error
	}{
		{"/a", nil}, {"/a/b", nil}, {"/a", fs.ErrExist}, {"/file", fs.ErrExist}, {"/", fs.ErrExist},
		{"/none/b", fs.ErrNotExist}, {"/file/b", ErrNotDir}, {"/.ftpserver-x", ErrName},
	} {
		err := f.Mkdir(c.path)
		if c.want == nil && err != nil {
			t.Error(err)
		}
		wantError(t, c.path, err, c.want)
	}
	if i, err := f.Stat("/a/b"); err != nil || !i.Dir {
		t.Errorf("made %+v, %v", i, err)
	}
}

func TestRemoveTakesFilesAndRmdirDirectories(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "x")
	d.write("full/file", "x")
	d.mkdir("empty")
	d.symlink("empty", "link")
	for p, want := range map[string]error{"/empty": ErrIsDir, "/": ErrIsDir, "/none": fs.ErrNotExist, "/.ftpserver-x": fs.ErrNotExist} {
		wantError(t, "delete "+p, f.Remove(p), want)
	}
	for p, want := range map[string]error{
		"/file": ErrNotDir, "/link": ErrNotDir, "/full": ErrNotEmpty, "/": fs.ErrPermission, "/none": fs.ErrNotExist,
	} {
		wantError(t, "remove directory "+p, f.Rmdir(p), want)
	}
	d.wantNames("", "empty", "file", "full", "link")
	for _, err := range []error{f.Remove("/link"), f.Remove("/file"), f.Rmdir("/empty")} {
		if err != nil {
			t.Error(err)
		}
	}
	d.wantNames("", "full")
}

func TestRmdirOfWhatLooksEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		fill  func(d *disk, f *FS)
		empty bool
	}{
		"partials": {func(d *disk, f *FS) {
			interrupt(d.t, f, "/dir/a", "x")
			interrupt(d.t, d.user("other", config.RoleReadWrite), "/dir/a", "x")
		}, true},
		"temporary of an earlier start": {func(d *disk, _ *FS) { d.write("dir/.ftpserver-tmp-1-boot-1-9", "x") }, true},
		"temporary of another slot":     {func(d *disk, _ *FS) { d.write("dir/.ftpserver-tmp-2-boot-1-9", "x") }, false},
		"unknown hidden file":           {func(d *disk, _ *FS) { d.write("dir/.ftpserver-note", "x") }, false},
		"partial and a file": {func(d *disk, f *FS) {
			interrupt(d.t, f, "/dir/a", "x")
			d.write("dir/b", "x")
		}, false},
		"partial and a running upload": {func(d *disk, f *FS) {
			interrupt(d.t, f, "/dir/a", "x")
			u := begin(d.t, f, "/dir/b", CreateTruncate, 0, "x")
			d.t.Cleanup(func() { _ = u.Discard() })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			d.mkdir("dir")
			if _, err := f.store.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.fill(d, f)
			before, _ := os.ReadDir(d.path("dir"))
			err := f.Rmdir("/dir")
			if c.empty {
				if err != nil {
					t.Error(err)
				}
				d.wantAbsent("dir")
				return
			}
			wantError(t, "Rmdir", err, ErrNotEmpty)
			if after, _ := os.ReadDir(d.path("dir")); len(after) != len(before) {
				t.Errorf("%d of %d files are left", len(after), len(before))
			}
		})
	}
}

// TestDropLeftoversJudgesAgain: a file that was published, or an upload that was
// begun, after the directory had looked empty stays.
func TestDropLeftoversJudgesAgain(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.mkdir("dir")
	if _, err := f.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	interrupt(t, f, "/dir/a", "x")
	d.write("dir/.ftpserver-tmp-1-boot-1-9", "x")
	store(t, f, "/dir/published", CreateTruncate, 0, "acknowledged")
	u := begin(t, f, "/dir/b", CreateTruncate, 0, "x")
	dir, err := openDir(f.store.sys, f.home.dir(), "dir")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if err := f.dropLeftovers(dir); err != nil {
		t.Error(err)
	}
	d.wantNames("dir", u.hidden, "published")
	if _, err := u.Commit(); err != nil {
		t.Error(err)
	}
}

// TestRmdirBesideOneThatDrains: until the first sweep is due, a temporary of an
// earlier start may be of an upload that is still on its way.
func TestRmdirBesideOneThatDrains(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("dir/.ftpserver-tmp-1-boot-1-9", "x")
	wantError(t, "Rmdir", f.Rmdir("/dir"), ErrNotEmpty)
	d.wantFile("dir/.ftpserver-tmp-1-boot-1-9", "x")
	d.write("late/.ftpserver-tmp-1-boot-1-10", "x")
	if _, err := f.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.write("late/.ftpserver-tmp-1-boot-1-11", "x") // which it came past
	wantError(t, "Rmdir", f.Rmdir("/late"), nil)
}

func TestHiddenIsAbsentToEveryOperation(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write(".ftpserver-tmp-1-boot-2-99", "x")
	d.write(".ftpserver-dir/file", "x")
	for _, p := range []string{"/.ftpserver-tmp-1-boot-2-99", "/.ftpserver-dir", "/.ftpserver-dir/file"} {
		for op, err := range everyOperation(f, p) {
			want := fs.ErrNotExist
			if creates := op == "Create" || op == "Append" || op == "Restart" || op == "Mkdir"; creates && p != "/.ftpserver-dir/file" {
				want = ErrName
			}
			wantError(t, op+" "+p, err, want)
		}
	}
	d.wantFile(".ftpserver-tmp-1-boot-2-99", "x")
	d.wantFile(".ftpserver-dir/file", "x")
}

package vfs

import (
	"io"
	"os"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func newDirect(t *testing.T) (*disk, *FS) {
	d := newDisk(t)
	d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: config.UploadsDirect})
	return d, d.user("u", config.RoleReadWrite)
}

// TestDirect goes through what a Direct upload makes of what is there: others see
// the data at once, and what breaks off stays as far as it came.
func TestDirect(t *testing.T) {
	for name, c := range map[string]struct {
		mode   CreateMode
		offset int64
		old    string
		begins string // as soon as the data connection is there
	}{
		"new":           {CreateTruncate, 0, "", ""},
		"replace":       {CreateTruncate, 0, "0123456789", ""},
		"resume":        {CreateAt, 4, "0123456789", "0123"},
		"resume at end": {CreateAt, 10, "0123456789", "0123456789"},
		"append":        {CreateAppend, 0, "0123456789", "0123456789"},
		"append to new": {CreateAppend, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, f := newDirect(t)
			if c.old != "" {
				d.write("a", c.old)
			}
			u, err := f.Create("/a", c.mode, c.offset)
			if err != nil {
				t.Fatal(err)
			}
			if c.old == "" {
				d.wantAbsent("a")
			} else {
				d.wantFile("a", c.old)
			}
			if err := u.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.wantFile("a", c.begins)
			_, _ = io.WriteString(u.File(), "one,")
			d.wantFile("a", c.begins+"one,")
			d.wantNames("", "a")
			if err := u.Interrupt(); err != nil {
				t.Error(err)
			}
			d.wantFile("a", c.begins+"one,")
			d.wantNames("", "a")
			store(t, f, "/a", CreateAppend, 0, "two")
			d.wantFile("a", c.begins+"one,two")
		})
	}
}

// TestDirectThatNeverBegins changes nothing.
func TestDirectThatNeverBegins(t *testing.T) {
	d, f := newDirect(t)
	d.write("old", "content")
	for _, p := range []string{"/old", "/new"} {
		for _, end := range []func(*Upload) error{(*Upload).Interrupt, (*Upload).Discard, func(u *Upload) error {
			_, err := u.Commit()
			wantError(t, "Commit", err, errUnprepared)
			return nil
		}} {
			u, err := f.Create(p, CreateTruncate, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := end(u); err != nil {
				t.Error(err)
			}
		}
	}
	d.wantFile("old", "content")
	d.wantNames("", "old")
}

func TestDirectRefuses(t *testing.T) {
	d, f := newDirect(t)
	d.write("a", "12345")
	d.symlink("a", "link")
	for _, c := range []struct {
		p      string
		mode   CreateMode
		offset int64
		want   error
	}{
		{"/a", CreateAt, 6, ErrRestart}, {"/none", CreateAt, 1, ErrRestart}, {"/a", CreateAt, -1, ErrRestart},
		{"/link", CreateTruncate, 0, ErrNotRegular}, {"/link", CreateAppend, 0, ErrNotRegular},
	} {
		_, err := f.Create(c.p, c.mode, c.offset)
		wantError(t, c.p, err, c.want)
	}
	u, err := f.Create("/a", CreateAt, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.path("a"), 3); err != nil {
		t.Fatal(err)
	}
	wantError(t, "shortened meanwhile", u.Prepare(t.Context()), ErrChanged)
	_ = u.Interrupt()
	d.wantFile("a", "123")
	d.wantNames("", "a", "link")
}

// TestDirectWritesAlone: of two sessions that would write over each other, the
// second is turned away until the first has ended.
func TestDirectWritesAlone(t *testing.T) {
	d, f := newDirect(t)
	d.write("a", "old")
	first := begin(t, f, "/a", CreateTruncate, 0, "first")
	for _, mode := range []CreateMode{CreateTruncate, CreateAppend} {
		u, err := f.Create("/a", mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, "the second", u.Prepare(t.Context()), ErrBusy)
		_ = u.Interrupt()
		d.wantFile("a", "first")
	}
	if _, err := first.Commit(); err != nil {
		t.Error(err)
	}
	store(t, f, "/a", CreateTruncate, 0, "second")
	d.wantFile("a", "second")
}

// TestDirectOfAFileThatGoes: 226 is for data that can be found under some name.
func TestDirectOfAFileThatGoes(t *testing.T) {
	d, f := newDirect(t)
	u := begin(t, f, "/log", CreateAppend, 0, "line,")
	if err := f.Rename("/log", "/log.1"); err != nil { // a log is rotated
		t.Fatal(err)
	}
	_, _ = io.WriteString(u.File(), "line")
	if _, err := u.Commit(); err != nil {
		t.Error(err)
	}
	d.wantFile("log.1", "line,line")
	u = begin(t, f, "/log", CreateTruncate, 0, "x")
	if err := f.Remove("/log"); err != nil {
		t.Fatal(err)
	}
	_, err := u.Commit()
	wantError(t, "Commit of a file that was removed", err, ErrChanged)
	d.wantNames("", "log.1")
	// One that goes before the data connection is there is told then.
	d.write("b", "old")
	u, err = f.Create("/b", CreateAppend, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("/b"); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Prepare", u.Prepare(t.Context()), ErrChanged)
	if err := u.Interrupt(); err != nil {
		t.Error(err)
	}
}

// TestDirectDropBox: who may only create never gets into a file that is there,
// not even between the look and the creation.
func TestDirectDropBox(t *testing.T) {
	d, _ := newDirect(t)
	f := d.user("u", config.RoleWriteOnly)
	u, err := f.Create("/a", CreateTruncate, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.write("a", "theirs")
	wantError(t, "Prepare", u.Prepare(t.Context()), ErrTaken)
	_ = u.Interrupt()
	_, err = f.Create("/a", CreateTruncate, 0)
	wantError(t, "Create", err, ErrTaken, ErrRole)
	d.wantFile("a", "theirs")
}

// TestDirectByRule: a rule's way of uploads goes before the server's, either way.
func TestDirectByRule(t *testing.T) {
	for server, rules := range map[config.Uploads]config.Uploads{config.UploadsAtomic: config.UploadsDirect, config.UploadsDirect: config.UploadsAtomic} {
		d := newDisk(t)
		d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: server})
		f, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite, Paths: []config.PathRule{
			{Path: "/log", Role: config.RoleReadWrite, Uploads: rules}, {Path: "/log/as", Role: config.RoleReadWrite},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for dir, want := range map[string]config.Uploads{"/": server, "/log/": rules, "/log/as/": server} {
			u := begin(t, f, dir+"x", CreateTruncate, 0, "x")
			if u.Direct() != (want == config.UploadsDirect) {
				t.Errorf("server %s, rule %s, in %s: direct is %v", server, rules, dir, u.Direct())
			}
			if _, err := u.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDirectAfterAtomic: a partial upload of other times is no one's any more.
func TestDirectAfterAtomic(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	interrupt(t, f, "/a", "partial")
	d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: config.UploadsDirect})
	if size, ok := f.PartialSize("/a"); ok {
		t.Errorf("the size of a partial is told: %d", size)
	}
	store(t, f, "/a", CreateAppend, 0, "data")
	d.wantFile("a", "data")
	d.wantNames("", "a")
}

package vfs

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestSetTime sets what it is told to, of what a link leads to as well, and no
// more than that.
func TestSetTime(t *testing.T) { eachView(t, checkSetTime) }

func checkSetTime(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	d.write("file", "x")
	d.mkdir("dir")
	d.symlink("file", "link")
	old := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	_ = os.Chtimes(d.path("file"), old, old)
	when := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
	for _, p := range []string{"/file", "/dir", "/"} {
		i, err := f.SetAttributes(p, Attributes{Modified: &when})
		if err != nil || !i.ModTime.Equal(when) {
			t.Errorf("%s: %v, time is told to be %v", p, err, i.ModTime)
		}
		if i, err := f.Stat(p); err != nil || !i.ModTime.Equal(when) {
			t.Errorf("%s: %v, time is %v", p, err, i.ModTime)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(d.path("file"), &st); err != nil || !time.Unix(st.Atim.Unix()).Equal(old) {
		t.Errorf("the time of access is %v, %v", time.Unix(st.Atim.Unix()), err)
	}
	later := when.Add(time.Hour)
	if _, err := f.SetAttributes("/link", Attributes{Modified: &later, Accessed: &when}); err != nil {
		t.Error(err)
	}
	if i, err := f.Stat("/file"); err != nil || !i.ModTime.Equal(later) {
		t.Errorf("through a link: %v, time is %v", err, i.ModTime)
	}
	for _, p := range []string{"/none", "/.ftpserver-tmp-1", "/file/x"} {
		if _, err := f.SetAttributes(p, Attributes{Modified: &when}); err == nil {
			t.Errorf("%s has a time", p)
		}
	}
}

// TestSetMode: special bits are neither set nor cleared, and the owner, which is
// the server, keeps what it needs.
func TestSetMode(t *testing.T) {
	const special = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	for _, c := range []struct {
		dir               bool
		was, wanted, want fs.FileMode
	}{
		{false, 0o644, 0o750, 0o750},
		{false, 0o644, 0, 0o600},
		{false, 0o644, 0o777, 0o777},
		{false, 0o644, special | 0o755, 0o755},
		{false, special | 0o644, 0o600, special | 0o600},
		{true, 0o755, 0o750, fs.ModeDir | 0o750},
		{true, 0o755, 0, fs.ModeDir | 0o700},
		{true, 0o755, special | 0o777, fs.ModeDir | 0o777},
		{true, fs.ModeSetgid | 0o770, 0o700, fs.ModeDir | fs.ModeSetgid | 0o700},
	} {
		d := newDisk(t)
		f := d.user("u", config.RoleReadWrite)
		if d.mkdir(""); c.dir {
			d.mkdir("x")
		} else {
			d.write("x", "x")
		}
		if err := os.Chmod(d.path("x"), c.was); err != nil {
			t.Fatal(err)
		}
		i, err := f.SetAttributes("/x", Attributes{Mode: &c.wanted})
		if err != nil || i.Mode != c.want {
			t.Errorf("%v to %v: told %v, %v", c.was, c.wanted, i.Mode, err)
		}
		if st, err := os.Stat(d.path("x")); err != nil || st.Mode() != c.want {
			t.Errorf("%v to %v: is %v, %v; want %v", c.was, c.wanted, st.Mode(), err, c.want)
		}
	}
}

// TestAttributesOfOtherThings: a FIFO neither blocks nor changes.
func TestAttributesOfOtherThings(t *testing.T) { eachView(t, checkAttributesOfOtherThings) }

func checkAttributesOfOtherThings(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	if err := syscall.Mkfifo(d.path("fifo"), 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := f.SetAttributes("/fifo", Attributes{Mode: new(fs.FileMode(0o777))})
	wantError(t, "set mode", err, ErrNotRegular)
	_, err = f.SetAttributes("/fifo", Attributes{Modified: new(time.Unix(1, 0))})
	wantError(t, "set time", err, ErrNotRegular)
	if st, err := os.Stat(d.path("fifo")); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("the FIFO has mode %v, %v", st.Mode(), err)
	}
	_, _, err = f.Combine(t.Context(), "/all", []string{"/fifo"}, nil)
	wantError(t, "combine", err, ErrNotRegular)
}

// TestAttributesFollowRules: the role where a file lies counts, a directory's
// own included.
func TestAttributesFollowRules(t *testing.T) {
	d := newDisk(t)
	for _, p := range []string{"ro/file", "wo/file", "rw/file"} {
		d.write(p, "x")
	}
	d.symlink("ro/file", "link")
	d.symlink("../rw/file", "ro/link")
	f := d.ruled(config.RoleReadWrite, rulesOf("/ro ReadOnly", "/wo WriteOnly")...)
	for p, want := range map[string]error{
		"/ro/file": ErrRole, "/wo/file": ErrRole, "/link": ErrRole, "/ro": ErrRole, "/wo": ErrRole, "/wo/none": ErrRole,
		"/rw/file": nil, "/ro/link": nil, "/rw": nil, "/": nil,
	} {
		if _, err := f.SetAttributes(p, Attributes{Modified: new(time.Unix(1, 0))}); want == nil && err != nil {
			t.Errorf("%s: %v", p, err)
		} else if want != nil {
			wantError(t, p, err, want)
		}
	}
}

// TestModeOfAnInterruptedUpload: an upload that is to replace a file with other
// permissions can still go on.
func TestModeOfAnInterruptedUpload(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "old")
	if _, err := f.SetAttributes("/file", Attributes{Mode: new(fs.FileMode(0))}); err != nil {
		t.Fatal(err)
	}
	interrupt(t, f, "/file", "beg")
	store(t, f, "/file", CreateAt, 3, "inning")
	d.wantFile("file", "beginning")
	if st, err := os.Stat(d.path("file")); err != nil || st.Mode() != 0o600 {
		t.Errorf("mode is %v, %v", st.Mode(), err)
	}
}

// TestAttributesAreAChange: what is built on a file that was changed meanwhile
// is not published over it.
func TestAttributesAreAChange(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "old")
	u := begin(t, f, "/file", CreateAppend, 0, "+more")
	if _, err := f.SetAttributes("/file", Attributes{Modified: new(time.Unix(1, 0))}); err != nil {
		t.Fatal(err)
	}
	_, err := u.Commit()
	wantError(t, "append", err, ErrChanged)
	interrupt(t, f, "/file", "begin")
	old := time.Now().Add(-time.Minute) // so that no clock is too coarse
	if err := os.Chtimes(d.path(f.partialName("file")), old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SetAttributes("/file", Attributes{Modified: new(time.Unix(2, 0))}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Create("/file", CreateAt, 5)
	wantError(t, "resume", err, ErrInterrupted)
	d.wantNames("", "file")
	d.wantFile("file", "old")
}

func TestAvailable(t *testing.T) { eachView(t, checkAvailable) }

func checkAvailable(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	d.mkdir("dir")
	d.write("file", "x")
	for _, p := range []string{"/", "/dir"} {
		if n, err := f.Available(p); err != nil || n <= 0 || n > 1<<60 {
			t.Errorf("%s: %d bytes, %v", p, n, err)
		}
	}
	_, err := f.Available("/file")
	wantError(t, "of a file", err, ErrNotDir)
	_, err = f.Available("/none")
	wantError(t, "of nothing", err, fs.ErrNotExist)
}

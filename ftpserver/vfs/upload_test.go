package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestUploadAppearsWhole(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "old")
	u := begin(t, f, "/./x/../a", CreateTruncate, 0, "new content")
	d.wantFile("a", "old")
	if u.Name() != "/a" {
		t.Errorf("is called %s, want /a", u.Name())
	}
	if strings.Contains(u.File().Name(), d.root) {
		t.Errorf("the file's errors would tell the real path: %s", u.File().Name())
	}
	size, err := u.Commit()
	if err != nil || size != 11 {
		t.Errorf("%d bytes, %v; want 11", size, err)
	}
	d.wantFile("a", "new content")
	d.wantNames("", "a")
}

func TestUploadEndsOnce(t *testing.T) {
	ends := map[string]func(*Upload) error{
		"Commit":    func(u *Upload) error { _, err := u.Commit(); return err },
		"Interrupt": (*Upload).Interrupt,
		"Discard":   (*Upload).Discard,
	}
	for first, end := range ends {
		for second, again := range ends {
			d := newDisk(t)
			u := begin(t, d.user("u", config.RoleReadWrite), "/a", CreateTruncate, 0, "x")
			if err := end(u); err != nil {
				t.Errorf("%s: %v", first, err)
			}
			before, _ := os.ReadDir(d.path(""))
			wantError(t, second+" after "+first, again(u), fs.ErrClosed)
			if after, _ := os.ReadDir(d.path("")); len(after) != len(before) {
				t.Errorf("%s after %s changed the directory", second, first)
			}
		}
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	d := newDisk(t)
	d.write("a", "old")
	u := begin(t, d.user("u", config.RoleReadWrite), "/a", CreateTruncate, 0, "new")
	if err := u.Discard(); err != nil {
		t.Error(err)
	}
	d.wantFile("a", "old")
	d.wantNames("", "a")
}

func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	store(t, f, "/new", CreateTruncate, 0, "n")
	for name, mode := range map[string]fs.FileMode{"private": 0o600, "open": 0o666, "script": 0o755} {
		d.write(name, "old")
		if err := os.Chmod(d.path(name), mode|fs.ModeSetuid); err != nil {
			t.Fatal(err)
		}
		store(t, f, "/"+name, CreateTruncate, 0, "new")
		if st, _ := os.Stat(d.path(name)); st.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, st.Mode(), mode)
		}
	}
	if st, _ := os.Stat(d.path("new")); st.Mode() != 0o640 {
		t.Errorf("a new file has mode %v, want 0640", st.Mode())
	}
}

func TestLongestName(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	name := strings.Repeat("é", 127) + "x"
	interrupt(t, f, "/"+name, "12")
	store(t, f, "/"+name, CreateAppend, 0, "34")
	d.wantFile(name, "1234")
}

func TestLinkIsNoTarget(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "old")
	d.symlink("file", "link")
	d.symlink("none", "dangling")
	for _, p := range []string{"/link", "/dangling"} {
		_, err := f.Create(p, CreateTruncate, 0)
		wantError(t, p, err, ErrNotRegular)
	}
	d.wantNames("", "dangling", "file", "link")
}

func TestCreateRefused(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "x")
	d.mkdir("dir")
	for p, want := range map[string]error{
		"/": ErrIsDir, "/dir": ErrIsDir, "/none/a": fs.ErrNotExist, "/file/a": ErrNotDir,
		"/.ftpserver-x": ErrName, "/.ftpserver-x/a": fs.ErrNotExist, "/a\x00": ErrName,
		"/" + strings.Repeat("x", 256): ErrName,
	} {
		_, err := f.Create(p, CreateTruncate, 0)
		wantError(t, fmt.Sprintf("%.20q", p), err, want)
	}
}

func TestCommitOntoDirectory(t *testing.T) {
	d := newDisk(t)
	u := begin(t, d.user("u", config.RoleReadWrite), "/a", CreateTruncate, 0, "x")
	d.mkdir("a")
	_, err := u.Commit()
	wantError(t, "Commit", err, ErrIsDir)
	d.wantNames("", "a")
}

// TestDropBoxNeverOverwrites lets many uploads to one name pass Create together:
// one wins, and the others leave nothing behind.
func TestDropBoxNeverOverwrites(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleWriteOnly)
	uploads := make([]*Upload, 20)
	for i := range uploads {
		uploads[i] = begin(t, f, "/a", CreateTruncate, 0, fmt.Sprint(i))
	}
	won := make(chan string, len(uploads))
	var wg sync.WaitGroup
	for i, u := range uploads {
		wg.Go(func() {
			_, err := u.Commit()
			if err == nil {
				won <- fmt.Sprint(i)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("error is %v, want that the file exists", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d uploads won, want one", len(won))
	}
	d.wantFile("a", <-won)
	d.wantNames("", "a")
	_, err := f.Create("/a", CreateTruncate, 0)
	wantError(t, "Create", err, ErrRole)
}

func TestManyAtOnce(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 30 {
				p, content := fmt.Sprintf("/f%d", n), strings.Repeat(fmt.Sprint(i%10), 100)
				u, err := f.Create(p, CreateTruncate, 0)
				if err == nil {
					err = u.Prepare(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = u.File().WriteString(content)
				end := []func() error{u.Discard, u.Interrupt, func() error { _, err := u.Commit(); return err }}
				if err := end[(i+n)%3](); err != nil {
					t.Error(err)
				}
				f.PartialSize(p)
				_ = f.Rename(p, p+"x")
			}
		})
	}
	wg.Wait()
	d.wantWhole(100)
}

// wantWhole checks that every visible file is of one upload, and whole.
func (d *disk) wantWhole(size int) {
	d.t.Helper()
	entries, err := os.ReadDir(d.path(""))
	if err != nil || len(entries) == 0 {
		d.t.Fatalf("no files (%v)", err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(d.path(e.Name()))
		if err != nil || len(data) != size || strings.Trim(string(data), string(data[:1])) != "" {
			d.t.Errorf("%s is mixed or not whole: %q, %v", e.Name(), data, err)
		}
		if strings.HasPrefix(e.Name(), temporaryPrefix) {
			d.t.Errorf("%s was left behind", e.Name())
		}
	}
}

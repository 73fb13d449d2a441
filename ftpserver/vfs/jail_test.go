package vfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// openUser opens a view that may do everything in its home.
type openUser func(d *disk) *FS

// eachView runs a test of the jail for users without path rules and with one:
// other code then goes the way to a file.
func eachView(t *testing.T, test func(t *testing.T, open openUser)) {
	t.Run("plain", func(t *testing.T) { test(t, func(d *disk) *FS { return d.user("u", config.RoleReadWrite) }) })
	t.Run("with rules", func(t *testing.T) {
		test(t, func(d *disk) *FS {
			return d.ruled(config.RoleReadWrite, config.PathRule{Path: "/ruled", Role: config.RoleReadOnly})
		})
	})
}

// outside makes a directory beside the home that no user may reach.
func (d *disk) outside() string {
	d.t.Helper()
	dir := filepath.Join(d.root, "outside")
	if err := os.Mkdir(dir, 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o644); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// everyOperation is tried on a path; the answer maps its name to its error.
func everyOperation(f *FS, p string) map[string]error {
	errs := map[string]error{}
	_, errs["Stat"] = f.Stat(p)
	file, _, err := f.Open(p)
	if errs["Open"] = err; err == nil {
		_ = file.Close()
	}
	d, err := f.OpenDir(p)
	if errs["OpenDir"] = err; err == nil {
		_ = d.Close()
	}
	for name, mode := range map[string]CreateMode{"Create": CreateTruncate, "Append": CreateAppend, "Restart": CreateAt} {
		u, err := f.Create(p, mode, 1)
		if errs[name] = err; err == nil {
			_ = u.Discard()
		}
	}
	when, mode := time.Unix(1, 0), fs.FileMode(0o600)
	_, errs["SetTime"] = f.SetAttributes(p, Attributes{Modified: &when, Accessed: &when})
	_, errs["SetMode"] = f.SetAttributes(p, Attributes{Mode: &mode})
	_, errs["Available"] = f.Available(p)
	_, _, errs["Combine"] = f.Combine(context.Background(), "/combined", []string{p}, nil)
	errs["CheckRename"] = f.CheckRename(p)
	errs["RenameFrom"] = f.Rename(p, "/elsewhere")
	errs["Mkdir"] = f.Mkdir(p)
	errs["Rmdir"] = f.Rmdir(p)
	errs["Remove"] = f.Remove(p)
	return errs
}

func TestNoWayOut(t *testing.T) { eachView(t, checkNoWayOut) }

func checkNoWayOut(t *testing.T, open openUser) {
	d := newDisk(t)
	outside := d.outside()
	f := open(d)
	d.mkdir("sub")
	d.symlink("../outside", "rel")
	d.symlink(outside, "abs")
	d.symlink("sub/../../outside", "dotted")
	d.symlink("rel", "chain")
	for _, p := range []string{"/rel/secret", "/abs/secret", "/dotted/secret", "/chain/secret", "/rel/new"} {
		for op, err := range everyOperation(f, p) {
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s %s: error is %v, want permission denied", op, p, err)
			}
			if err != nil && strings.Contains(err.Error(), d.root) {
				t.Errorf("%s %s: error tells the real path: %v", op, p, err)
			}
		}
	}
	for _, p := range []string{"/rel", "/abs", "/../outside", "/../../outside/secret"} {
		if _, err := f.OpenDir(p); err == nil {
			t.Errorf("%s can be listed", p)
		}
		if _, _, err := f.Open(p); err == nil {
			t.Errorf("%s can be opened", p)
		}
	}
	wantOnlySecret(t, outside)
}

func wantOnlySecret(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("outside the home are %v, %v; want the secret alone", entries, err)
	}
	st, err := os.Stat(filepath.Join(dir, "secret"))
	if err != nil || st.Size() != 6 || st.Mode() != 0o644 || st.ModTime().Before(time.Unix(1e9, 0)) {
		t.Errorf("the secret has changed: %v, %v", st, err)
	}
}

func TestLinksInsideAreFollowed(t *testing.T) { eachView(t, checkLinksInsideAreFollowed) }

func checkLinksInsideAreFollowed(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	d.write("real/file", "inside")
	d.symlink("real", "dir")
	d.symlink("real/file", "link")
	for _, p := range []string{"/dir/file", "/link"} {
		file, i, err := f.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(file)
		_ = file.Close()
		if string(got) != "inside" || err != nil || i.Size != 6 {
			t.Errorf("%s holds %q (%v, %+v)", p, got, err, i)
		}
	}
	if i, err := f.Stat("/dir"); err != nil || !i.Dir || i.Name != "dir" {
		t.Errorf("the linked directory is %+v, %v", i, err)
	}
	store(t, f, "/dir/new", CreateTruncate, 0, "n")
	d.wantFile("real/new", "n")
	if err := f.Remove("/dir"); err != nil {
		t.Error(err)
	}
	d.wantFile("real/file", "inside")
}

// TestLinksInACircle: a path that never ends is refused as such.
func TestLinksInACircle(t *testing.T) { eachView(t, checkLinksInACircle) }

func checkLinksInACircle(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	d.mkdir("")
	d.symlink("b", "a")
	d.symlink("a", "b")
	for _, p := range []string{"/a", "/a/file"} {
		_, err := f.Stat(p)
		wantError(t, "stat "+p, err, ErrLinks)
		_, _, err = f.Open(p)
		wantError(t, "open "+p, err, ErrLinks)
	}
	_, err := f.Create("/a/file", CreateTruncate, 0)
	wantError(t, "store", err, ErrLinks)
}

// TestNoWayOutUnderRace swaps a directory and a link to the outside while users
// work below it: whatever they achieve, it is never outside.
func TestNoWayOutUnderRace(t *testing.T) { eachView(t, checkNoWayOutUnderRace) }

func checkNoWayOutUnderRace(t *testing.T, open openUser) {
	d := newDisk(t)
	outside := d.outside()
	f := open(d)
	d.mkdir("real")
	d.symlink("../outside", "link")
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			_ = os.Rename(d.path("real"), d.path("at"))
			_ = os.Rename(d.path("at"), d.path("real"))
			_ = os.Rename(d.path("link"), d.path("at"))
			_ = os.Rename(d.path("at"), d.path("link"))
		}
	})
	reached := 0
	for range 3000 {
		if u, err := f.Create("/at/new", CreateTruncate, 0); err == nil {
			reached++
			if err := publish(u, nil); err != nil {
				t.Error(err)
			}
		}
		if file, _, err := f.Open("/at/secret"); err == nil {
			_ = file.Close()
			t.Error("the secret was opened")
		}
		_, _ = f.SetAttributes("/at/secret", Attributes{Modified: new(time.Unix(1, 0)), Mode: new(fs.FileMode(0o600))})
		_, _, _ = f.Combine(t.Context(), "/combined", []string{"/at/secret"}, nil)
		_ = f.Mkdir("/at/dir")
		_ = f.Remove("/at/secret")
		_ = f.Rename("/at/secret", "/stolen")
	}
	close(done)
	wg.Wait()
	if reached == 0 {
		t.Error("the directory was never reached: the test shows nothing")
	}
	wantOnlySecret(t, outside)
}

func TestOpenTakesRegularFilesOnly(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.mkdir("dir")
	if err := syscall.Mkfifo(d.path("fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	t.Chdir(d.path("")) // the address of a socket must be short
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: "socket"}); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]error{
		"/fifo": ErrNotRegular, "/socket": ErrNotRegular, "/dir": ErrIsDir, "/": ErrIsDir, "/none": fs.ErrNotExist,
	} {
		_, _, err := f.Open(p)
		wantError(t, "open "+p, err, want)
		if p == "/none" {
			continue
		}
		for _, mode := range []CreateMode{CreateTruncate, CreateAt, CreateAppend} {
			_, err := f.Create(p, mode, 1)
			wantError(t, "store "+p, err, want)
		}
	}
	d.wantNames("", "dir", "fifo", "socket")
}

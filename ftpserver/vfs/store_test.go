package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// disk is a real directory with a store on it.
type disk struct {
	t     *testing.T
	root  string
	store *Store
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	return openDisk(t, t.TempDir(), Options{Slot: 1, BootID: "boot-2", Durability: config.DurabilityNone})
}

func openDisk(t *testing.T, root string, o Options) *disk {
	t.Helper()
	s, err := OpenStore(root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &disk{t, root, s}
}

// user opens the view of a user whose home is /home.
func (d *disk) user(name string, role config.Role) *FS {
	d.t.Helper()
	f, err := d.store.FS(config.User{Name: name, Home: "/home", Role: role})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (d *disk) configure(c config.Storage) {
	d.t.Helper()
	if err := d.store.Configure(c); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) path(rel string) string { return filepath.Join(d.root, "home", rel) }

func (d *disk) write(rel, content string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(rel)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(rel), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) mkdir(rel string) {
	d.t.Helper()
	if err := os.MkdirAll(d.path(rel), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) symlink(target, rel string) {
	d.t.Helper()
	if err := os.Symlink(target, d.path(rel)); err != nil {
		d.t.Fatal(err)
	}
}

// wantFile holds the content of a file on the disk against what it should be.
func (d *disk) wantFile(rel, want string) {
	d.t.Helper()
	got, err := os.ReadFile(d.path(rel))
	if err != nil || string(got) != want {
		d.t.Errorf("%s holds %.40q (%v), want %.40q", rel, got, err, want)
	}
}

func (d *disk) wantAbsent(rel string) {
	d.t.Helper()
	if _, err := os.Lstat(d.path(rel)); !errors.Is(err, fs.ErrNotExist) {
		d.t.Errorf("%s is there (%v), want it absent", rel, err)
	}
}

// wantNames holds all names in a directory, hidden ones too, against the wanted.
func (d *disk) wantNames(rel string, want ...string) {
	d.t.Helper()
	entries, err := os.ReadDir(d.path(rel))
	if err != nil {
		d.t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		d.t.Errorf("%s holds %q, want %q", rel, got, want)
	}
}

// begin creates an upload and writes data into it.
func begin(t *testing.T, f *FS, p string, mode CreateMode, offset int64, data string) *Upload {
	t.Helper()
	u, err := f.Create(p, mode, offset)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u.File(), data); err != nil {
		t.Fatal(err)
	}
	return u
}

func store(t *testing.T, f *FS, p string, mode CreateMode, offset int64, data string) {
	t.Helper()
	if _, err := begin(t, f, p, mode, offset, data).Commit(); err != nil {
		t.Fatal(err)
	}
}

func interrupt(t *testing.T, f *FS, p, data string) {
	t.Helper()
	if err := begin(t, f, p, CreateTruncate, 0, data).Interrupt(); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, what string, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%s: error is %v, want %v", what, err, w)
		}
	}
}

func TestOpenStoreRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := Options{BootID: "b"}
	for name, c := range map[string]struct {
		root string
		o    Options
		want string
	}{
		"absent":        {filepath.Join(dir, "none"), good, "does not exist; create it"},
		"file":          {file, good, "is not a directory"},
		"read-only":     {"/proc/sys", good, "may not read and write it"},
		"no boot id":    {dir, Options{}, "boot id"},
		"bad boot id":   {dir, Options{BootID: "a/b"}, "boot id"},
		"negative slot": {dir, Options{Slot: -1, BootID: "b"}, "slot -1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := OpenStore(c.root, c.o)
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that holds %q", err, c.want)
			}
		})
	}
}

func TestFreeBytes(t *testing.T) {
	d := newDisk(t)
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.root, &st); err != nil {
		t.Fatal(err)
	}
	total := int64(st.Blocks) * st.Frsize
	if free := d.store.FreeBytes(); free < 0 || free > total {
		t.Errorf("%d bytes free of %d", free, total)
	}
	_ = d.store.Close()
	if free := d.store.FreeBytes(); free != -1 {
		t.Errorf("%d bytes free on a closed store, want -1", free)
	}
}

func TestHomeIsMade(t *testing.T) {
	d := openDisk(t, t.TempDir(), Options{BootID: "b", Durability: config.DurabilityFull})
	f, err := d.store.FS(config.User{Name: "u", Home: "/teams/red/u", Role: config.RoleReadWrite})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	store(t, f, "/x", CreateTruncate, 0, "x")
	if got, err := os.ReadFile(filepath.Join(d.root, "teams/red/u/x")); string(got) != "x" {
		t.Errorf("file in the home: %q, %v", got, err)
	}
	if st, err := os.Stat(filepath.Join(d.root, "teams")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("home's parent: %v, %v; want mode 0755", st, err)
	}
}

func TestHomeRefused(t *testing.T) {
	d := newDisk(t)
	d.write("file", "x")
	if err := syscall.Mkfifo(d.path("fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.symlink("/", "out")
	for home, want := range map[string]error{
		"/home/file":             ErrNotDir,
		"/home/file/x":           ErrNotDir,
		"/home/fifo":             ErrNotDir,
		"/home/out":              fs.ErrPermission,
		"/home/out/tmp/x":        fs.ErrPermission,
		"/.ftpserver-tmp-1/u":    fs.ErrNotExist,
		"/a\x00b":                ErrName,
		strings.Repeat("a", 256): ErrName,
	} {
		_, err := d.store.FS(config.User{Name: "u", Home: home, Role: config.RoleReadOnly})
		wantError(t, "home "+home, err, want)
		if err != nil && strings.Contains(err.Error(), d.root) {
			t.Errorf("error tells the real path: %v", err)
		}
	}
	if _, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: "Owner"}); err == nil {
		t.Error("an unknown role gets a view")
	}
}

func TestAdminStartsInHomeAndSeesAll(t *testing.T) {
	d := newDisk(t)
	d.write("mine", "m")
	if err := os.WriteFile(filepath.Join(d.root, "top"), []byte("t"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := d.user("root", config.RoleAdmin)
	if f.Start() != "/home" {
		t.Errorf("starts in %s, want /home", f.Start())
	}
	for _, p := range []string{"/top", "/home/mine"} {
		if _, err := f.Stat(p); err != nil {
			t.Error(err)
		}
	}
	if f := d.user("u", config.RoleReadWrite); f.Start() != "/" {
		t.Errorf("a user starts in %s, want /", f.Start())
	}
}

func TestClosedViewFailsButUploadsGoOn(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	u := begin(t, f, "/a", CreateTruncate, 0, "whole")
	_ = f.Close()
	_, err := f.Stat("/")
	wantError(t, "Stat", err, fs.ErrClosed)
	if _, err := u.Commit(); err != nil {
		t.Error(err)
	}
	d.wantFile("a", "whole")
}

// newLog is a log that can be read.
func newLog() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

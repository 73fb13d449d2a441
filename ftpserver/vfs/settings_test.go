package vfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestUmask runs under several umasks of the process: with storage.umask set they
// do not count, without it they do, as before there was such a setting.
func TestUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	for _, c := range []struct {
		process   int
		umask     string
		file, dir fs.FileMode
	}{
		{0o022, "", 0o644, 0o755}, {0, "", 0o644, 0o755}, {0o077, "", 0o600, 0o700},
		{0o022, "002", 0o664, 0o775}, {0o077, "000", 0o666, 0o777}, {0, "027", 0o640, 0o750},
	} {
		for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
			syscall.Umask(c.process)
			d := newDisk(t)
			d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: uploads, Umask: c.umask})
			f := d.user("u", config.RoleReadWrite)
			store(t, f, "/new", CreateTruncate, 0, "x")
			if err := f.Mkdir("/dir"); err != nil {
				t.Fatal(err)
			}
			d.write("old", "x")
			if err := os.Chmod(d.path("old"), 0o604); err != nil {
				t.Fatal(err)
			}
			store(t, f, "/old", CreateTruncate, 0, "y")
			for name, want := range map[string]fs.FileMode{"new": c.file, "dir": c.dir, "old": 0o604, "": c.dir} {
				fi, err := os.Stat(d.path(name))
				if err != nil || fi.Mode().Perm() != want {
					t.Errorf("umask %q in a process with %03o, %s: %q has mode %v (%v), want %v", c.umask, c.process, uploads, name, fi.Mode(), err, want)
				}
			}
		}
	}
}

// TestUmaskKeepsTheGroup: a directory whose parent hands its group down does so
// too.
func TestUmaskKeepsTheGroup(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.configure(config.Storage{Durability: config.DurabilityNone, Umask: "002"})
	d.mkdir("shared")
	if err := os.Chmod(d.path("shared"), 0o775|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := f.Mkdir("/shared/dir"); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(d.path("shared/dir"))
	if err != nil || fi.Mode().Perm() != 0o775 || fi.Mode()&fs.ModeSetgid == 0 {
		t.Errorf("mode is %v (%v)", fi.Mode(), err)
	}
}

// TestOverwriteDenied: no file loses what it holds, whichever command is tried;
// to add to it and to go on with one's own upload is no overwriting.
func TestOverwriteDenied(t *testing.T) {
	for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
		d := newDisk(t)
		d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: uploads, Overwrite: config.OverwriteDeny})
		f := d.user("u", config.RoleReadWrite)
		d.write("old", "0123456789")
		d.write("other", "x")
		for _, c := range []struct {
			mode   CreateMode
			offset int64
		}{{CreateTruncate, 0}, {CreateAt, 4}} {
			_, err := f.Create("/old", c.mode, c.offset)
			wantError(t, "Create", err, ErrTaken)
		}
		wantError(t, "Rename", f.Rename("/other", "/old"), ErrTaken)
		d.wantFile("old", "0123456789")
		d.wantFile("other", "x")
		i, err := f.Stat("/old")
		if err != nil || i.Content.has(OpOverwrite) || !i.Content.has(OpAppend) {
			t.Errorf("what the user is told to hold: %b, %v", i.Content, err)
		}

		u, err := f.Create("/new", CreateTruncate, 0)
		if err != nil {
			t.Fatal(err)
		}
		d.write("new", "theirs")
		err = u.Prepare(t.Context())
		if err == nil {
			_, err = u.Commit()
		} else {
			_ = u.Interrupt()
		}
		wantError(t, "a name that was taken meanwhile", err, ErrTaken)
		d.wantFile("new", "theirs")

		store(t, f, "/old", CreateAppend, 0, "+")
		d.wantFile("old", "0123456789+")
		if err := f.Rename("/other", "/else"); err != nil {
			t.Error(err)
		}
		d.mkdir("dir")
		if err := f.Rename("/dir", "/moved"); err != nil {
			t.Error(err)
		}
		if uploads == config.UploadsAtomic {
			interrupt(t, f, "/part", "half")
			store(t, f, "/part", CreateAt, 4, "+half")
			d.wantFile("part", "half+half")
		}
	}
}

// TestOverwriteByRule: a rule's word goes before the server's, either way.
func TestOverwriteByRule(t *testing.T) {
	for server, rules := range map[config.Overwrite]config.Overwrite{config.OverwriteAllow: config.OverwriteDeny, config.OverwriteDeny: config.OverwriteAllow} {
		d := newDisk(t)
		d.configure(config.Storage{Durability: config.DurabilityNone, Overwrite: server})
		d.write("x", "x")
		d.write("in/x", "x")
		f, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite, Paths: []config.PathRule{{Path: "/in", Role: config.RoleReadWrite, Overwrite: rules}}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for p, word := range map[string]config.Overwrite{"/x": server, "/in/x": rules} {
			u, err := f.Create(p, CreateTruncate, 0)
			if err == nil {
				_ = u.Discard()
			}
			if errors.Is(err, ErrTaken) != (word == config.OverwriteDeny) {
				t.Errorf("server %s, rule %s, %s: %v", server, rules, p, err)
			}
		}
	}
}

// TestHiddenFiles: they are left out of listings, also of names alone; who knows
// one can use it, and a directory that holds one is not empty.
func TestHiddenFiles(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("dir/.profile", "x")
	d.write("dir/seen", "x")
	list := func() []string {
		var out []string
		l, err := f.OpenDir("/dir")
		if err != nil {
			t.Fatal(err)
		}
		infos, err := l.Next(10)
		for err == nil {
			for _, i := range infos {
				out = append(out, i.Name)
			}
			infos, err = l.Next(10)
		}
		_ = l.Close()
		slices.Sort(out)
		return out
	}
	if got := list(); !slices.Equal(got, []string{".profile", "seen"}) {
		t.Errorf("shown: %q", got)
	}
	d.configure(config.Storage{Durability: config.DurabilityNone, HiddenFiles: config.HiddenFilesHide})
	if got := list(); !slices.Equal(got, []string{"seen"}) {
		t.Errorf("hidden: %q", got)
	}
	if _, err := f.Stat("/dir/.profile"); err != nil {
		t.Error(err)
	}
	if err := f.Remove("/dir/seen"); err != nil {
		t.Error(err)
	}
	wantError(t, "Rmdir", f.Rmdir("/dir"), ErrNotEmpty)
	d.wantFile("dir/.profile", "x")
}

// TestNameRules: for every way to a new name, and before anything is made.
func TestNameRules(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("old.exe", "x")
	d.write("old.pdf", "x")
	d.mkdir("dir")
	d.configure(config.Storage{Durability: config.DurabilityNone, Names: config.Names{Allowed: []string{"*.pdf", "?[0-9]"}, Denied: []string{".*", "~*", "*.EXE*"}}})
	for name, want := range map[string]error{
		"a.pdf": nil, "A.PDF": nil, "x7": nil, "xx7": ErrNameNotAllowed, "a.txt": ErrNameNotAllowed, "a.pdf.part": ErrNameNotAllowed,
		".a.pdf": ErrNameDenied, "~a.pdf": ErrNameDenied, "a.exe.pdf": ErrNameDenied, "a.Exe": ErrNameDenied, "\xff.pdf": nil, strings.Repeat("*", 200): ErrNameNotAllowed,
	} {
		for _, mode := range []CreateMode{CreateTruncate, CreateAppend} {
			u, err := f.Create("/dir/"+name, mode, 0)
			if err == nil {
				_ = u.Discard()
			}
			if want == nil && err != nil || !errors.Is(err, want) || want != nil && !errors.Is(err, ErrName) {
				t.Errorf("Create %q: %v, want %v", name, err, want)
			}
		}
		err := f.Rename("/old.pdf", "/dir/"+name)
		if want == nil && err != nil || !errors.Is(err, want) {
			t.Errorf("Rename to %q: %v, want %v", name, err, want)
		}
		if err == nil {
			if err := os.Rename(d.path("dir/"+name), d.path("old.pdf")); err != nil {
				t.Fatal(err)
			}
		}
		if errors.Is(want, ErrNameNotAllowed) {
			want = nil // directories may have any name that is not denied
		}
		if err := f.Mkdir("/dir/" + name); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("Mkdir %q: %v, want %v", name, err, want)
		}
		_ = os.Remove(d.path("dir/" + name))
	}
	_, err := f.Create("/old.exe", CreateAppend, 0)
	wantError(t, "APPE to a file that is there", err, ErrNameDenied)
	if err := f.Remove("/old.exe"); err != nil {
		t.Errorf("what is there can't be removed: %v", err)
	}
	d.wantNames("dir")
}

package vfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system/fault"
)

// The errors that each call fails with, one at a time.
var diskErrors = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EACCES, syscall.EMFILE, syscall.ENOENT}

// TestFaultAtEachCall lets every call of every operation fail once, with every
// error, and all from each call on, as where a disk is lost. Whatever fails, the name holds what it held or all that is new; without
// an error, it holds what is new; nothing is left over that was not told; the
// account is what the disk holds; and the next operation works.
func TestFaultAtEachCall(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what leaks
	for name, c := range faultCases() {
		for _, quota := range []int64{0, 1 << 20} {
			t.Run(fmt.Sprintf("%s/quota %d", name, quota), func(t *testing.T) {
				calls, after := c.unharmed(t, quota)
				if len(calls) == 0 {
					t.Fatal("it makes no call")
				}
				for n, call := range calls {
					for _, errno := range diskErrors {
						if errno == syscall.ENOENT && (call.Kind == "Fstatat" || call.Kind == "Unlinkat") {
							continue // which says of a name that is there that it is not
						}
						c.fails(t, quota, n, n, call, errno, after)
					}
					c.fails(t, quota, n, math.MaxInt, call, syscall.EIO, after)
				}
			})
		}
		debug.FreeOSMemory()
	}
}

// broken is a home on a system that may fail.
type broken struct {
	*disk
	sys *fault.System
	fs  *FS
	log bytes.Buffer
}

func (c *faultCase) open(t *testing.T, quota int64) *broken {
	t.Helper()
	parent := "/dev/shm" // where there is one: many small homes
	if _, err := os.Stat(parent); err != nil {
		parent = t.TempDir()
	}
	root, err := os.MkdirTemp(parent, "vfs-fault-")
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{sys: &fault.System{}}
	o := Options{BootID: "b", Durability: c.durable, System: b.sys, Log: slog.New(slog.NewTextHandler(&b.log, nil))}
	s, err := OpenStore(root, o)
	if err != nil {
		t.Fatal(err)
	}
	b.disk = &disk{t, root, s}
	set := c.set
	set.Durability = c.durable
	b.configure(set)
	b.write("old", "0123456789")
	b.mkdir("dir")
	b.mkdir("empty")
	if c.before != nil {
		f, err := s.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite})
		if err != nil {
			t.Fatal(err)
		}
		c.before(b.disk, f)
		_ = f.Close()
	}
	if b.fs, err = s.FS(config.User{Name: "u", Home: "/home", Role: c.role, Paths: c.paths, Quota: config.Quota{Bytes: quota}}); err != nil {
		t.Fatal(err)
	}
	b.fs.Quota() // is counted from here on
	return b
}

func (b *broken) close() {
	_ = b.fs.Close()
	_ = b.store.Close()
	_ = os.RemoveAll(b.root)
}

// unharmed runs the operation where nothing fails.
func (c *faultCase) unharmed(t *testing.T, quota int64) (calls []fault.Call, after map[string]string) {
	t.Helper()
	b := c.open(t, quota)
	defer b.close()
	b.sys.Judge(func(int, fault.Call) error { return nil })
	if err := c.run(b.fs); err != nil {
		t.Fatal(err)
	}
	calls = b.sys.Heal()
	after, _ = b.state()
	return calls, after
}

func (c *faultCase) fails(t *testing.T, quota int64, n, last int, call fault.Call, errno syscall.Errno, after map[string]string) {
	t.Helper()
	b := c.open(t, quota)
	defer b.close()
	before, hidden := b.state()
	open := descriptors(t)
	b.sys.Judge(func(i int, _ fault.Call) error {
		if n <= i && i <= last {
			return errno
		}
		return nil
	})
	err := c.run(b.fs)
	b.sys.Heal()
	what := fmt.Sprintf("call %d (%s) fails (%v): %v", n, call, errno, err)
	if last > n {
		what = "from there on, " + what
	}
	if got := descriptors(t); got != open {
		t.Errorf("%s: %d descriptors became %d", what, open, got)
	}
	c.judgeState(t, b, what, err, last > n, before, after)
	b.judgeLeftovers(t, what, err, call.Kind == "Unlinkat" || last > n, hidden)
	if err != nil && strings.Contains(err.Error(), b.root) {
		t.Errorf("%s: the error tells of the disk", what)
	}
	b.judgeAccount(t, what)
	b.goesOn(t, what)
}

func (c *faultCase) judgeState(t *testing.T, b *broken, what string, err error, lost bool, before, after map[string]string) {
	t.Helper()
	state, _ := b.state()
	switch {
	case maps.Equal(state, after):
	case err == nil:
		t.Errorf("%s: without an error, the home holds %q, want %q", what, state, after)
	case maps.Equal(state, before):
	case c.between != nil && c.between(state, lost):
	default:
		t.Errorf("%s: the home holds %q, neither %q nor %q", what, state, before, after)
	}
}

// judgeLeftovers: a hidden file more than before is an interrupted upload, or a
// temporary that could not be removed, and then the error or the log says so.
func (b *broken) judgeLeftovers(t *testing.T, what string, err error, maybe bool, before int) {
	t.Helper()
	_, hidden := b.state()
	if hidden <= before {
		return
	}
	names, _ := filepath.Glob(b.path(".ftpserver-tmp-*"))
	if len(names) == 0 {
		return // a partial upload
	}
	if !maybe || err == nil && !strings.Contains(b.log.String(), "level=WARN") {
		t.Errorf("%s: %q are left; the log says %q", what, names, b.log.String())
	}
}

// judgeAccount holds what is known of the home against what is counted anew.
func (b *broken) judgeAccount(t *testing.T, what string) {
	t.Helper()
	a := b.fs.account
	if a == nil {
		return
	}
	a.mu.Lock()
	outdated := a.ended.IsZero()
	a.mu.Unlock()
	if outdated { // which the next command does
		a.mu.Lock()
		running := a.count()
		a.mu.Unlock()
		await(running, time.Minute)
	}
	counted, _, err := b.store.census(a)
	bytes, files := a.used()
	if err != nil || counted != (tally{bytes, files}) {
		t.Errorf("%s: the account tells %v, the disk holds %v (%v)", what, tally{bytes, files}, counted, err)
	}
}

// goesOn: what works in a sound home works again.
func (b *broken) goesOn(t *testing.T, what string) {
	t.Helper()
	if err := uploading("/after", CreateTruncate, 0)(b.fs); err != nil {
		t.Errorf("%s: the next upload: %v", what, err)
	}
	b.wantFile("after", "data")
	if b.fs.top.held.has(OpRead) {
		for _, err := range []error{reading(b.fs), listing(b.fs)} {
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrRole) {
				t.Errorf("%s: the next download or listing: %v", what, err)
			}
		}
	}
}

// state is what the home shows: the content of each file, by its path, with
// letters that were drawn left out; and how many hidden files there are.
func (b *broken) state() (shown map[string]string, hiddenFiles int) {
	shown = map[string]string{}
	home := b.path("")
	_ = filepath.WalkDir(home, func(p string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(strings.TrimPrefix(p, home), "/")
		switch {
		case err != nil || name == "":
		case hidden(filepath.Base(name)):
			hiddenFiles++
		case e.IsDir():
			shown[name+"/"] = ""
		default:
			data, _ := os.ReadFile(p)
			if strings.HasPrefix(name, "new-") {
				name = "new-*"
			}
			i, _ := e.Info()
			shown[name] = string(data)
			if i != nil && i.ModTime().Unix() == 1 {
				shown[name] += " of 1970"
			}
		}
		return nil
	})
	return shown, hiddenFiles
}

// TestFaultAtLogin lets every call fail that opens a home and makes what is
// missing: nothing stays open, and the next login works.
func TestFaultAtLogin(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what leaks
	user := config.User{Name: "v", Home: "/new/home", Role: config.RoleReadWrite, Quota: config.Quota{Bytes: 1 << 20},
		Paths: []config.PathRule{{Path: "/in/box", Role: config.RoleWriteOnly}}}
	login := func(f *FS) error {
		home, err := f.store.FS(user)
		if err == nil {
			home.Quota()
			err = home.Close()
		}
		return err
	}
	c := faultCase{role: config.RoleReadWrite, durable: config.DurabilityFull, set: config.Storage{Umask: "007"}, run: login}
	calls, _ := c.unharmed(t, 0)
	for n, call := range calls {
		b := c.open(t, 0)
		open := descriptors(t)
		b.sys.FailNth(n, syscall.EIO)
		err := c.run(b.fs)
		b.sys.Heal()
		if got := descriptors(t); got != open {
			t.Errorf("call %d (%s): %d descriptors became %d (%v)", n, call, open, got, err)
		}
		if err := c.run(b.fs); err != nil {
			t.Errorf("call %d (%s): the next login: %v", n, call, err)
		}
		b.close()
	}
}

// TestFaultInSweep: what can't be read or removed is told and left; the rest is
// swept, and the next sweep gets what was left.
func TestFaultInSweep(t *testing.T) {
	stale := func(d *disk, _ *FS) {
		for _, name := range []string{".ftpserver-tmp-0-a-1", "dir/.ftpserver-tmp-0-a-2", "empty/.ftpserver-tmp-0-a-3"} {
			d.write(name, "x")
		}
	}
	sweep := func(f *FS) error { _, err := f.store.Sweep(context.Background()); return err }
	c := faultCase{role: config.RoleReadWrite, before: stale, run: sweep}
	calls, _ := c.unharmed(t, 0)
	for n, call := range calls {
		b := c.open(t, 0)
		open := descriptors(t)
		b.sys.FailNth(n, syscall.EIO)
		got, err := b.store.Sweep(t.Context())
		b.sys.Heal()
		if call.Kind != "Close" && (err == nil && got.Failed == 0 || err == nil && !strings.Contains(b.log.String(), "input/output error")) {
			t.Errorf("call %d (%s): %+v, %v, the log says %q", n, call, got, err, b.log.String())
		}
		if now := descriptors(t); now != open {
			t.Errorf("call %d (%s): %d descriptors became %d", n, call, open, now)
		}
		again, err := b.store.Sweep(t.Context())
		if err != nil || got.Temporaries+again.Temporaries != 3 {
			t.Errorf("call %d (%s): %+v, then %+v (%v)", n, call, got, again, err)
		}
		b.close()
	}
}

// TestFaultInterrupted: a call that a signal has interrupted is made again.
func TestFaultInterrupted(t *testing.T) {
	for name, c := range faultCases() {
		t.Run(name, func(t *testing.T) {
			calls, after := c.unharmed(t, 0)
			for n, call := range calls {
				if !slices.Contains([]string{"Openat", "Fstatat", "Readlinkat", "Renameat", "Linkat", "Unlinkat", "Mkdirat", "Fstat", "Fstatfs", "Fchmod", "Utimes"}, call.Kind) {
					continue // package os makes it again by itself
				}
				b := c.open(t, 0)
				b.sys.FailNth(n, syscall.EINTR)
				if err := c.run(b.fs); err != nil {
					t.Errorf("call %d (%s): %v", n, call, err)
				}
				b.sys.Heal()
				if state, _ := b.state(); !maps.Equal(state, after) {
					t.Errorf("call %d (%s): the home holds %q, want %q", n, call, state, after)
				}
				b.close()
			}
		})
	}
}

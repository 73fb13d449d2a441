package vfs

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestTwoAppends: of two that were built on one file, the second is refused, and
// what the first has brought stays.
func TestTwoAppends(t *testing.T) {
	for name, old := range map[string]string{"to a file": "old,", "to nothing": ""} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			if old != "" {
				d.write("a", old)
			}
			first := begin(t, f, "/a", CreateAppend, 0, "first,")
			second := begin(t, d.user("other", config.RoleReadWrite), "/a", CreateAppend, 0, "second")
			if _, err := first.Commit(); err != nil {
				t.Error(err)
			}
			_, err := second.Commit()
			wantError(t, "the second", err, ErrChanged)
			d.wantFile("a", old+"first,")
			d.wantNames("", "a")
			store(t, f, "/a", CreateAppend, 0, "again")
			d.wantFile("a", old+"first,again")
		})
	}
}

// TestChangedMeanwhile: what is built on a file is not published over another,
// whatever has changed it; a whole file always is.
func TestChangedMeanwhile(t *testing.T) {
	change := map[string]func(d *disk) error{
		"replaced": func(d *disk) error { return os.Rename(d.path("b"), d.path("a")) },
		"removed":  func(d *disk) error { return os.Remove(d.path("a")) },
		"written": func(d *disk) error {
			return os.WriteFile(d.path("a"), []byte("in place and longer"), 0o644)
		},
	}
	for how, do := range change {
		for _, c := range []struct {
			mode CreateMode
			want error
		}{{CreateAppend, ErrChanged}, {CreateAt, ErrChanged}, {CreateTruncate, nil}} {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			d.write("a", "old")
			d.write("b", "new")
			u := begin(t, f, "/a", c.mode, 2, "data")
			if err := do(d); err != nil {
				t.Fatal(err)
			}
			_, err := u.Commit()
			if c.want == nil && err != nil {
				t.Errorf("%s: %v", how, err)
			}
			wantError(t, how, err, c.want)
			if c.want == nil {
				d.wantFile("a", "data")
			}
			d.wantAbsent(u.hidden)
			d.wantAbsent(f.partialName("a"))
		}
	}
}

// TestShrunkBeforeTheCopy: the same before the copy, when only Create has looked.
func TestShrunkBeforeTheCopy(t *testing.T) {
	for how, do := range map[string]func(d *disk) error{
		"removed": func(d *disk) error { return os.Remove(d.path("a")) },
		"shorter": func(d *disk) error { return os.Truncate(d.path("a"), 2) },
	} {
		d := newDisk(t)
		f := d.user("u", config.RoleReadWrite)
		d.write("a", "0123456789")
		u, err := f.Create("/a", CreateAt, 5)
		if err != nil {
			t.Fatal(err)
		}
		if err := do(d); err != nil {
			t.Fatal(err)
		}
		wantError(t, how, u.Prepare(t.Context()), ErrChanged)
		if err := u.Interrupt(); err != nil {
			t.Error(err)
		}
		d.wantAbsent(u.hidden)
		d.wantAbsent(f.partialName("a"))
	}
}

// TestAppendsAtOnce lets many append to one file: every one that is acknowledged
// is in it, once.
func TestAppendsAtOnce(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	const line = "0123456789abcdef\n"
	var mu sync.Mutex
	acknowledged := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				u, err := f.Create("/log", CreateAppend, 0)
				if err == nil {
					err = u.Prepare(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(u.File(), line)
				_, err = u.Commit()
				mu.Lock()
				if err == nil {
					acknowledged++
				} else if !errors.Is(err, ErrChanged) {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	d.wantFile("log", strings.Repeat(line, acknowledged))
	d.wantNames("", "log")
}

// TestAppendToThePartialOfANewFile that somebody else publishes meanwhile: the
// other's file stays, and what arrived is kept together.
func TestAppendToThePartialOfANewFile(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	interrupt(t, f, "/a", "begin,")
	u := begin(t, f, "/a", CreateAppend, 0, "end")
	store(t, d.user("other", config.RoleReadWrite), "/a", CreateTruncate, 0, "theirs")
	_, err := u.Commit()
	wantError(t, "Commit", err, ErrChanged)
	d.wantFile("a", "theirs")
	d.wantFile(f.partialName("a"), "begin,end")
}

// TestOvertakenPartial: a partial that is older than what another user has
// published goes on with nothing: whoever wants to is told, once.
func TestOvertakenPartial(t *testing.T) {
	for _, mode := range []CreateMode{CreateAt, CreateAppend} {
		d := newDisk(t)
		f := d.user("alice", config.RoleReadWrite)
		interrupt(t, f, "/a", "alice")
		past := time.Now().Add(-time.Minute)
		if err := os.Chtimes(d.path(f.partialName("a")), past, past); err != nil {
			t.Fatal(err)
		}
		store(t, d.user("bob", config.RoleReadWrite), "/a", CreateTruncate, 0, "bob's file")
		if size, ok := f.PartialSize("/a"); ok {
			t.Errorf("a file is published, and the partial's size is told: %d", size)
		}
		_, err := f.Create("/a", mode, 5)
		wantError(t, "Create", err, ErrInterrupted, ErrRestart)
		d.wantNames("", "a")
		store(t, f, "/a", mode, 5, "+")
		d.wantFile("a", map[CreateMode]string{CreateAt: "bob's+", CreateAppend: "bob's file+"}[mode])
	}
}

// TestInterruptedCopyIsDropped: the file is there to begin with again, and by
// then it may be another.
func TestInterruptedCopyIsDropped(t *testing.T) {
	for _, mode := range []CreateMode{CreateAt, CreateAppend} {
		d := newDisk(t)
		f := d.user("u", config.RoleReadWrite)
		d.write("a", "old")
		if err := begin(t, f, "/a", mode, 2, "new data").Interrupt(); err != nil {
			t.Error(err)
		}
		d.wantFile("a", "old")
		d.wantNames("", "a")
	}
}

package vfs

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestResume(t *testing.T) {
	const old, partial, data = "0123456789", "abcdef", "XY"
	for _, c := range []struct {
		name         string
		old, partial bool
		mode         CreateMode
		offset       int64
		want         string // empty: ErrRestart
	}{
		{"append to nothing", false, false, CreateAppend, 0, "XY"},
		{"append to the file", true, false, CreateAppend, 0, "0123456789XY"},
		{"append ignores the offset", true, false, CreateAppend, 3, "0123456789XY"},
		{"append to the file or the partial", true, true, CreateAppend, 0, ""},
		{"append to the partial of a new file", false, true, CreateAppend, 0, "abcdefXY"},
		{"restart in the file", true, false, CreateAt, 4, "0123XY"},
		{"restart at the file's end", true, false, CreateAt, 10, "0123456789XY"},
		{"restart beyond the file", true, false, CreateAt, 11, ""},
		{"restart before the file", true, false, CreateAt, -1, ""},
		{"restart in nothing", false, false, CreateAt, 1, ""},
		{"restart at 0 of nothing", false, false, CreateAt, 0, "XY"},
		{"restart at 0 of the file", true, false, CreateAt, 0, "XY"},
		{"restart at 0 of the partial", true, true, CreateAt, 0, "XY"},
		{"restart in the partial", true, true, CreateAt, 2, "abXY"},
		{"restart at the partial's end", false, true, CreateAt, 6, "abcdefXY"},
		{"restart beyond the partial but in the file", true, true, CreateAt, 7, ""},
		{"restart before the partial", true, true, CreateAt, -1, ""},
		{"anew", true, true, CreateTruncate, 0, "XY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			if c.old {
				d.write("a", old)
			}
			if c.partial {
				interrupt(t, f, "/a", partial)
			}
			u, err := f.Create("/a", c.mode, c.offset)
			if c.want == "" {
				wantError(t, "Create", err, ErrRestart)
				wantUntouched(t, d, f, c.old, c.partial)
				return
			}
			if err == nil {
				err = u.Prepare(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(u.File(), data)
			if size, err := u.Commit(); err != nil || size != int64(len(c.want)) {
				t.Errorf("%d bytes, %v; want %d", size, err, len(c.want))
			}
			d.wantFile("a", c.want)
			d.wantNames("", "a")
		})
	}
}

func wantUntouched(t *testing.T, d *disk, f *FS, old, partial bool) {
	t.Helper()
	want := []string{}
	if old {
		d.wantFile("a", "0123456789")
		want = append(want, "a")
	}
	if partial {
		d.wantFile(f.partialName("a"), "abcdef")
		want = append(want, f.partialName("a"))
	}
	d.wantNames("", want...)
}

func TestInterruptKeepsWhatArrived(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	interrupt(t, f, "/a", "12345")
	d.wantAbsent("a")
	if size, ok := f.PartialSize("/a"); !ok || size != 5 {
		t.Errorf("partial has %d bytes (%t), want 5", size, ok)
	}
	if _, ok := d.user("other", config.RoleReadWrite).PartialSize("/a"); ok {
		t.Error("another user sees the partial")
	}
	if _, ok := d.user("u", config.RoleReadOnly).PartialSize("/a"); ok {
		t.Error("a role that cannot upload sees a partial")
	}
	again := openDisk(t, d.root, Options{Slot: 7, BootID: "other"}).user("u", config.RoleReadWrite)
	store(t, again, "/a", CreateAppend, 0, "67")
	d.wantFile("a", "1234567")
	if _, ok := f.PartialSize("/a"); ok {
		t.Error("the partial is still there after the upload completed")
	}
}

func TestInterruptDropsWhatBroughtNothing(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "old")
	for _, mode := range []CreateMode{CreateTruncate, CreateAt, CreateAppend} {
		if err := begin(t, f, "/a", mode, 2, "").Interrupt(); err != nil {
			t.Error(err)
		}
		d.wantNames("", "a")
	}
	if err := f.Remove("/a"); err != nil {
		t.Error(err)
	}
	interrupt(t, f, "/a", "123")
	if err := begin(t, f, "/a", CreateAppend, 0, "").Interrupt(); err != nil {
		t.Error(err)
	}
	if size, ok := f.PartialSize("/a"); !ok || size != 3 {
		t.Errorf("partial has %d bytes (%t) after another attempt, want 3", size, ok)
	}
}

func TestWhatDropsThePartial(t *testing.T) {
	for name, do := range map[string]func(f *FS) error{
		"upload anew": func(f *FS) error { return publish(f.Create("/a", CreateTruncate, 0)) },
		"delete":      func(f *FS) error { return f.Remove("/a") },
		"rename onto": func(f *FS) error { return f.Rename("/b", "/a") },
	} {
		for _, exists := range []bool{true, false} {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			d.write("b", "b")
			if exists {
				d.write("a", "old")
			}
			interrupt(t, f, "/a", "123")
			if err := do(f); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			d.wantAbsent(f.partialName("a"))
		}
	}
}

// TestOneGoesOn lets many sessions go on with one partial: one gets it, the
// others find none.
func TestOneGoesOn(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	for range 50 {
		interrupt(t, f, "/a", "123")
		var got atomic.Int64
		var wg sync.WaitGroup
		uploads := make(chan *Upload, 8)
		for range 8 {
			wg.Go(func() {
				u, err := f.Create("/a", CreateAt, 3)
				if err == nil {
					got.Add(1)
					uploads <- u
				} else if !errors.Is(err, ErrRestart) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(uploads)
		for u := range uploads {
			_, _ = u.Prepare(t.Context()), u.Discard()
		}
		if got.Load() != 1 {
			t.Fatalf("%d sessions go on with the partial, want 1", got.Load())
		}
	}
	d.wantNames("")
}

func TestRefusedRestartOfStrangePartial(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.mkdir("")
	d.write("other", "theirs")
	d.symlink("other", f.partialName("a"))
	if u, err := f.Create("/a", CreateAppend, 0); err == nil {
		_ = u.Discard()
		t.Error("goes on with a link")
	}
	d.wantFile("other", "theirs")
	d.wantNames("", "other", f.partialName("a"))
	if _, ok := f.PartialSize("/a"); ok {
		t.Error("a link is taken for a partial")
	}
}

// TestNewerUploadOfNothing: whoever goes on after an upload that brought nothing has
// its file, and not that of an upload before it. One that never began changes nothing.
func TestNewerUploadOfNothing(t *testing.T) {
	for name, c := range map[string]struct {
		begun bool
		end   func(*Upload) error
		kept  bool
	}{
		"broke off":        {true, (*Upload).Interrupt, false},
		"had no room":      {true, (*Upload).Discard, false},
		"never began":      {false, (*Upload).Interrupt, true},
		"never could have": {false, (*Upload).Discard, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			interrupt(t, f, "/a", "of before")
			u, err := f.Create("/a", CreateTruncate, 0)
			if err == nil && c.begun {
				err = u.Prepare(t.Context())
			}
			if err == nil {
				err = c.end(u)
			}
			if err != nil {
				t.Fatal(err)
			}
			if size, ok := f.PartialSize("/a"); ok != c.kept {
				t.Errorf("a client is told of %d bytes: %t", size, ok)
			}
		})
	}
}

// TestResumeOfWhatIsOnItsWay: the size of a file that is there is no place to go on
// from while an upload that is to replace it is on its way, or was when its process
// was killed: whoever lost it may mean that one.
func TestResumeOfWhatIsOnItsWay(t *testing.T) {
	for name, c := range map[string]struct {
		other   Options // of the process that has the upload
		user    string
		mode    CreateMode
		renewed bool // the file, since
		want    error
	}{
		"another session":               {Options{BootID: "b"}, "u", CreateAt, false, ErrBusy},
		"another session, both append":  {Options{BootID: "b"}, "u", CreateAppend, false, nil},
		"another slot":                  {Options{BootID: "x", Slot: 1}, "u", CreateAt, false, ErrInterrupted},
		"another slot, to append":       {Options{BootID: "x", Slot: 1}, "u", CreateAppend, false, ErrInterrupted},
		"a killed process":              {Options{BootID: "x"}, "u", CreateAt, false, ErrInterrupted},
		"a killed process, and a store": {Options{BootID: "x"}, "u", CreateAt, true, nil},
		"another user":                  {Options{BootID: "x"}, "v", CreateAt, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			d.write("a", "of before")
			its := d.user(c.user, config.RoleReadWrite)
			if c.other.BootID != "b" {
				its = openDisk(t, d.root, c.other).user(c.user, config.RoleReadWrite)
			}
			lost := begin(t, its, "/a", CreateTruncate, 0, "the newer one")
			t.Cleanup(func() { _ = lost.Discard() })
			f := d.user("u", config.RoleReadWrite)
			if c.renewed {
				store(t, f, "/a", CreateTruncate, 0, "whole, again")
			}
			u, err := f.Create("/a", c.mode, 9)
			if !errors.Is(err, c.want) {
				t.Errorf("going on: %v, want %v", err, c.want)
			}
			if err == nil {
				_ = u.Discard()
			}
		})
	}
}

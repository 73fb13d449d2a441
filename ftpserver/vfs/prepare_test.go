package vfs

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestNothingHappensBeforePrepare: an upload that ends before its data
// connection is there leaves everything as it was.
func TestNothingHappensBeforePrepare(t *testing.T) {
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, end := range map[string]func(*Upload) error{
		"Interrupt": (*Upload).Interrupt,
		"Discard":   (*Upload).Discard,
		"Commit":    func(u *Upload) error { _, err := u.Commit(); _ = err; return nil },
	} {
		for _, mode := range []CreateMode{CreateAt, CreateAppend} {
			t.Run(name, func(t *testing.T) {
				d := newDisk(t)
				f := d.user("u", config.RoleReadWrite)
				interrupt(t, f, "/a", "0123456789")
				part := f.partialName("a")
				if err := os.Chtimes(d.path(part), past, past); err != nil {
					t.Fatal(err)
				}
				u, err := f.Create("/a", mode, 5)
				if err != nil {
					t.Fatal(err)
				}
				d.wantNames("", u.hidden)
				if err := end(u); err != nil {
					t.Error(err)
				}
				d.wantFile(part, "0123456789")
				d.wantNames("", part)
				if st, err := os.Stat(d.path(part)); err != nil || !st.ModTime().Equal(past) {
					t.Errorf("the partial has changed: %v, %v", st, err)
				}
			})
		}
	}
}

// TestCreateCopiesNothing: the copy is Prepare's, which can be stopped.
func TestCreateCopiesNothing(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "0123456789")
	u, err := f.Create("/a", CreateAppend, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.wantFile(u.hidden, "")
	if _, err := u.Commit(); err == nil {
		t.Error("an upload that was not prepared is published")
	}
	d.wantFile("a", "0123456789")
	d.wantNames("", "a")
}

// endsAfter is a context that is cancelled once it has been asked so often.
type endsAfter struct {
	context.Context
	times int
}

func (c *endsAfter) Err() error {
	if c.times--; c.times < 0 {
		return context.Canceled
	}
	return nil
}

func TestPrepareHeedsItsContext(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", strings.Repeat("x", 3*copyChunk))
	u, err := f.Create("/a", CreateAppend, 0)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "Prepare", u.Prepare(&endsAfter{t.Context(), 1}), context.Canceled)
	if st, err := u.File().Stat(); err != nil || st.Size() != copyChunk {
		t.Errorf("copied %v, %v; want one chunk", st, err)
	}
	if err := u.Interrupt(); err != nil {
		t.Error(err)
	}
	d.wantNames("", "a")
}

// TestModeComesFirst: what is copied of a private file is never readable by more
// than the file is.
func TestModeComesFirst(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "secret")
	if err := os.Chmod(d.path("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := f.Create("/a", CreateAppend, 0)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "Prepare", u.Prepare(&endsAfter{t.Context(), 0}), context.Canceled)
	if st, err := u.File().Stat(); err != nil || st.Mode() != 0o600 {
		t.Errorf("the copy has %v, %v; want mode 0600", st, err)
	}
	_ = u.Discard()
}

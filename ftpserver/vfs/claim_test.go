package vfs

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// choosing is an upload to /a that has chosen the partial upload to go on with,
// and has not claimed it yet.
func choosing(t *testing.T, f *FS, as plan) (u *Upload, seen Info) {
	t.Helper()
	d, err := openDir(f.store.sys, f.home.dir(), ".")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	d.held = anything
	u = &Upload{fs: f, at: parse("/a"), folder: d, plan: as, partial: f.partialName("a"), hidden: f.store.temporaryName()}
	from, seen, err := u.choose()
	if from != fromPartial || err != nil {
		t.Fatalf("it goes on with %v, %v", from, err)
	}
	return u, seen
}

// TestClaimByTwo: whoever comes second leaves the account as it was.
func TestClaimByTwo(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	interrupt(t, f, "/a", "0123456789")
	late, seen := choosing(t, f, plan{mode: CreateAppend})
	quick, err := f.Create("/a", CreateAppend, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := late.admit(seen, true); err != nil {
		t.Fatal(err)
	}
	wantError(t, "the second claim", late.claim(seen), ErrRestart)
	late.undo()
	f.wantUsage(t, 10, 1)
	if err := quick.Discard(); err != nil { // as it was
		t.Fatal(err)
	}
	f.wantUsage(t, 10, 1)
}

// TestClaimOfAShorterOne: a partial upload that another session has begun anew
// meanwhile ends before the offset. What lies between would be zeros.
func TestClaimOfAShorterOne(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	interrupt(t, f, "/a", "0123456789")
	late, seen := choosing(t, f, plan{mode: CreateAt, offset: 8})
	interrupt(t, f, "/a", "01234")
	if err := late.admit(seen, true); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a claim", late.claim(seen), ErrRestart)
	late.undo()
	f.wantUsage(t, 5, 1)
	if n, ok := f.PartialSize("/a"); n != 5 || !ok {
		t.Errorf("%d bytes wait, %v", n, ok)
	}
}

// TestClaimsUnderARace: of sessions that interrupt, go on with and begin anew one
// upload, none leaves the account wrong. There is room enough, so no count helps.
func TestClaimsUnderARace(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 1 << 40})
	f.wantUsage(t, 0, 0)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 400 {
				mode := []CreateMode{CreateTruncate, CreateAppend}[(i+n)%2]
				u, err := f.Create("/a", mode, 0)
				if err != nil {
					continue // somebody has been quicker
				}
				if n%3 > 0 {
					if err = u.Prepare(t.Context()); err == nil {
						_, err = io.WriteString(u.File(), strings.Repeat("x", n%7))
					}
				}
				if err = errors.Join(err, u.Interrupt()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if u, _ := f.Quota(); d.counted(f) != (tally{u.Bytes, u.Files}) {
		t.Errorf("accounted are %+v, there are %+v", u, d.counted(f))
	}
}

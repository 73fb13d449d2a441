package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestCountWhileUploadsGoOn: what is on its way is neither missed nor counted
// twice, whether it lies under a hidden name or its own.
func TestCountWhileUploadsGoOn(t *testing.T) {
	for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
		d := newDisk(t)
		d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: uploads})
		d.write("a", "old content")
		f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 1000})
		if !f.account.counted() {
			t.Fatal("not counted")
		}
		u, err := f.Create("/a", CreateTruncate, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(u.Prepare(t.Context()), u.Add(7)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(u.File(), "seven77")
		f.recounted()
		want := tally{7, 1}
		if uploads == config.UploadsAtomic {
			want = tally{7 + 11, 2}
		}
		f.wantUsage(t, want.bytes, want.files)
		if _, err := u.Commit(); err != nil {
			t.Error(err)
		}
		f.wantUsage(t, 7, 1)
		f.recounted()
		f.wantUsage(t, 7, 1)
	}
}

// TestCountWhileThingsMove: what is renamed while a count goes on, into a directory
// that it has been through, is not lost to it.
func TestCountWhileThingsMove(t *testing.T) {
	for _, moved := range []string{"file", "dir"} {
		t.Run(moved, func(t *testing.T) {
			d := newDisk(t)
			for i := range 100 {
				d.mkdir(fmt.Sprintf("%02d", i))
			}
			d.write("00/dir/file", "01234567")
			d.write("00/file", "89")
			f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 1000})
			f.wantUsage(t, 10, 103)
			over := make(chan struct{})
			var mover sync.WaitGroup
			defer mover.Wait()
			defer close(over)
			mover.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-over:
						return
					default:
					}
					if err := f.Rename(fmt.Sprintf("/%02d/%s", i%100, moved), fmt.Sprintf("/%02d/%s", (i+1)%100, moved)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			for range 100 {
				f.recounted()
				if u, _ := f.Quota(); u.Bytes < 10 {
					t.Fatalf("%d bytes are accounted", u.Bytes)
				}
			}
		})
	}
}

// TestQuotaOfADirectUploadThatCannotGoOn: it leaves the account as it was.
func TestQuotaOfADirectUploadThatCannotGoOn(t *testing.T) {
	d := newDisk(t)
	d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: config.UploadsDirect})
	d.write("a", "0123456789")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	u, err := f.Create("/a", CreateAt, 10)
	if err != nil {
		t.Fatal(err)
	}
	store(t, f, "/a", CreateAt, 3, "")
	wantError(t, "shortened meanwhile", u.Prepare(t.Context()), ErrChanged)
	if err := u.Interrupt(); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 3, 1)
}

// TestRenameOfWhatWasReplaced: to itself, just after it was replaced. Nothing goes.
func TestRenameOfWhatWasReplaced(t *testing.T) {
	d := newDisk(t)
	d.write("a", "old")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	f.wantUsage(t, 3, 1)
	v, err := f.view()
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	m := move{view: v, from: "a", to: "a"}
	if m.source, m.what, err = v.renamed(parse("/a")); err != nil {
		t.Fatal(err)
	}
	defer m.source.close()
	m.target = m.source
	store(t, f, "/a", CreateTruncate, 0, "0123456789")
	if err := m.do(); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 10, 1)
}

// TestCountWhileSomethingGoes: a count that has not met what was removed comes into
// force after that has gone from the account, or it would go twice.
func TestCountWhileSomethingGoes(t *testing.T) {
	d := newDisk(t)
	d.write("a", "0123456789")
	d.write("b", "0123456789")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	f.wantUsage(t, 20, 2)
	free := f.alone("a")
	if err := os.Remove(d.path("a")); err != nil {
		t.Fatal(err)
	}
	f.account.outdate()
	f.account.mu.Lock()
	counted := f.account.count()
	f.account.mu.Unlock()
	await(counted, 50*time.Millisecond)
	f.account.change(tally{-10, -1})
	free()
	<-counted
	f.wantUsage(t, 10, 1)
}

// TestCountWhileANameIsGiven: a count between the account and the rename finds
// neither the upload nor the file.
func TestCountWhileANameIsGiven(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
	u := begin(t, f, "/a", CreateTruncate, 0, "0123456789")
	defer u.folder.close()
	if _, err := u.end(false); err != nil {
		t.Fatal(err)
	}
	done, err := u.rest(tally{})
	if err != nil {
		t.Fatal(err)
	}
	f.recounted()
	err = u.folder.rename(u.hidden, u.folder, "a")
	done(err)
	f.wantUsage(t, 10, 1)
	f.recounted()
	f.wantUsage(t, 10, 1)
}

// TestQuotaWithoutACount: as long as nobody knows what there is, nothing is let
// in; the count is bounded by the life of the store.
func TestQuotaWithoutACount(t *testing.T) {
	d := newDisk(t)
	d.store.counts.turn <- struct{}{} // another home is being counted, for very long
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10})
	d.store.counts.patience = 20 * time.Millisecond
	begun := time.Now()
	_, err := f.Create("/a", CreateTruncate, 0)
	wantError(t, "Create", err, ErrCounting)
	if waited := time.Since(begun); waited < d.store.counts.patience {
		t.Errorf("it has waited for %v only", waited)
	}
	if u, ok := f.Quota(); !ok || u.Bytes != -1 || u.MaxBytes != 10 {
		t.Errorf("usage is %+v, %v", u, ok)
	}
	if n, err := f.Available("/"); !errors.Is(err, ErrCounting) {
		t.Errorf("available are %d, %v", n, err)
	}
	<-d.store.counts.turn
	d.store.counts.patience = countPatience
	f.wantUsage(t, 0, 0)
	store(t, f, "/a", CreateTruncate, 0, "x")
}

// TestCountHoldsUpNobodyElse: an upload that waits for a count before it is refused
// keeps no other from its name.
func TestCountHoldsUpNobodyElse(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 5})
	f.wantUsage(t, 0, 0)
	other, err := d.store.FS(config.User{Name: "other", Home: "/other", Role: config.RoleReadWrite})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	u := begin(t, f, "/a", CreateTruncate, 0, "0123456789")
	d.store.counts.patience = time.Hour
	d.store.counts.turn <- struct{}{} // another home is being counted, for very long
	f.account.outdate()
	refused, stored := make(chan error), make(chan struct{})
	go func() { _, err := u.Commit(); refused <- err }()
	for begun := false; !begun; time.Sleep(time.Millisecond) {
		f.account.mu.Lock()
		begun = f.account.running != nil
		f.account.mu.Unlock()
	}
	go func() {
		store(t, other, "/a", CreateTruncate, 0, "x")
		close(stored)
	}()
	select {
	case <-stored:
	case <-time.After(20 * time.Second):
		t.Error("another upload waits for the count")
	}
	<-d.store.counts.turn
	wantError(t, "the upload that is too large", <-refused, ErrQuota)
	<-stored
}

// TestCountEndsWithTheStore: nothing goes on behind it.
func TestCountEndsWithTheStore(t *testing.T) {
	d := newDisk(t)
	d.store.counts.turn <- struct{}{}
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10})
	if err := d.store.Close(); err != nil { // waits for the count
		t.Fatal(err)
	}
	f.account.mu.Lock()
	defer f.account.mu.Unlock()
	if f.account.running != nil || f.account.known {
		t.Error("a count goes on or was believed")
	}
}

// TestCountOfTheDeep: what was nested deeper than is counted, which takes a rename or
// another program, makes no room; and keeps nobody from uploading whose home was never
// counted.
func TestCountOfTheDeep(t *testing.T) {
	d := newDisk(t)
	chain := strings.Repeat("d/", maxDepth-1)
	d.mkdir("a")
	d.mkdir("b/" + chain)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 1000})
	if err := upTo(t, f, "/a/file", CreateTruncate, 0, strings.Repeat("x", 900)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.path("a"), d.path("b/"+chain+"a")); err != nil {
		t.Fatal(err)
	}
	f.recounted()
	if u, _ := f.Quota(); u.Bytes != 900 {
		t.Errorf("%d bytes are used, want 900", u.Bytes)
	}
	wantError(t, "upload", upTo(t, f, "/more", CreateTruncate, 0, strings.Repeat("x", 900)), ErrQuota)

	again := openDisk(t, d.root, Options{BootID: "again"})
	f = again.quota("u", config.RoleReadWrite, config.Quota{Bytes: 1000})
	if err := upTo(t, f, "/less", CreateTruncate, 0, "x"); err != nil {
		t.Error(err)
	}
}

// TestCountFollowsTheHome: where a home was renamed, it is counted where it is now,
// and not what has its old name.
func TestCountFollowsTheHome(t *testing.T) {
	d := newDisk(t)
	quota := config.Quota{Bytes: 100}
	f := d.quota("u", config.RoleReadWrite, quota)
	if err := upTo(t, f, "/file", CreateTruncate, 0, strings.Repeat("x", 90)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.path("."), d.path("../new")); err != nil {
		t.Fatal(err)
	}
	d.write("somebody-elses", strings.Repeat("x", 5000)) // under the old name
	f.recounted()
	if u, _ := f.Quota(); u.Bytes != 90 {
		t.Errorf("%d bytes are used, want the 90 of the last count", u.Bytes)
	}
	f, err := d.store.FS(config.User{Name: "u", Home: "/new", Role: config.RoleReadWrite, Quota: quota})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Remove("/file"); err != nil {
		t.Fatal(err)
	}
	if err := upTo(t, f, "/next", CreateTruncate, 0, strings.Repeat("x", 20)); err != nil {
		t.Error(err)
	}
	f.recounted()
	f.wantUsage(t, 20, 1)
}

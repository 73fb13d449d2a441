package vfs

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// quota opens the view of a user with a quota on /home.
func (d *disk) quota(name string, role config.Role, q config.Quota) *FS {
	d.t.Helper()
	f, err := d.store.FS(config.User{Name: name, Home: "/home", Role: role, Quota: q})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (f *FS) wantUsage(t *testing.T, bytes, files int64) {
	t.Helper()
	u, ok := f.Quota()
	if !ok || u.Bytes != bytes || u.Files != files {
		t.Errorf("used are %d bytes and %d files (%v), want %d and %d", u.Bytes, u.Files, ok, bytes, files)
	}
}

// counted is what a count finds now.
func (d *disk) counted(f *FS) tally {
	d.t.Helper()
	total, _, err := d.store.census(f.account)
	if err != nil {
		d.t.Fatal(err)
	}
	return total
}

// recounted has the home counted anew, as if a long time had passed.
func (f *FS) recounted() {
	f.account.outdate()
	f.account.mu.Lock()
	done := f.account.count()
	f.account.mu.Unlock()
	<-done
}

func upTo(t *testing.T, f *FS, p string, mode CreateMode, offset int64, data string) error {
	t.Helper()
	u, err := f.Create(p, mode, offset)
	if err != nil {
		return err
	}
	if err := u.Prepare(t.Context()); err != nil {
		_ = u.Interrupt()
		return err
	}
	if err := u.Add(int64(len(data))); err != nil {
		_ = u.Discard()
		return err
	}
	if _, err := io.WriteString(u.File(), data); err != nil {
		t.Fatal(err)
	}
	_, err = u.Commit()
	return err
}

// TestQuotaOfBytes walks through uploads of every kind; after each, what is
// accounted is what is on the disk.
func TestQuotaOfBytes(t *testing.T) {
	for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
		t.Run(string(uploads), func(t *testing.T) {
			d := newDisk(t)
			d.configure(config.Storage{Durability: config.DurabilityNone, Uploads: uploads})
			d.write("sub/there", "12345")
			d.symlink("sub", "link")
			f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 100})
			f.wantUsage(t, 5, 3)
			hundred := strings.Repeat("x", 100)
			for i, c := range []struct {
				p      string
				mode   CreateMode
				offset int64
				data   string
				want   error
				bytes  int64
			}{
				{"/a", CreateTruncate, 0, hundred[:95], nil, 100},
				{"/b", CreateTruncate, 0, "", ErrQuota, 100}, // full: known before any data
				{"/a", CreateAppend, 0, "x", ErrQuota, 100},
				{"/a", CreateTruncate, 0, hundred[:95], nil, 100}, // takes the room of the old
				{"/a", CreateAt, 90, hundred[:5], nil, 100},
				{"/a", CreateTruncate, 0, hundred[:10], nil, 15},
				{"/a", CreateAppend, 0, hundred[:85], nil, 100},
				{"/sub/there", CreateTruncate, 0, "", nil, 95},
			} {
				err := upTo(t, f, c.p, c.mode, c.offset, c.data)
				if !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Errorf("%d: %v, want %v", i, err, c.want)
				}
				u, _ := f.Quota()
				if u.Bytes != c.bytes {
					t.Errorf("%d: %d bytes, want %d", i, u.Bytes, c.bytes)
				}
				if now := d.counted(f); now.bytes != u.Bytes || now.files != u.Files {
					t.Errorf("%d: accounted are %+v, there are %+v", i, u, now)
				}
			}
			// One that grows too large is told, and of an Atomic one nothing is left.
			err := upTo(t, f, "/sub/there", CreateTruncate, 0, hundred[:6])
			wantError(t, "too large", err, ErrQuota)
			if uploads == config.UploadsAtomic {
				f.wantUsage(t, 95, 4)
			}
			if now := d.counted(f); now.bytes > 100 {
				t.Errorf("there are %d bytes", now.bytes)
			}
		})
	}
}

func TestQuotaOfFiles(t *testing.T) {
	d := newDisk(t)
	d.write("a", "1")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Files: 3})
	store(t, f, "/b", CreateTruncate, 0, "")
	if err := f.Mkdir("/dir"); err != nil { // a directory takes room as well
		t.Fatal(err)
	}
	wantError(t, "a fourth file", upTo(t, f, "/c", CreateTruncate, 0, ""), ErrQuota)
	wantError(t, "a fourth directory", f.Mkdir("/dir/dir"), ErrQuota)
	store(t, f, "/b", CreateTruncate, 0, "another")
	if err := f.Rename("/a", "/dir/a"); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 8, 3)
	if err := f.Rename("/dir/a", "/dir/a"); err != nil { // to itself: nothing goes
		t.Error(err)
	}
	f.wantUsage(t, 8, 3)
	if err := f.Rename("/dir/a", "/b"); err != nil { // which is replaced
		t.Error(err)
	}
	f.wantUsage(t, 1, 2)
	wantError(t, "Mkdir of what is there", f.Mkdir("/dir"), os.ErrExist)
	f.wantUsage(t, 1, 2)
	if err := f.Rmdir("/dir"); err != nil {
		t.Error(err)
	}
	if err := f.Remove("/b"); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 0, 0)
}

// TestQuotaOfPartials: what is kept of interrupted uploads counts, once, also
// when it is gone on with, replaced by another, or dropped.
func TestQuotaOfPartials(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 20, Files: 2})
	meteredInterrupt := func(p, data string) {
		u, err := f.Create(p, CreateTruncate, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(u.Prepare(t.Context()), u.Add(int64(len(data)))); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(u.File(), data)
		if err := u.Interrupt(); err != nil {
			t.Fatal(err)
		}
	}
	meteredInterrupt("/a", "0123456789")
	f.wantUsage(t, 10, 1)
	meteredInterrupt("/a", "01234")
	f.wantUsage(t, 5, 1)
	if err := upTo(t, f, "/a", CreateTruncate, 0, strings.Repeat("x", 20)); err != nil { // takes the room of the partial too
		t.Error(err)
	}
	if err := f.Remove("/a"); err != nil {
		t.Error(err)
	}
	meteredInterrupt("/a", "01234")
	wantError(t, "too much", upTo(t, f, "/a", CreateAt, 5, strings.Repeat("x", 16)), ErrQuota)
	f.wantUsage(t, 0, 0)
	meteredInterrupt("/a", "0123456789")
	u, err := f.Create("/a", CreateAt, 10)
	if err != nil {
		t.Fatal(err)
	}
	f.wantUsage(t, 10, 1) // on its way
	if now := d.counted(f); now != (tally{}) {
		t.Errorf("a count sees what is on its way: %+v", now)
	}
	if err := u.Interrupt(); err != nil { // before it began
		t.Error(err)
	}
	f.wantUsage(t, 10, 1)
	if err := upTo(t, f, "/a", CreateAt, 10, strings.Repeat("x", 10)); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 20, 1)
	// Of an overwrite that breaks off, nothing is kept that fits only in the place
	// of the old file.
	meteredInterrupt("/a", "0123456789")
	f.wantUsage(t, 20, 1)
	d.wantNames("", "a")
	if err := f.Remove("/a"); err != nil {
		t.Error(err)
	}
	meteredInterrupt("/a", "012")
	if err := f.Remove("/a"); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 0, 0)
	d.wantNames("")
}

// TestQuotaOfAFullPartial: all has come but the end; to go on with it brings
// nothing and is let through.
func TestQuotaOfAFullPartial(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10, Files: 1})
	interrupt(t, f, "/a", "0123456789")
	if err := upTo(t, f, "/a", CreateAt, 10, ""); err != nil {
		t.Error(err)
	}
	d.wantFile("a", "0123456789")
	f.wantUsage(t, 10, 1)
}

// TestQuotaHoldsWhatIsNotMetered: also who writes without asking is held at the
// end.
func TestQuotaHoldsWhatIsNotMetered(t *testing.T) {
	for _, role := range []config.Role{config.RoleReadWrite, config.RoleWriteOnly} {
		d := newDisk(t)
		f := d.quota("u", role, config.Quota{Bytes: 10})
		_, err := begin(t, f, "/a", CreateTruncate, 0, "01234567890").Commit()
		wantError(t, "Commit", err, ErrQuota)
		d.wantNames("")
		f.wantUsage(t, 0, 0)
		store(t, f, "/a", CreateTruncate, 0, "0123456789")
		f.wantUsage(t, 10, 1)
	}
}

// TestQuotaSeesWhatOthersDo: who would be refused is judged by a new count, and
// what others have brought is counted in time.
func TestQuotaSeesWhatOthersDo(t *testing.T) {
	d := newDisk(t)
	d.write("a", "0123456789")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10})
	f.wantUsage(t, 10, 1)
	f.account.outdate()
	admin, err := d.store.FS(config.User{Name: "root", Home: "/admin", Role: config.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if err := admin.Rename("/home/a", "/admin/a"); err != nil { // out of the home
		t.Fatal(err)
	}
	if err := upTo(t, f, "/b", CreateTruncate, 0, "0123456789"); err != nil {
		t.Errorf("there is room, and yet: %v", err)
	}
	if err := admin.Rename("/admin/a", "/home/a"); err != nil { // into it, beyond the quota
		t.Fatal(err)
	}
	f.recounted()
	f.wantUsage(t, 20, 2)
	wantError(t, "beyond the quota", upTo(t, f, "/a", CreateTruncate, 0, ""), ErrQuota)
	if err := f.Remove("/a"); err != nil {
		t.Error(err)
	}
	f.wantUsage(t, 10, 1)
	wantError(t, "full", upTo(t, f, "/c", CreateTruncate, 0, "x"), ErrQuota)
}

// TestQuotaAndAnAdminOfTheHome: an Admin begins in the home, and works on all of
// the storage. What it does elsewhere is not the home's.
func TestQuotaAndAnAdminOfTheHome(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10})
	f.wantUsage(t, 0, 0)
	admin := d.user("root", config.RoleAdmin)
	store(t, admin, "/elsewhere", CreateTruncate, 0, "0123456789")
	f.wantUsage(t, 0, 0)
	store(t, f, "/a", CreateTruncate, 0, "0123456789")
	if err := admin.Remove("/elsewhere"); err != nil {
		t.Fatal(err)
	}
	f.wantUsage(t, 10, 1)
}

// TestQuotaCountsWhatALoginMakes: the directories of path rules, at the first login
// to a home and at later ones.
func TestQuotaCountsWhatALoginMakes(t *testing.T) {
	d := newDisk(t)
	for i, dir := range []string{"/one/two", "/three"} {
		f, err := d.store.FS(config.User{
			Name: "u", Home: "/home", Role: config.RoleReadWrite, Quota: config.Quota{Files: 3},
			Paths: []config.PathRule{{Path: dir, Role: config.RoleReadWrite}},
		})
		if err != nil {
			t.Fatal(err)
		}
		f.wantUsage(t, 0, int64(2+i))
		_ = f.Close()
	}
}

// TestQuotaOfLeftovers: what RMD takes away with a directory that looks empty is
// gone from the account at once.
func TestQuotaOfLeftovers(t *testing.T) {
	d := newDisk(t)
	d.mkdir("dir")
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 10})
	interrupt(t, f, "/dir/a", "0123456789")
	f.wantUsage(t, 10, 2)
	if err := f.Rmdir("/dir"); err != nil {
		t.Fatal(err)
	}
	f.wantUsage(t, 0, 0)
}

// TestQuotaOfASharedHome: all who share it count, whether they have a quota or
// not, and each has limits of its own.
func TestQuotaOfASharedHome(t *testing.T) {
	d := newDisk(t)
	small := d.quota("small", config.RoleReadWrite, config.Quota{Bytes: 10})
	large := d.quota("large", config.RoleReadWrite, config.Quota{Bytes: 30})
	free := d.user("free", config.RoleReadWrite)
	store(t, small, "/a", CreateTruncate, 0, "01234")
	store(t, large, "/b", CreateTruncate, 0, "01234")
	small.wantUsage(t, 10, 2)
	wantError(t, "small", upTo(t, small, "/c", CreateTruncate, 0, "x"), ErrQuota)
	store(t, free, "/c", CreateTruncate, 0, strings.Repeat("x", 40))
	large.wantUsage(t, 50, 3)
	wantError(t, "large", upTo(t, large, "/d", CreateTruncate, 0, "x"), ErrQuota)
	if _, ok := free.Quota(); ok {
		t.Error("who has no quota is told one")
	}
	if err := free.Remove("/c"); err != nil {
		t.Fatal(err)
	}
	if err := upTo(t, large, "/d", CreateTruncate, 0, "x"); err != nil {
		t.Error(err)
	}
}

// TestQuotaUnderARace has many sessions upload, resume, append, rename and delete
// at once. What lies under a name never
// passes the quota, and at the end the account is what is on the disk.
func TestQuotaUnderARace(t *testing.T) {
	d := newDisk(t)
	d.configure(config.Storage{Durability: config.DurabilityNone})
	const most = 5000
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: most, Files: 12})
	if !f.account.counted() {
		t.Fatal("not counted")
	}
	var refused, stored int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 60 {
				p := fmt.Sprintf("/f%d", rand.IntN(10))
				data := strings.Repeat("x", rand.IntN(1500))
				switch rand.IntN(8) {
				case 0:
					_ = f.Remove(p)
				case 1:
					_ = f.Rename(p, fmt.Sprintf("/f%d", rand.IntN(10)))
				case 2:
					if u, err := f.Create(p, CreateTruncate, 0); err == nil {
						_ = errors.Join(u.Prepare(t.Context()), u.Add(int64(len(data))))
						_, _ = io.WriteString(u.File(), data)
						_ = u.Interrupt()
					}
				default:
					err := upTo(t, f, p, []CreateMode{CreateTruncate, CreateAppend}[rand.IntN(2)], 0, data)
					mu.Lock()
					if err == nil {
						stored++
					}
					if errors.Is(err, ErrQuota) {
						refused++
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if stored == 0 || refused == 0 {
		t.Errorf("%d uploads stored, %d refused: the race is none", stored, refused)
	}
	if got := d.visible(); got > most {
		t.Errorf("%d bytes are published", got)
	}
	if f.account.moving != (tally{}) {
		t.Errorf("nothing is on its way, and yet: %+v", f.account.moving)
	}
	f.account.mu.Lock()
	running := f.account.running
	f.account.mu.Unlock()
	await(running, time.Minute)
	f.recounted()
	u, _ := f.Quota()
	if now := d.counted(f); u.Bytes != now.bytes || u.Files != now.files {
		t.Errorf("accounted are %+v, there are %+v", u, now)
	}
}

// visible is the sum of what lies under names.
func (d *disk) visible() (sum int64) {
	names, _ := filepath.Glob(d.path("f*"))
	for _, name := range names {
		if fi, err := os.Stat(name); err == nil {
			sum += fi.Size()
		}
	}
	return sum
}

// TestNoQuotaCostsNothing: without a quota there is no account to ask.
func TestNoQuotaCostsNothing(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	u := begin(t, f, "/a", CreateTruncate, 0, "x")
	if f.account != nil || u.Room(1<<20) != 1<<20 || u.Add(1<<40) != nil {
		t.Error("a user without a quota is held to one")
	}
	if n := testing.AllocsPerRun(100, func() { _ = u.Add(u.Room(1 << 20)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	_ = u.Discard()
}

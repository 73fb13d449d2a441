package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func listAll(t *testing.T, f *FS, p string, n int) map[string]Info {
	t.Helper()
	d, err := f.OpenDir(p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	all := map[string]Info{}
	for {
		infos, err := d.Next(n)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil || len(infos) == 0 || len(infos) > max(n, 1) {
			t.Fatalf("%d entries, %v", len(infos), err)
		}
		for _, i := range infos {
			all[i.Name] = i
		}
	}
}

func TestListing(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "12345")
	d.mkdir("dir/sub")
	d.symlink("dir", "link")
	if err := os.Link(d.path("file"), d.path("second")); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	_ = os.Chtimes(d.path("file"), when, when)
	_ = os.Chmod(d.path("file"), 0o640|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
	interrupt(t, f, "/file", "x")
	u := begin(t, f, "/up", CreateTruncate, 0, "x")
	defer func() { _ = u.Discard() }()

	for _, n := range []int{0, 1, 2, 100} {
		got := listAll(t, f, "/", n)
		if len(got) != 4 {
			t.Fatalf("in steps of %d: %d entries, want 4: %v", n, len(got), got)
		}
		i := got["file"]
		if i.Size != 5 || i.Mode != 0o640|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky || !i.ModTime.Equal(when) || i.Links != 2 || i.Dir || i.Inode == 0 || i.Inode != got["second"].Inode {
			t.Errorf("file is %+v", i)
		}
		if i := got["dir"]; !i.Dir || i.Mode != fs.ModeDir|0o755 || i.Links != 3 {
			t.Errorf("dir is %+v", i)
		}
		if i := got["link"]; i.Dir || i.Mode.Type() != fs.ModeSymlink {
			t.Errorf("link is %+v", i)
		}
	}
}

// TestStatAndListingAgree holds the two ways to an Info against each other.
func TestStatAndListingAgree(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "12345")
	d.mkdir("dir")
	if err := syscall.Mkfifo(d.path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, listed := range listAll(t, f, "/", 10) {
		if i, err := f.Stat("/" + name); err != nil || i != listed {
			t.Errorf("stat says %+v (%v), the listing %+v", i, err, listed)
		}
	}
	if i, err := f.Stat("/"); err != nil || i.Name != "/" || !i.Dir {
		t.Errorf("home is %+v, %v", i, err)
	}
}

func TestListingRefused(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "x")
	for p, want := range map[string]error{"/file": ErrNotDir, "/none": fs.ErrNotExist, "/.ftpserver-x": fs.ErrNotExist} {
		_, err := f.OpenDir(p)
		wantError(t, p, err, want)
	}
}

func TestListingSkipsWhatVanishes(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	const files = 5000 // more than the kernel tells at once
	for i := range files {
		d.write(fmt.Sprintf("f%d", i), "")
	}
	l, err := f.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	first, err := l.Next(1)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	kept := first[0].Name
	for i := range files {
		if name := fmt.Sprintf("f%d", i); name != kept {
			_ = os.Remove(d.path(name))
		}
	}
	if rest, err := l.Next(files); !errors.Is(err, io.EOF) {
		t.Errorf("%d entries that are gone, %v; want the end", len(rest), err)
	}
}

// TestListingIsStreamed lists a directory of 100,000 entries and holds what the
// process keeps meanwhile against a bound that no list of them would fit.
func TestListingIsStreamed(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	const files = 100_000
	d.write("f", "")
	for i := range files - 1 { // links to a few files: cheaper to make
		if i%50_000 == 0 {
			d.write(fmt.Sprintf("source%d", i), "")
			continue
		}
		if err := os.Link(d.path(fmt.Sprintf("source%d", i/50_000*50_000)), d.path(fmt.Sprintf("a-name-of-some-length-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	l, err := f.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	before, most, n := heap(), uint64(0), 0
	start := time.Now()
	for batch := 0; ; batch++ {
		infos, err := l.Next(256)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n += len(infos); batch%100 == 0 {
			most = max(most, heap())
		}
	}
	t.Logf("%d entries in %v", n, time.Since(start))
	if n != files {
		t.Errorf("%d entries, want %d", n, files)
	}
	if most > before+1<<20 {
		t.Errorf("the heap grew by %d KiB", (most-before)>>10)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestNames(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	want := []string{"a b", "new\nline", "ü", "\xff"}
	for _, name := range want {
		d.write(name, "")
	}
	interrupt(t, f, "/p", "x")
	l, err := f.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var got []string
	for {
		names, err := l.Names(2)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, names...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
}

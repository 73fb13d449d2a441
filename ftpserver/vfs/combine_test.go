package vfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// combine combines with nothing in the way.
func combine(t *testing.T, f *FS, target string, sources ...string) error {
	t.Helper()
	_, left, err := f.Combine(t.Context(), target, sources, nil)
	if err == nil && left > 0 {
		t.Errorf("%d sources are left", left)
	}
	return err
}

func TestCombine(t *testing.T) { eachView(t, checkCombine) }

// TestCombineTakesNothingNewer: what is published under a source's name before that is
// removed stays.
func TestCombineTakesNothingNewer(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("source", "old")
	d.write("newer", "acknowledged")
	names, target := &f.store.publishing, "all"
	for names.of(target) == names.of("source") {
		target += "x"
	}
	lock := names.of("source") // as one who publishes has it
	lock.Lock()
	left := make(chan int, 1)
	go func() {
		_, n, err := f.Combine(t.Context(), "/"+target, []string{"/source"}, nil)
		if err != nil {
			t.Error(err)
		}
		left <- n
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // between two looks
		if _, err := os.Stat(d.path(target)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			lock.Unlock()
			t.Fatal("the target was not published in time")
		}
	}
	if err := os.Rename(d.path("newer"), d.path("source")); err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
	if n := <-left; n != 1 {
		t.Errorf("%d sources are left", n)
	}
	d.wantFile(target, "old")
	d.wantFile("source", "acknowledged")
}

func checkCombine(t *testing.T, open openUser) {
	d := newDisk(t)
	f := open(d)
	d.write("a", "aa")
	d.write("dir/b", "bbb")
	d.write("c", "")
	d.write("d", "d")
	size, left, err := f.Combine(t.Context(), "/all", []string{"/a", "/dir/b", "/c"}, nil)
	if err != nil || size != 5 || left != 0 {
		t.Errorf("%d bytes, %d left, %v", size, left, err)
	}
	d.wantFile("all", "aabbb")
	if err := os.Chmod(d.path("all"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := combine(t, f, "/all", "/d"); err != nil {
		t.Error(err)
	}
	d.wantFile("all", "aabbbd")
	if st, err := os.Stat(d.path("all")); err != nil || st.Mode() != 0o640 {
		t.Errorf("the mode is %v, %v", st.Mode(), err)
	}
	d.wantNames("dir")
	for _, gone := range []string{"a", "c", "d"} {
		d.wantAbsent(gone)
	}
	if left, err := filepath.Glob(d.path(".ftpserver*")); err != nil || len(left) > 0 {
		t.Errorf("left behind are %q, %v", left, err)
	}
}

// TestCombineRefuses: whatever is refused leaves everything as it was.
func TestCombineRefuses(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("all", "all")
	d.write("a", "a")
	d.mkdir("dir")
	d.symlink("a", "link")
	if err := os.Link(d.path("a"), d.path("second")); err != nil {
		t.Fatal(err)
	}
	many := make([]string, MaxParts+1)
	for i := range many {
		many[i] = fmt.Sprintf("/part%d", i)
	}
	for _, c := range []struct {
		target  string
		sources []string
		want    error
	}{
		{"/all", []string{"/a", "/a"}, ErrTwice},
		{"/all", []string{"/a", "/x/../a"}, ErrTwice},
		{"/all", []string{"/a", "/second"}, ErrTwice},
		{"/all", []string{"/a", "/all"}, ErrTwice},
		{"/a", []string{"/second"}, ErrTwice},
		{"/all", []string{"/a", "/none"}, fs.ErrNotExist},
		{"/all", []string{"/none/x"}, fs.ErrNotExist},
		{"/all", []string{"/a", "/dir"}, ErrIsDir},
		{"/all", []string{"/"}, ErrIsDir},
		{"/all", []string{"/link"}, ErrNotRegular},
		{"/all", []string{"/a/x"}, ErrNotDir},
		{"/link", []string{"/all"}, ErrNotRegular},
		{"/dir", []string{"/a"}, ErrIsDir},
		{"/", []string{"/a"}, ErrIsDir},
		{"/none/x", []string{"/a"}, fs.ErrNotExist},
		{"/.ftpserver-x", []string{"/a"}, ErrName},
		{"/all", []string{"/.ftpserver-x"}, fs.ErrNotExist},
		{"/all", many, ErrManyParts},
	} {
		wantError(t, fmt.Sprintf("%s of %.40q", c.target, c.sources), combine(t, f, c.target, c.sources...), c.want)
		d.wantFile("all", "all")
		d.wantFile("a", "a")
		d.wantNames("", "all", "a", "dir", "link", "second")
	}
}

// TestCombineAcrossRules: sources want reading and deleting where they lie, the
// target creating or appending.
func TestCombineAcrossRules(t *testing.T) {
	rules := rulesOf("/ro ReadOnly", "/wo WriteOnly", "/rw ReadWrite")
	for _, c := range []struct {
		target, source string
		want           error
	}{
		{"/rw/new", "/file", nil},
		{"/rw/file", "/file", nil},
		{"/new", "/rw/file", nil},
		{"/wo/new", "/file", nil},
		{"/wo/file", "/file", ErrRole},
		{"/ro/new", "/file", ErrRole},
		{"/ro/file", "/file", ErrRole},
		{"/new", "/ro/file", ErrRole},
		{"/new", "/wo/file", ErrRole},
		{"/new", "/wo/none", ErrRole},
		{"/new", "/wo/none/x", ErrRole},
		{"/new", "/wo/file/x", ErrRole},
		{"/new", "/box/file", ErrRole},
	} {
		d := newDisk(t)
		for _, p := range []string{"file", "ro/file", "wo/file", "rw/file"} {
			d.write(p, p)
		}
		d.symlink("wo", "box")
		err := combine(t, d.ruled(config.RoleReadWrite, rules...), c.target, c.source)
		if c.want == nil && err != nil {
			t.Errorf("%s of %s: %v", c.target, c.source, err)
		}
		if c.want != nil {
			wantError(t, c.target+" of "+c.source, err, c.want)
			for _, p := range []string{"file", "ro/file", "wo/file", "rw/file"} {
				d.wantFile(p, p)
			}
			d.wantNames("wo", "file")
		}
	}
}

// TestCombineAndPartials: an interrupted upload of a source's name stays what it
// is, one of a target that is there too wants an answer first.
func TestCombineAndPartials(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "a")
	d.write("all", "all")
	interrupt(t, f, "/part", "half")
	wantError(t, "of a partial", combine(t, f, "/all", "/part"), fs.ErrNotExist)
	interrupt(t, f, "/all", "more than all")
	wantError(t, "to a partial", combine(t, f, "/all", "/a"), ErrInterrupted)
	d.wantFile("all", "all")
	d.wantFile("a", "a")
	if size, ok := f.PartialSize("/part"); !ok || size != 4 {
		t.Errorf("the partial has %d bytes, %v", size, ok)
	}
	// A new target never begins with what was interrupted under its name.
	if err := combine(t, f, "/part", "/a"); err != nil {
		t.Error(err)
	}
	d.wantFile("part", "a")
}

// TestCombineIsCut: the context, and whoever sets the pace, end it with nothing
// changed and nothing left behind, of a target that is there and of a new one.
func TestCombineIsCut(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("all", "all")
	d.write("a", strings.Repeat("a", 100))
	d.write("b", strings.Repeat("b", 100))
	steps := map[string]int{"/all": 3, "/new": 2} // the copies: of what is there, of a, of b
	for target, all := range steps {
		for step := 1; step <= all; step++ {
			for name, enough := range map[string]func(cancel func()) error{
				"context": func(cancel func()) error { cancel(); return nil },
				"pace":    func(func()) error { return errEnded },
			} {
				if name == "context" && step == all {
					continue // too late
				}
				ctx, cancel := context.WithCancel(t.Context())
				n := 0
				_, _, err := f.Combine(ctx, target, []string{"/a", "/b"}, func(do func() (int64, error)) error {
					_, err := do()
					if n++; n == step {
						err = errors.Join(err, enough(cancel))
					}
					return err
				})
				cancel()
				if err == nil {
					t.Fatalf("%s, %s, step %d: it goes on", target, name, step)
				}
				d.wantFile("all", "all")
				d.wantNames("", "all", "a", "b")
			}
		}
	}
}

// TestCombineOfWhatChanges: a source that grows while it is copied is refused,
// one that is replaced afterwards stays.
func TestCombineOfWhatChanges(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("a", "a")
	_, _, err := f.Combine(t.Context(), "/all", []string{"/a"}, func(do func() (int64, error)) error {
		_, err := do()
		d.write("a", "changed")
		return err
	})
	wantError(t, "changed while it was copied", err, ErrChanged)
	d.wantFile("a", "changed")
	d.wantNames("", "a")

	d.write("b", "b")
	_, left, err := f.Combine(t.Context(), "/all", []string{"/a", "/b"}, func(do func() (int64, error)) error {
		n, err := do()
		if n == 1 { // the copy of b: that of a is over
			err = errors.Join(err, os.Rename(d.path("a"), d.path("kept")))
			d.write("a", "another")
		}
		return err
	})
	if err != nil || left != 1 {
		t.Errorf("%d left, %v", left, err)
	}
	d.wantFile("all", "changedb")
	d.wantFile("a", "another")
	d.wantNames("", "a", "all", "kept")
}

// TestCombineOfWhatIsWritten: a file that another session writes directly is
// neither taken away from it nor taken for whole, wherever it is noticed.
func TestCombineOfWhatIsWritten(t *testing.T) {
	d, f := newDirect(t)
	d.write("old", "old")
	d.write("part", "part")
	u := begin(t, f, "/live", CreateTruncate, 0, "so far")
	wantError(t, "a source", combine(t, f, "/new", "/old", "/live"), ErrBusy)
	wantError(t, "the target", combine(t, f, "/live", "/old"), ErrBusy)
	d.wantNames("", "live", "old", "part")
	if _, err := u.Commit(); err != nil {
		t.Error(err)
	}
	d.wantFile("live", "so far")
	// One that begins behind the copy.
	c := combination{fs: f}
	defer c.close()
	if err := c.take("/old"); err != nil {
		t.Fatal(err)
	}
	if u, err := f.Create("/old", CreateAppend, 0); err != nil || u.Prepare(t.Context()) != nil {
		t.Fatal(err)
	} else {
		defer func() { _ = u.Discard() }()
	}
	if left := c.remove(); left != 1 {
		t.Errorf("%d sources are left", left)
	}
	d.wantFile("old", "old")
}

// TestCombineWithinAQuota: the target must fit beside the sources; what does not is
// as if it had not been asked for.
func TestCombineWithinAQuota(t *testing.T) {
	d := newDisk(t)
	f := d.quota("u", config.RoleReadWrite, config.Quota{Bytes: 20, Files: 4})
	store(t, f, "/a", CreateTruncate, 0, "0123")
	store(t, f, "/b", CreateTruncate, 0, "4567")
	store(t, f, "/large", CreateTruncate, 0, "01234")
	interrupt(t, f, "/new", "0")
	wantError(t, "a new one", combine(t, f, "/new", "/a", "/b"), ErrQuota)
	wantError(t, "a larger one", combine(t, f, "/large", "/a", "/b"), ErrQuota)
	f.wantUsage(t, 14, 4)
	d.wantNames("", f.partialName("new"), "a", "b", "large")
	if err := combine(t, f, "/a", "/b"); err != nil {
		t.Error(err)
	}
	d.wantFile("a", "01234567")
	f.wantUsage(t, 14, 3)
}

// TestCombineOnAFullDisk: everything stays as it was.
func TestCombineOnAFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(small, unix.MNT_DETACH) })
	d := openDisk(t, small, Options{BootID: "b"})
	f := d.user("u", config.RoleReadWrite)
	content := strings.Repeat("x", 330<<10) // twice, and once more with b, is too much
	d.write("all", content)
	d.write("b", content[:50<<10])
	d.write("a", content)
	for _, target := range []string{"/all", "/new"} {
		wantError(t, "combine", combine(t, f, target, "/a", "/b"), ErrNoSpace)
		d.wantFile("all", content)
		d.wantFile("a", content)
		d.wantNames("", "all", "a", "b")
	}
}

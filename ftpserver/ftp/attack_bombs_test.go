package ftp

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAttackDeepTree: a recursive listing that is not complete is no success.
func TestAttackDeepTree(t *testing.T) {
	b := newBench(t, nil)
	b.file(strings.Repeat("d/", maxTreeDepth)+"file", "")
	c := b.login()
	if got := c.listed("NLST -R"); len(got) != maxTreeDepth+1 {
		t.Errorf("%d lines", len(got))
	}
	must(t, os.Mkdir(filepath.Join(b.home, strings.Repeat("d/", maxTreeDepth), "d"), 0o755))
	if _, reply := c.download("NLST -R"); !strings.HasPrefix(reply, "550 The listing is not complete") {
		t.Errorf("a directory deeper: %s", reply)
	}
	b.servesOn("alice")
}

// TestAttackSortedListing: a directory that is too large to be sorted is listed in
// its own order, whole.
func TestAttackSortedListing(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 10,001 files")
	}
	b := newBench(t, nil)
	must(t, os.Mkdir(filepath.Join(b.home, "d"), 0o755))
	var want []string
	for i := range maxSorted {
		name := fmt.Sprintf("f%05d", (i*7919)%maxSorted)
		b.file("d/"+name, "")
		want = append(want, name)
	}
	slices.Sort(want)
	slices.Reverse(want)
	c := b.login()
	c.do("CWD d", "250")
	if got := c.listed("NLST -r"); !slices.Equal(got, want) {
		t.Error("as many as can be are not sorted")
	}
	b.file("d/one more", "")
	got := c.listed("LIST -t")
	if len(got) != maxSorted+1 {
		t.Errorf("%d lines", len(got))
	}
	if plain := c.listed("LIST"); !slices.Equal(got, plain) {
		t.Error("one more is not listed in the order of the directory")
	}
	b.servesOn("alice")
}

// TestAttackDeflateBomb: a little that holds much is written as it comes: it takes no
// memory, and ends where the disk does.
func TestAttackDeflateBomb(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small file system needs the right to mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(small, unix.MNT_DETACH)) })
	b := newBench(t, allowModeZ)
	must(t, os.Mkdir(filepath.Join(b.home, "small"), 0o755))
	must(t, unix.Mount(small, filepath.Join(b.home, "small"), "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(filepath.Join(b.home, "small"), unix.MNT_DETACH)) })
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	_, err := io.CopyN(w, zeros{}, 32<<20)
	must(t, err)
	must(t, w.Close())
	if ratio := 32 << 20 / bomb.Len(); ratio < 900 {
		t.Fatalf("the bomb holds %d times as much as it is: that is none", ratio)
	}
	other := b.login()
	c := b.login()
	c.do("MODE Z", "200")
	before := allocated()
	data := c.begin("STOR small/file")
	_, _ = data.Write(bomb.Bytes())
	_ = data.(*net.TCPConn).CloseWrite()
	other.do("NOOP", "200")
	c.expect("452")
	if !b.log.logged("msg=Transfer", "path=/small/file", "outcome=failed", "reply=452", "mode=Z") {
		t.Error("the log tells nothing of it")
	}
	if taken := allocated() - before; taken > 7<<20 { // less than the disk takes of it
		t.Errorf("it has taken %d KiB of memory", taken>>10)
	}
	if entries, err := os.ReadDir(small); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if got := c.upload("STOR small/file", string(pack(t, "next"))); !strings.HasPrefix(got, "226") {
		t.Errorf("the next upload: %s", got)
	}
	c.do("DELE small/file", "250")
	b.servesOn("alice")
}

// TestAttackCompression: a large file of nothing is compressed as it is sent: it
// takes no memory, others go on meanwhile, and it ends with its client.
func TestAttackCompression(t *testing.T) {
	b := newBench(t, allowModeZ)
	must(t, os.Truncate(b.file("zeros", ""), sparse))
	other := b.login()
	c := b.login()
	c.do("MODE Z", "200")
	c.do("OPTS MODE Z LEVEL 1", "200")
	before := heap()
	data := c.begin("RETR zeros")
	must(t, data.SetDeadline(time.Now().Add(8*patience)))
	_, err := io.ReadFull(data, make([]byte, 32<<10)) // of some hundred times as much
	must(t, err)
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("it has taken %d KiB of memory", grown>>10)
	}
	other.do("NOOP", "200")
	other.upload("STOR small", "small")
	if got, reply := other.download("RETR small"); got != "small" {
		t.Errorf("another session: %q, %s", got, reply)
	}
	_ = c.raw.Close()
	eventually(t, "the transfer has ended", func() bool { return b.log.logged("msg=Transfer", "path=/zeros", "outcome=aborted") })
	must(t, os.Remove(filepath.Join(b.home, "zeros")))
	b.servesOn("alice")
}

// manyEntries is how many entries a directory of these tests has.
const manyEntries = 100_000

// crowded makes a directory of so many names, all of them two files: that is quick.
func (b *bench) crowded(dir string, name func(i int) string) {
	b.t.Helper()
	if testing.Short() {
		b.t.Skipf("makes %d names", manyEntries)
	}
	for i := range manyEntries {
		from := filepath.Join(b.home, fmt.Sprintf("source%d", i/50_000))
		if i%50_000 == 0 {
			must(b.t, os.WriteFile(from, nil, 0o644))
			must(b.t, os.MkdirAll(filepath.Join(b.home, dir), 0o755))
		}
		must(b.t, os.Link(from, filepath.Join(b.home, dir, name(i))))
	}
}

// TestAttackGlob: patterns that lead to no end elsewhere, against many long names
// that almost fit, end here; one of several directories is none. Others go on.
func TestAttackGlob(t *testing.T) {
	b := newBench(t, nil)
	b.crowded("d", func(i int) string { return strings.Repeat("a", 120) + fmt.Sprint(i) })
	for i := range 50 {
		b.file(fmt.Sprintf("many/%d/canary", i), "")
	}
	other, c := b.login(), b.login()
	for _, pattern := range []string{
		strings.Repeat("*a", 60) + "*b", strings.Repeat("*", 254), strings.Repeat("?*", 120) + "b", strings.Repeat("a*", 120) + "b", strings.Repeat("[a-z]*", 40) + "b", strings.Repeat("*[!b]", 50) + "b",
	} {
		before := heap()
		conn := c.open()
		c.send("NLST d/" + pattern)
		other.do("NOOP", "200") // while it goes on
		c.expect("150")
		data, err := io.ReadAll(conn)
		must(t, err)
		c.expect("226")
		if want := strings.Trim(pattern, "*?") == ""; want != (len(data) > 0) {
			t.Errorf("%.20s shows %d bytes", pattern, len(data))
		}
		if grown := heap() - before; grown > 4<<20 {
			t.Errorf("%.20s has taken %d KiB of memory", pattern, grown>>10)
		}
	}
	for _, pattern := range []string{"many/*/canary", "*/*/*", "many/*/*", "*/0/canary", "many/{0,1}/*"} {
		for _, verb := range []string{"NLST ", "LIST -R ", "STAT "} {
			if reply, data := c.ask(verb != "STAT ", verb+pattern); !strings.HasPrefix(reply, "550") || data != "" {
				t.Errorf("%s%s: %s, %q", verb, pattern, reply, data)
			}
		}
	}
	for _, pattern := range []string{"d/[", "d/[a-", `d/\`, "d/" + strings.Repeat("[", 200), "d/" + strings.Repeat("*", 256)} {
		if reply, _ := c.ask(true, "LIST "+pattern); !strings.HasPrefix(reply, "55") {
			t.Errorf("LIST %.10s: %s", pattern, reply)
		}
	}
	if reply := c.do("STAT d/*", "212-"); strings.Count(reply, "\n") > maxStatEntries+2 || !strings.Contains(reply, "more than 1000 entries: use LIST") {
		t.Errorf("STAT of a large directory has %d lines", strings.Count(reply, "\n"))
	}
	b.servesOn("alice")
}

// TestAttackListingInACircle: LIST -R follows no link, so there is no circle, and
// each directory comes once.
func TestAttackListingInACircle(t *testing.T) {
	b := newBench(t, nil)
	b.file("a/b/c/file", "")
	for i, to := range []string{".", "..", "../..", "/", "../../../alice", "../b", b.home} {
		must(t, os.Symlink(to, filepath.Join(b.home, "a", "b", fmt.Sprint("link", i))))
	}
	c := b.login()
	if got := c.listed("NLST -R"); len(got) != 4+7 {
		t.Errorf("%d lines: %q", len(got), got)
	}
	c.do("STAT -R", "212-")
	b.servesOn("alice")
}

// TestAttackWaitingDirectories: what LIST -R has yet to visit is held by its name
// alone. Deep down below long names, the paths of as many directories as may wait
// would take some hundred megabytes.
func TestAttackWaitingDirectories(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 10,000 directories")
	}
	b := newBench(t, nil)
	t.Chdir(b.home) // a path of this length is none for the kernel
	const deep = maxTreeDepth - 4
	for range deep {
		name := strings.Repeat("n", 250)
		must(t, os.Mkdir(name, 0o755))
		must(t, unix.Chdir(name))
	}
	for i := range maxTreeWaiting {
		must(t, os.Mkdir(fmt.Sprint(i), 0o755))
	}
	c := b.login()
	before := heap()
	conn := c.openNarrow()
	c.do("LIST -R", "150")
	// The entries of the lowest directory come before the first that waits.
	for most, seen := 2<<20, 0; seen < most; {
		n, err := conn.Read(make([]byte, 32<<10))
		must(t, err)
		seen += n
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("the listing holds %d KiB", grown>>10)
	}
	c.do("NOOP", "200")
	c.do("ABOR", "426")
	c.expect("226")
	must(t, unix.Chdir(b.home))
	must(t, os.RemoveAll(filepath.Join(b.home, strings.Repeat("n", 250))))
	b.servesOn("alice")
}

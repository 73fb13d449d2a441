package ftp

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// TestLongFormat: lines as ls writes them, so that clients can read them.
func TestLongFormat(t *testing.T) {
	now := time.Now().UTC()
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, test := range []struct {
		info vfs.Info
		want string
	}{
		{vfs.Info{Name: "a", Size: 1, ModTime: old, Mode: 0o644, Links: 1}, "-rw-r--r--   1 ftp      ftp                 1 Feb  3  2001 a"},
		{vfs.Info{Name: "d", Dir: true, ModTime: old, Mode: fs.ModeDir | 0o750, Links: 12}, "drwxr-x---  12 ftp      ftp                 0 Feb  3  2001 d"},
		{vfs.Info{Name: "l", ModTime: old, Mode: fs.ModeSymlink | 0o777, Links: 1}, "lrwxrwxrwx   1 ftp      ftp                 0 Feb  3  2001 l"},
		{vfs.Info{Name: "p", ModTime: old, Mode: fs.ModeNamedPipe | 0o600, Links: 1}, "prw-------   1 ftp      ftp                 0 Feb  3  2001 p"},
		{vfs.Info{Name: "s", ModTime: old, Mode: fs.ModeSocket | 0o600, Links: 1}, "srw-------   1 ftp      ftp                 0 Feb  3  2001 s"},
		{vfs.Info{Name: "c", ModTime: old, Mode: fs.ModeDevice | fs.ModeCharDevice, Links: 1}, "c---------   1 ftp      ftp                 0 Feb  3  2001 c"},
		{vfs.Info{Name: "b", ModTime: old, Mode: fs.ModeDevice, Links: 1}, "b---------   1 ftp      ftp                 0 Feb  3  2001 b"},
		{vfs.Info{Name: "huge", Size: 1 << 62, ModTime: old, Mode: 0o644, Links: 1234}, "-rw-r--r-- 1234 ftp      ftp      4611686018427387904 Feb  3  2001 huge"},
		{vfs.Info{Name: "two\r\nlines\x7f", ModTime: old, Mode: 0o644, Links: 1}, "-rw-r--r--   1 ftp      ftp                 0 Feb  3  2001 two??lines?"},
		{vfs.Info{Name: "new", ModTime: now, Mode: 0o644, Links: 1}, "-rw-r--r--   1 ftp      ftp                 0 " + now.Format("Jan _2 15:04") + " new"},
		{vfs.Info{Name: "ahead", ModTime: now.Add(48 * time.Hour), Mode: 0o644, Links: 1}, "-rw-r--r--   1 ftp      ftp                 0 " + now.Add(48*time.Hour).Format("Jan _2  2006") + " ahead"},
	} {
		if got := string(formatLong(nil, nil, &test.info)); got != test.want+"\r\n" {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

// entries is a directory that no server should hold in memory.
const entries = 100_000

// TestHugeDirectory: memory does not grow with the directory, and every entry is
// there. It says when the first line came.
func TestHugeDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	b := newBench(t, nil)
	for i := range entries {
		must(t, os.WriteFile(filepath.Join(b.home, fmt.Sprintf("file-%06d-with-a-name-of-some-length", i)), nil, 0o644))
	}
	for _, verb := range []string{"LIST", "MLSD", "NLST"} {
		t.Run(verb, func(t *testing.T) {
			c := b.login()
			before := heap()
			start := time.Now()
			data := c.begin(verb)
			_ = data.SetDeadline(time.Now().Add(time.Minute))
			in := bufio.NewReader(data)
			_, err := in.ReadString('\n')
			must(t, err)
			first := time.Since(start)
			if grown := heap() - before; grown > 4<<20 {
				t.Errorf("the listing holds %d KiB in its middle", grown>>10)
			}
			lines := 1
			for ; err == nil; lines++ {
				_, err = in.ReadString('\n')
			}
			total := time.Since(start)
			if lines--; err != io.EOF || lines != entries {
				t.Errorf("%d lines, then %v", lines, err)
			}
			_ = data.Close()
			c.expect("226")
			t.Logf("first line after %s, all after %s", first, total)
		})
	}
}

// allocated is all that was ever taken of the heap, in bytes.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// heap is what is in use, after what is not has been collected.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

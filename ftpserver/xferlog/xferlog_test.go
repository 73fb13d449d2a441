package xferlog

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entry(path string) *Entry {
	return &Entry{
		Ended: time.Date(2026, 11, 4, 13, 5, 9, 0, time.UTC), Took: 2600 * time.Millisecond,
		Client: netip.MustParseAddr("203.0.113.9"), Bytes: 48211, Path: path, User: "alice", Complete: true,
	}
}

func TestLine(t *testing.T) {
	for want, edit := range map[string]func(*Entry){
		"Wed Nov  4 13:05:09 2026 3 203.0.113.9 48211 /a.pdf b _ o r alice ftp 0 * c\n": func(*Entry) {},
		"Wed Nov  4 13:05:09 2026 1 2001:db8::9 0 /a%20b%25%0A a _ i a anonymous ftp 0 * i\n": func(e *Entry) {
			*e = Entry{Ended: e.Ended.In(time.FixedZone("", 3600)), Client: netip.MustParseAddr("2001:db8::9"), Path: "/a b%\n", ASCII: true, Upload: true, User: "anonymous", Guest: true}
		},
		"Wed Nov  4 13:05:09 2026 3 203.0.113.9 48211 /Größe%FF%C2%A0 b _ o r al%20ice ftp 0 * c\n": func(e *Entry) {
			e.Path, e.User = "/Größe\xff\u00a0", "al ice"
		},
	} {
		e := entry("/a.pdf")
		edit(e)
		if got := string(e.Line()); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

// FuzzEscape: whatever the names, a line is one line of as many fields, and the
// names can be read back.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "_", " ", "/a b", "%20", "\n", "\r\n x", "\xff\xfe", "\u2028", "\u0085", "\u202e", "\x00", "/ü%"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, path, user string) {
		e := entry(path)
		e.User = user
		line := string(e.Line())
		fields := strings.Fields(line)
		if len(fields) != 18 || strings.Count(line, "\n") != 1 || strings.Count(line, " ") != 18 { // one more, before a day of one digit
			t.Fatalf("%d fields in %q", len(fields), line)
		}
		for field, name := range map[string]string{fields[8]: path, fields[13]: user} {
			if got := unescape(t, field); got != name && (name != "" || got != "_") {
				t.Fatalf("%q is written as %q, which reads %q", name, field, got)
			}
		}
	})
}

func unescape(t *testing.T, s string) string {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			t.Fatalf("%q ends in an escape", s)
		}
		high, low := strings.IndexByte("0123456789ABCDEF", s[i+1]), strings.IndexByte("0123456789ABCDEF", s[i+2])
		if high < 0 || low < 0 {
			t.Fatalf("no escape in %q", s)
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String()
}

// bench is a Log, and what it complains of.
type bench struct {
	*Log
	t       *testing.T
	dropped atomic.Int64
	out     bytes.Buffer
}

func newBench(t *testing.T, path string) *bench {
	b := &bench{t: t}
	b.Log = New(slog.New(slog.NewTextHandler(&b.out, nil)), func() { b.dropped.Add(1) })
	b.SetPath(path)
	t.Cleanup(b.Close)
	return b
}

func (b *bench) holds(file, want string) {
	b.t.Helper()
	var got []byte
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if got, _ = os.ReadFile(file); string(got) == want {
			return
		}
	}
	b.t.Fatalf("%s holds %q, want %q", file, got, want)
}

func line(path string) string { return string(entry(path).Line()) }

// TestRotation: a log that was renamed is done with, at the next line.
func TestRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "xferlog")
	b := newBench(t, file)
	b.Add(entry("/1"))
	b.holds(file, line("/1"))
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	b.Add(entry("/2"))
	b.holds(file, line("/2"))
	b.holds(file+".1", line("/1"))
	if err := os.Truncate(file, 0); err != nil { // copytruncate
		t.Fatal(err)
	}
	b.Add(entry("/3"))
	b.holds(file, line("/3"))
	other := file + "-other"
	b.SetPath(other)
	b.Add(entry("/4"))
	b.holds(other, line("/4"))
	b.SetPath("")
	b.Add(entry("/5"))
	b.Close()
	b.holds(other, line("/4"))
	b.holds(file, line("/3"))
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

// TestUnwritable: what can't be written is counted and told once, and writing
// goes on when it can.
func TestUnwritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	file := filepath.Join(dir, "xferlog")
	b := newBench(t, file)
	for range 5 {
		b.Add(entry("/lost"))
	}
	for deadline := time.Now().Add(10 * time.Second); b.dropped.Load() < 5 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // between two looks
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Add(entry("/kept"))
	b.holds(file, line("/kept"))
	b.Close()
	if n := strings.Count(b.out.String(), "can't be written"); n != 1 || b.dropped.Load() != 5 {
		t.Errorf("told %d times, %d dropped, want 1 and 5:\n%s", n, b.dropped.Load(), b.out.String())
	}
}

// TestNoRegularFile: a pipe that nobody reads would be waited for.
func TestNoRegularFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, t.TempDir(), "/dev/full", "/dev/null"} {
		b := newBench(t, path)
		b.Add(entry("/1"))
		b.Close()
		if b.dropped.Load() != 1 {
			t.Errorf("%s: %d dropped, want 1", path, b.dropped.Load())
		}
	}
}

// TestBlockedOutput: whoever reads standard output no more holds up no transfer.
func TestBlockedOutput(t *testing.T) {
	reads, writes := io.Pipe()
	b := &bench{t: t}
	b.Log = &Log{
		log: slog.New(slog.DiscardHandler), dropped: func() { b.dropped.Add(1) }, stdout: writes,
		lines: make(chan []byte, queued), paths: make(chan string, 1), ended: make(chan struct{}),
	}
	go b.run()
	b.SetPath(Stdout)
	for range 3 * queued {
		b.Add(entry("/1"))
	}
	if n := b.dropped.Load(); n < queued {
		t.Errorf("%d were dropped", n)
	}
	_ = reads.Close()
	b.Close()
}

// fullDisk takes so many bytes.
type fullDisk struct {
	bytes.Buffer
	room int
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		n, _ := d.Buffer.Write(p[:d.room])
		d.room = 0
		return n, errors.New("no space left on device")
	}
	d.room -= len(p)
	return d.Buffer.Write(p)
}

// TestTornLine: what is left of a line that did not fit does not spoil the next.
func TestTornLine(t *testing.T) {
	d := &fullDisk{room: 10}
	var o output
	if o.put(d, []byte(line("/1"))) == nil || o.put(d, []byte(line("/2"))) == nil {
		t.Fatal("a full disk took it all")
	}
	d.room = 1 << 20
	for _, path := range []string{"/3", "/4"} {
		if err := o.put(d, []byte(line(path))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := d.String(), line("/1")[:10]+"\n"+line("/3")+line("/4"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

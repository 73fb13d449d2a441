package vfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const tracedCalls = "trace=fsync,ftruncate,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdirat,copy_file_range,sendfile,splice,write"

// TestSystemCalls holds what makes a promise durable, in its order, against
// what the kernel is really asked.
func TestSystemCalls(t *testing.T) {
	const (
		flushFile = `fsync\(\d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>`
		flushHome = `fsync\(\d+</>`
		publish   = `renameat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", \d+</>, `
		forget    = `unlinkat\(\d+</>, ".ftpserver-part-[0-9a-f]{32}", 0\) = -1 ENOENT`
		writeTmp  = `write\(\d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>, "data", 4\)`
	)
	for name, want := range map[string][]string{
		"store":    {writeTmp, flushFile, publish + `"new"`, forget, flushHome},
		"replace":  {writeTmp, flushFile, publish + `"old"`, forget, flushHome},
		"flushed":  {writeTmp, flushFile, publish + `"new"`, forget, flushHome},
		"careless": {writeTmp, publish + `"new"`, forget},
		"append": {`copy_file_range\(\d+</old>, NULL, \d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>, NULL, \d+, 0\) = 10`,
			writeTmp, flushFile, publish + `"old"`, forget, flushHome},
		"drop box": {writeTmp, flushFile, `linkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", \d+</>, "new", 0\) = 0`,
			`unlinkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", 0\) = 0`, forget, flushHome},
		"make":   {`mkdirat\(\d+</>, "made", 0755\) = 0`, flushHome},
		"delete": {`unlinkat\(\d+</>, "old", 0\) = 0`, forget, flushHome},
		"clear":  {`unlinkat\(\d+</>, "empty", AT_REMOVEDIR\) = 0`, flushHome},
		"rename": {`renameat\(\d+</>, "old", \d+</>, "new"\) = 0`, forget, flushHome},
		"move": {`renameat\(\d+</>, "old", \d+</dir>, "new"\) = 0`, `unlinkat\(\d+</dir>, ".ftpserver-part-[0-9a-f]{32}", 0\) = -1 ENOENT`,
			`fsync\(\d+</dir>`, flushHome},
		"combine": {copied("old"), copied("dir/part"), copied("other"), flushFile,
			`linkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", \d+</>, "new", 0\) = 0`, `unlinkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", 0\) = 0`, forget, flushHome,
			`unlinkat\(\d+</>, "old", 0\) = 0`, `unlinkat\(\d+</dir>, "part", 0\) = 0`, `unlinkat\(\d+</>, "other", 0\) = 0`, flushHome, `fsync\(\d+</dir>`},
		"attribute": {`fsync\(\d+</old>`},
		"unique": {flushFile, `linkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", \d+</>, "new-[a-z2-7]{12}", 0\) = 0`,
			`unlinkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", 0\) = 0`, forget, flushHome},
		"direct":          {`write\(\d+</new>, "data", 4\)`, `fsync\(\d+</new>\)`, forget, flushHome},
		"direct append":   {`write\(\d+</old>, "data", 4\)`, `fsync\(\d+</old>\)`, forget},
		"direct drop box": {`write\(\d+</new>, "data", 4\)`, `fsync\(\d+</new>\)`, forget, flushHome},
		"direct careless": {`write\(\d+</new>, "data", 4\)`, forget},
		"direct upload":   {`splice\(\d+<.*>, NULL, \d+</new>, NULL, .*\) = 4`, forget},
		"download":        {`sendfile\(\d+<.*>, \d+</old>, .*\) = 10`, `sendfile\(\d+<.*>, \d+</old>, .*\) = 0`},
		"upload":          {`splice\(\d+<.*>, NULL, \d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>, NULL, .*\) = 4`, publish + `"new"`, forget},
	} {
		t.Run(name, func(t *testing.T) {
			d := newHome(t)
			if name == "combine" {
				d.write("dir/part", "0123456789")
				d.write("other", "0123456789")
			}
			wantCalls(t, trace(t, d, name), want)
		})
	}
}

// copied is the call that copies a file of 10 bytes.
func copied(name string) string {
	return `copy_file_range\(\d+</` + name + `>, NULL, \d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>, NULL, \d+, 0\) = 10`
}

// TestHomeIsDurable: what is stored in a new home is no safer than the home.
func TestHomeIsDurable(t *testing.T) {
	d := openDisk(t, t.TempDir(), Options{BootID: "b"})
	calls := trace(t, d, "make")
	if len(calls) < 2 || !strings.Contains(calls[0], `mkdirat(`) || !strings.Contains(calls[0], `"home"`) || !strings.HasPrefix(calls[1], "fsync(") {
		t.Errorf("calls are\n%s", strings.Join(calls, "\n"))
	}
}

// TestFailedFlush lets the first flush fail, as a bad disk does: it is not tried
// again, nothing is published, and the temporary is gone.
func TestFailedFlush(t *testing.T) {
	for _, scenario := range []string{"bad disk", "flushed, bad"} {
		d := newHome(t)
		wantCalls(t, trace(t, d, scenario, "inject=fsync:error=EIO:when=1"), []string{
			`write\(`, `fsync\(\d+</.ftpserver-tmp-0-b-1[-0-9a-f]*>\) += -1 EIO`, `unlinkat\(\d+</>, ".ftpserver-tmp-0-b-1[-0-9a-f]*", 0\) = 0`,
			`unlinkat\(\d+</>, ".ftpserver-part-[0-9a-f]{32}", 0\) = -1 ENOENT`,
		})
		d.wantFile("old", "0123456789")
		d.wantNames("", "dir", "empty", "old")
	}
}

// TestFailedDirectoryFlush lets that of the directory fail: that is no success either.
func TestFailedDirectoryFlush(t *testing.T) {
	d := newHome(t)
	// By its path, and not as the second: strace counts for each thread.
	calls := trace(t, d, "bad disk", "inject=fsync:error=EIO", "path="+d.path(""))
	if n := strings.Count(strings.Join(calls, "\n"), "fsync("); n != 1 {
		t.Errorf("%d flushes, want 1", n)
	}
	d.wantFile("old", "data")
	d.wantNames("", "dir", "empty", "old")
}

// TestFullDisk: that the disk, or the file system's own quota, is full may show at
// the last step only. It is told as such, and the temporary is gone.
func TestFullDisk(t *testing.T) {
	for inject, scenario := range map[string]string{
		"fsync:error=ENOSPC:when=1":    "full disk",
		"fsync:error=EDQUOT:when=1":    "full disk",
		"renameat:error=ENOSPC:when=1": "full disk",
		"renameat:error=EDQUOT:when=1": "full disk",
		"linkat:error=EDQUOT:when=1":   "full at link",
	} {
		t.Run(inject, func(t *testing.T) {
			d := newHome(t)
			trace(t, d, scenario, "inject="+inject)
			d.wantFile("old", "0123456789")
			d.wantNames("", "dir", "empty", "old")
		})
	}
}

// TestFullAtClose: network file systems tell only then. The close that counts is
// that of the temporary: strace lets all of its path fail.
func TestFullAtClose(t *testing.T) {
	d := newHome(t)
	trace(t, d, "full disk", "trace=close,"+strings.TrimPrefix(tracedCalls, "trace="), "inject=close:error=ENOSPC", "path="+d.path(d.replacing("old")))
	d.wantFile("old", "0123456789")
	d.wantNames("", "dir", "empty", "old")
}

// TestModeThatCannotBeSet: of what could not be made as it was to be, nothing stays.
func TestModeThatCannotBeSet(t *testing.T) {
	for _, scenario := range []string{"umask", "direct umask", "umask make"} {
		t.Run(scenario, func(t *testing.T) {
			d := newHome(t)
			trace(t, d, scenario, "trace=fchmod,"+strings.TrimPrefix(tracedCalls, "trace="), "inject=fchmod:error=EIO")
			d.wantNames("", "dir", "empty", "old")
		})
	}
}

// TestDirectOnABadDisk: no 226 where the flush failed. What is there is there.
func TestDirectOnABadDisk(t *testing.T) {
	d := newHome(t)
	calls := trace(t, d, "direct bad disk", "inject=fsync:error=EIO:when=1")
	if n := strings.Count(strings.Join(calls, "\n"), "fsync("); n != 1 {
		t.Errorf("%d flushes, want 1", n)
	}
	d.wantFile("old", "0123456789data")
}

func newHome(t *testing.T) *disk {
	d := newDisk(t)
	d.write("old", "0123456789")
	d.mkdir("dir")
	d.mkdir("empty")
	return d
}

// trace runs a scenario on the disk and returns its system calls, with the
// home's path left out.
func trace(t *testing.T, d *disk, scenario string, options ...string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "-y", "-qq", "-e", "signal=none", "-o", out, "-e", tracedCalls}
	for _, o := range options {
		if path, only := strings.CutPrefix(o, "path="); only {
			args = append(args, "-P", path)
			continue
		}
		args = append(args, "-e", o)
	}
	needTracer(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", append(args, self)...)
	// A signal of Go's scheduler has the kernel begin a call again, which is then told twice.
	cmd.Env = append(os.Environ(), "VFS_SCENARIO="+scenario+":"+d.root, "GORACE=atexit_sleep_ms=0", "GODEBUG=asyncpreemptoff=1")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", scenario, err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return homeCalls(string(text), d.path(""))
}

func needTracer(t *testing.T) {
	t.Helper()
	if err := exec.Command("strace", "-qq", "-o", os.DevNull, "true").Run(); err != nil {
		t.Skipf("strace cannot be used here: %v", err)
	}
}

var threadID = regexp.MustCompile(`(?m)^\d+ +`)

// homeCalls leaves out what concerns neither the home nor its making, and the
// pipe through which the kernel splices.
func homeCalls(trace, home string) []string {
	var calls []string
	for line := range strings.Lines(threadID.ReplaceAllString(trace, "")) {
		root := filepath.Dir(home)
		switch line = strings.TrimSpace(line); {
		case strings.Contains(line, "<"+home), strings.Contains(line, "<"+root+">"):
			line = strings.ReplaceAll(line, "<"+home+"/", "</")
			calls = append(calls, strings.ReplaceAll(line, "<"+home+">", "</>"))
		}
	}
	return calls
}

func wantCalls(t *testing.T, calls, want []string) {
	t.Helper()
	ok := len(calls) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = regexp.MustCompile(`^` + want[i]).MatchString(calls[i])
	}
	if !ok {
		t.Errorf("system calls are\n  %s\nwant\n  %s", strings.Join(calls, "\n  "), strings.Join(want, "\n  "))
	}
}

package clients

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestFaultOutOfDescriptors: while the program has none left, it accepts nobody
// and does not spin over it; who is there is answered. When there are some again,
// those who came meanwhile are served.
func TestFaultOutOfDescriptors(t *testing.T) {
	s := newServer(t, config.TLSDisabled, func(c *config.Config) {
		c.Users[0].Paths = nil
		c.Log.Level = "Info"
	})
	s.start()
	must(t, os.WriteFile(s.homeOf(t, "file"), []byte("content"), 0o644))
	c := s.login(t, "alice", password)
	up, down := s.login(t, "alice", password), s.login(t, "alice", password)
	const size = 64 << 20 // more than the buffers of both ends take
	must(t, os.WriteFile(s.homeOf(t, "large"), make([]byte, size), 0o644))
	uploading, downloading := up.data(), down.data()
	up.command(200, "TYPE I")
	up.command(150, "STOR new")
	down.command(200, "TYPE I")
	down.command(150, "RETR large")
	_, err := io.ReadFull(downloading, make([]byte, 1))
	must(t, err)
	sent := strings.Repeat("data", size/4)
	_, err = io.WriteString(uploading, sent[:size/2])
	must(t, err)
	eventually(t, time.Minute, "the upload has begun", func() bool { return !strings.Contains(up.command(211, "STAT"), " 0 bytes so far") })
	pid := s.cmd.Process.Pid
	begun := time.Now()
	restore := starve(t, pid)
	var waiting []net.Conn
	for range 20 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)) // into the backlog
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		waiting = append(waiting, conn)
	}
	knock := c.data()
	eventually(t, time.Minute, "the log tells of it", func() bool { return len(s.log.find("Accepting connections fails", nil)) >= 2 })

	const window = 5 * time.Second
	before := cpuTime(t, pid)
	<-time.After(window)
	used := cpuTime(t, pid) - before
	t.Logf("%s of processor time in %s", used, window)
	if used > window/10 {
		t.Errorf("%s of processor time in %s: it spins", used, window)
	}
	c.command(200, "NOOP")
	c.command(257, "PWD")
	c.command(451, "RETR file")
	c.command(451, "STAT /")
	if n, err := io.Copy(io.Discard, downloading); n != size-1 {
		t.Errorf("of a download that had begun, %d bytes came (%v)", n, err)
	}
	down.expect(226)
	_, err = io.WriteString(uploading, sent[size/2:])
	must(t, err)
	_ = uploading.Close()
	up.expect(226)
	if n, most := len(s.log.find("Accepting connections fails", nil)), 2+2*int(time.Since(begun)/time.Minute); n > most {
		t.Errorf("%d lines of the log tell of it, of two ports", n)
	}
	if lines := s.log.find("Storage failed", nil); len(lines) == 0 || !strings.Contains(lines[0].text("error"), "/file: too many open files") {
		t.Errorf("of the storage, the log tells %v", lines)
	}

	restore()
	for _, conn := range waiting {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		greeting := make([]byte, 3)
		if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "220" {
			t.Fatalf("who has waited gets %q (%v)", greeting, err)
		}
	}
	_ = knock.Close()
	for _, c := range []*control{c, s.login(t, "alice", password)} {
		if got := c.retrieve("file"); got != "content" {
			t.Errorf("a download gives %q", got)
		}
	}
	if data, err := os.ReadFile(s.home("alice", "new")); string(data) != sent {
		t.Errorf("of what was uploaded meanwhile, %d bytes are there (%v)", len(data), err)
	}
	if len(s.log.find("Connections are accepted again", nil)) == 0 {
		t.Error("the log does not tell that it is over")
	}
}

// starve lets a process open nothing more until restore. What is open stays so:
// the limit is for new descriptors, and those below it are those of every program.
func starve(t *testing.T, pid int) (restore func()) {
	t.Helper()
	var was unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &was))
	must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: was.Max}, nil))
	return func() { must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &was, nil)) }
}

// cpuTime is the processor time that a process has used.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	must(t, err)
	system, err := strconv.Atoi(fields[12])
	must(t, err)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// homeOf is a file of alice's, whose home is there afterwards.
func (s *server) homeOf(t *testing.T, name string) string {
	t.Helper()
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	return s.home("alice", name)
}

// retrieve downloads a file.
func (c *control) retrieve(name string) string {
	c.t.Helper()
	conn := c.data()
	c.command(150, "RETR "+name)
	data, err := io.ReadAll(conn)
	must(c.t, err)
	c.expect(226)
	return string(data)
}

// TestFaultInTheKernel lets the calls fail with which the kernel moves data between
// file and connection: that is the storage's failure, nothing is published, and the
// program goes on.
func TestFaultInTheKernel(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	s := newServer(t, config.TLSDisabled, nil)
	s.wrap = []string{"strace", "-f", "-qq", "-o", filepath.Join(t.TempDir(), "trace"), "-e", "signal=none",
		"-e", "trace=sendfile,splice", "-e", "inject=sendfile,splice:error=EIO"}
	s.start()
	must(t, os.WriteFile(s.homeOf(t, "file"), []byte("content"), 0o644))
	c := s.login(t, "alice", password)
	c.command(200, "TYPE I")
	for _, line := range []string{"RETR file", "STOR file", "APPE file", "STOR new"} {
		conn := c.data()
		c.command(150, line)
		_, _ = conn.Write([]byte("data"))
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		c.expect(451)
		verb, name, _ := strings.Cut(line, " ")
		transfer := s.log.wait(t, "Transfer", func(e entry) bool { return e.text("verb") == verb && e.text("path") == "/"+name })
		if !strings.Contains(transfer.text("error"), syscall.EIO.Error()) {
			t.Errorf("%s: the log tells %v", line, transfer)
		}
	}
	entries, err := os.ReadDir(s.home("alice"))
	must(t, err)
	data, err := os.ReadFile(s.home("alice", "file"))
	if err != nil || string(data) != "content" || len(entries) != 1 {
		t.Errorf("the home holds %v, the file %q (%v)", entries, data, err)
	}
	c.command(200, "TYPE A") // which does not pass the kernel by
	conn := c.data()
	c.command(150, "STOR new")
	_, _ = conn.Write([]byte("data"))
	_ = conn.Close()
	c.expect(226)
}

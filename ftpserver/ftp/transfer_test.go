package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// inBoth runs f with a session in clear and with one over TLS.
func inBoth(t *testing.T, edit func(*config.Config), f func(t *testing.T, b *bench, c *client)) {
	t.Helper()
	t.Run("plain", func(t *testing.T) {
		b := newBench(t, edit)
		f(t, b, b.login())
	})
	t.Run("TLS", func(t *testing.T) {
		b := newBench(t, edit)
		f(t, b, b.loginTLS())
	})
}

// large is more than the socket buffers of both sides take.
const large = 64 << 20

func (b *bench) largeFile(name string) string {
	b.t.Helper()
	path := b.file(name, "")
	must(b.t, os.Truncate(path, large))
	return path
}

// TestAbortAwaited: ABOR works while the data connection is still awaited.
func TestAbortAwaited(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		c.do("EPSV", "229")
		c.do("STOR file", "150")
		c.do("ABOR", "426 Transfer aborted")
		c.expect("226")
		if got := c.upload("STOR file", "content"); !strings.HasPrefix(got, "226") {
			t.Fatalf("the next upload: %s", got)
		}
		c.do("ABOR", "226") // nothing to abort
		c.do("EPSV", "229")
		c.do("ABOR", "226")
		c.do("LIST", "425") // the port was given up
		if b.content("file") != "content" {
			t.Error("the file is not the uploaded one")
		}
	})
}

// TestAbortRunning: and in the middle of a transfer, either way.
func TestAbortRunning(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.largeFile("large")
		data := c.begin("RETR large")
		_, err := io.ReadFull(data, make([]byte, 1<<20))
		must(t, err)
		c.do("ABOR", "426 Transfer aborted")
		c.expect("226")
		_ = data.Close()

		b.file("kept", "old")
		data = c.begin("STOR kept")
		_, err = data.Write([]byte("half of the new"))
		must(t, err)
		c.do("ABOR", "426 Transfer aborted")
		c.expect("226")
		if got := b.content("kept"); got != "old" {
			t.Errorf("after an aborted upload the file holds %q", got)
		}
		c.do("NOOP", "200")
	})
}

// TestStatRunning: STAT tells of the transfer while it runs, and NOOP answers.
func TestStatRunning(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR up")
		_, err := data.Write(make([]byte, 1<<20))
		must(t, err)
		if status := c.do("STAT", "211-"); !strings.Contains(status, " STOR /up: ") {
			t.Errorf("status %q", status)
		}
		c.do("NOOP", "200")
		must(t, data.Close())
		c.expect("226")
		if status := c.do("STAT", "211-"); strings.Contains(status, "STOR") {
			t.Errorf("status %q", status)
		}
	})
}

// TestGrowing: of a file that grows while it is sent, all is sent.
func TestGrowing(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		path := b.largeFile("large")
		data := c.begin("RETR large")
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString("and more")
		must(t, err)
		must(t, f.Close())
		n, err := io.Copy(io.Discard, data)
		must(t, err)
		_ = data.Close()
		c.expect("226")
		if n != large+8 {
			t.Errorf("%d bytes came", n)
		}
	})
}

// TestNoCloseNotify: over TLS, a client that has ended an upload properly once
// must do so always; one that never did is believed while it stays.
func TestNoCloseNotify(t *testing.T) {
	b := newBench(t, nil)
	c := b.loginTLS()
	cut := func(command, content string) string {
		conn := c.begin(command)
		_, err := io.WriteString(conn, content)
		must(t, err)
		tcp := tcpOf(conn)
		must(t, tcp.CloseWrite()) // the end of TCP, without that of TLS
		reply := c.reply()
		_ = tcp.Close()
		return reply
	}
	if got := cut("STOR first", "one"); !strings.HasPrefix(got, "226") || b.content("first") != "one" {
		t.Errorf("from a client that never sends close_notify: %s, %q", got, b.content("first"))
	}
	if got := c.upload("STOR second", "two"); !strings.HasPrefix(got, "226") {
		t.Errorf("with close_notify: %s", got)
	}
	if got := cut("STOR first", "half"); !strings.HasPrefix(got, "426 The data connection ended without TLS close_notify") {
		t.Errorf("without it, from a client that has sent it: %s", got)
	}
	if b.content("first") != "one" {
		t.Errorf("the file holds %q", b.content("first"))
	}
}

// TestUploaderGone: when both connections end, in whichever order, the upload
// is not published, unless the client has said QUIT.
func TestUploaderGone(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("kept", "old")
		for _, content := range []string{"half", ""} {
			for _, dataFirst := range []bool{false, true} {
				data := c.begin("STOR kept")
				_, err := io.WriteString(data, content)
				must(t, err)
				b.whenUnderWay("kept")
				first, second := net.Conn(c.raw), net.Conn(tcpOf(data))
				if dataFirst {
					first, second = second, first
				}
				_ = first.Close() // as the kernel does for a process that dies
				_ = second.Close()
				eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
				if got := b.content("kept"); got != "old" {
					t.Errorf("data connection first %t, after %q: the file holds %q", dataFirst, content, got)
				}
				c = b.again(c)
			}
		}
		data := c.begin("STOR kept")
		_, err := io.WriteString(data, "new")
		must(t, err)
		c.send("QUIT")
		must(t, c.raw.CloseWrite())
		must(t, data.Close())
		c.expect("226")
		c.expect("221")
		if got := b.content("kept"); got != "new" {
			t.Errorf("after QUIT the file holds %q", got)
		}
	})
}

// whenUnderWay waits until an upload has lasted long enough for its client to be
// given all the time to die.
func (b *bench) whenUnderWay(name string) {
	b.t.Helper()
	eventually(b.t, "the upload is under way", func() bool {
		for _, s := range b.server.Sessions(10) {
			if t := s.Transfer; t != nil && t.Path == "/"+name {
				return time.Since(t.Since) > longestGrace
			}
		}
		return false
	})
}

// TestGrace: long enough for a dying process on a busy machine, and never more
// than a short upload is worth. No wait is due where no process dies that fast, if
// anything has come at all: the first thing that a client sends may be its end.
func TestGrace(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		bytes                 int64
		took, roundTrip, want time.Duration
	}{
		{1, 0, 0, 0},
		{1, quickUpload - 1, 0, 0},
		{1, quickUpload, 0, shortestGrace},
		{1, ms / 2, ms / 10, ms / 2},
		{1, ms, 2 * ms, 8 * ms},
		{1, 10 * ms, ms, 10 * ms},
		{1, time.Minute, 0, 20 * ms},
		{1, ms, time.Second, 20 * ms},
		{0, 0, 0, 20 * ms},
		{0, time.Minute, 0, 20 * ms},
	} {
		if got := grace(test.bytes, test.took, func() time.Duration { return test.roundTrip }); got != test.want {
			t.Errorf("%d bytes in %s, round trip %s: %s, want %s", test.bytes, test.took, test.roundTrip, got, test.want)
		}
	}
}

// TestStillDue: a flush that took long enough is wait enough; what it left is
// waited by a timer, which is no finer than it is.
func TestStillDue(t *testing.T) {
	const us = time.Microsecond
	for _, test := range []struct{ due, passed, want time.Duration }{
		{0, us, 0},
		{shortestGrace, 0, shortestWait},
		{shortestGrace, 100 * us, shortestWait - 100*us},
		{shortestGrace, shortestGrace, 0},
		{5 * shortestWait, 0, 5 * shortestWait},
		{5 * shortestWait, 2 * shortestWait, 3 * shortestWait},
		{5 * shortestWait, 9 * shortestWait, 0},
	} {
		if got := stillDue(test.due, test.passed); got != test.want {
			t.Errorf("%s due, %s passed: %s, want %s", test.due, test.passed, got, test.want)
		}
	}
}

// TestQuickUploadIsLookedAt: where no wait is due, the client must still be there.
func TestQuickUploadIsLookedAt(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	s, now := b.server.all()[0], time.Now()
	quick := &transfer{started: now, ended: now, ctx: t.Context(), parked: make(chan struct{})}
	quick.bytes.Store(1)
	if !s.clientStays(quick) {
		t.Error("a client that is there is taken for dead")
	}
	must(t, c.raw.Close())
	eventually(t, "the end of the control connection", s.ctrl.peerClosed)
	if s.clientStays(quick) {
		t.Error("a client that is gone is taken for alive")
	}
}

// TestCutUploadIsNotPublished: neither when a further command waits already.
func TestCutUploadIsNotPublished(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	ctx, cancel := context.WithCancelCause(t.Context())
	cut := &transfer{ctx: ctx, parked: make(chan struct{})}
	cut.park(false, false)
	s := b.server.all()[0]
	if !s.clientStays(cut) {
		t.Error("a client whose next command waits is taken for dead")
	}
	cancel(errAborted)
	if s.clientStays(cut) {
		t.Error("an upload that was aborted would be published")
	}
	c.do("NOOP", "200")
}

// again logs in as the client did before.
func (b *bench) again(c *client) *client {
	b.t.Helper()
	if c.protect {
		return b.loginTLS()
	}
	return b.login()
}

func tcpOf(c net.Conn) *net.TCPConn {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return c.(*net.TCPConn)
}

// TestReset: a reset data connection is no end of a file.
func TestReset(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR up")
		_, err := io.WriteString(data, "half")
		must(t, err)
		must(t, tcpOf(data).SetLinger(0))
		must(t, tcpOf(data).Close())
		c.expect("426")
		if _, err := os.Stat(filepath.Join(b.home, "up")); err == nil {
			t.Error("half a file is visible")
		}
		c.do("SIZE up", "213 ") // kept aside, for this user to go on with
	})
}

// TestClearDataRefused: after PROT P, a data connection without TLS carries
// nothing.
func TestClearDataRefused(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "confidential")
	c := b.loginTLS()
	data := c.open()
	c.do("RETR file", "150")
	_, err := io.WriteString(data, "GET / HTTP/1.0\r\n\r\n")
	must(t, err)
	c.expect("425 The data connection could not be secured")
	answer, _ := io.ReadAll(data)
	if strings.Contains(string(answer), "confidential") {
		t.Error("the file went out in clear")
	}
}

// TestActiveHandshakeFails: a client that listens and then knows no TLS is told
// so, and leaves nothing open here.
func TestActiveHandshakeFails(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Active = true })
	c := b.loginTLS()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	c.do(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port), "200")
	c.do("STOR up", "150")
	conn, err := l.Accept()
	must(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "in clear, as some clients do")
	must(t, err)
	c.expect("425 The data connection could not be secured")
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was left open")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestTruncatedRecord: an upload over TLS that ends within a record has lost
// something, whatever the client has done before.
func TestTruncatedRecord(t *testing.T) {
	b := newBench(t, nil)
	b.file("kept", "old")
	c := b.loginTLS()
	conn := &cutConn{TCPConn: c.open()}
	c.do("STOR kept", "150")
	data := tls.Client(conn, b.clientTLS())
	must(t, data.Handshake())
	conn.cut = true
	_, _ = io.WriteString(data, strings.Repeat("x", 1000))
	if got := c.reply(); !strings.HasPrefix(got, "426") {
		t.Errorf("reply %q", got)
	}
	if got := b.content("kept"); got != "old" {
		t.Errorf("the file holds %q", got)
	}
}

// cutConn loses its connection in the middle of a write.
type cutConn struct {
	*net.TCPConn
	cut bool
}

func (c *cutConn) Write(p []byte) (int, error) {
	if !c.cut {
		return c.TCPConn.Write(p)
	}
	n, err := c.TCPConn.Write(p[:len(p)/2])
	return n, errors.Join(err, c.CloseWrite(), net.ErrClosed)
}

package ftp

import (
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// stallTime is StallTimeout in the tests of the slow, the shortest there is.
const stallTime = time.Second

func shortStall(c *config.Config) { c.Limits.StallTimeout = stallTime }

// TestSlowDownload: who takes a little now and then gets it all, though a block
// takes longer than a stall may.
func TestSlowDownload(t *testing.T) {
	inBoth(t, shortStall, func(t *testing.T, b *bench, c *client) {
		b.largeFile("large")
		conn := c.openNarrow()
		c.do("RETR large", "150")
		data := c.wrap(conn)
		taken := 0
		for start := time.Now(); time.Since(start) < 3*stallTime; taken++ {
			paced(t, data, 32<<10)
		}
		n, err := io.Copy(io.Discard, data)
		must(t, err)
		_ = data.Close()
		c.expect("226")
		if n += int64(taken) * 32 << 10; n != large {
			t.Errorf("%d bytes came", n)
		}
	})
}

// deaf is a client that sends commands and takes no reply, until the server can
// send no more of them.
func (b *bench) deaf() {
	b.t.Helper()
	narrow := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) })
		return err
	}}
	conn, err := narrow.Dial("tcp", b.address)
	must(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	many := []byte(strings.Repeat("FEAT\r\n", 1000))
	for err == nil { // our own send buffer fills up when the server reads no more
		_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = conn.Write(many)
	}
}

// TestDeafClientsHoldUpNoEnd: nor do they hold up the end of the server.
func TestDeafClientsHoldUpNoEnd(t *testing.T) {
	b := newBench(t, nil)
	b.deaf()
	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.server.Drain(ctx)
	if took := time.Since(began); took > replyTimeout*2/3 {
		t.Errorf("it took %v", took)
	}
}

// pace is the time between two reads or writes of a slow client.
const pace = 200 * time.Millisecond

func paced(t *testing.T, data io.Reader, n int) {
	t.Helper()
	_, err := io.ReadFull(data, make([]byte, n))
	must(t, err)
	<-time.After(pace)
}

// openNarrow is open with a receive buffer that is full at once.
func (c *client) openNarrow() *net.TCPConn {
	c.t.Helper()
	port, _ := portOf(c.do("EPSV", "229"))
	narrow := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) })
		return err
	}}
	return c.dialWith(&narrow, port)
}

// TestSlowUpload: who sends a little now and then may go on.
func TestSlowUpload(t *testing.T) {
	inBoth(t, shortStall, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR slow")
		sent := 0
		for start := time.Now(); time.Since(start) < 3*stallTime; sent++ {
			_, err := io.WriteString(data, "x")
			must(t, err)
			<-time.After(pace)
		}
		must(t, data.Close())
		c.expect("226")
		if got := b.content("slow"); got != strings.Repeat("x", sent) {
			t.Errorf("the file holds %d bytes of %d", len(got), sent)
		}
	})
}

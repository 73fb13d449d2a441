package ftp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is the longest command line, in bytes: a path of PATH_MAX and
	// then some.
	maxLine = 8 << 10
	// smallLine is what a session holds while it is idle; longer lines borrow.
	smallLine = 128
	// replyTimeout ends a session whose client doesn't read its replies, unless
	// the configuration's StallTimeout is shorter.
	replyTimeout = 30 * time.Second
	// closeTimeout is how long a closing connection waits for its peer, so that
	// unread bytes do not turn our last reply into a reset.
	closeTimeout = time.Second
)

// Errors of readLine after which the session goes on.
var (
	errLineTooLong = errors.New("command line too long")
	errLineChars   = errors.New("command line holds CR or NUL")
	errLineTLS     = errors.New("command line begins as a record of TLS does")
	errLineProxy   = errors.New("command line is one of a header of the PROXY protocol")
)

// handshakeRecord is how a client that begins TLS at once begins (RFC 8446 §5.1).
const handshakeRecord = "\x16\x03"

var linePool = sync.Pool{New: func() any { b := make([]byte, maxLine); return &b }}

// control is the control connection: lines in, replies out (RFC 959 §4, §5.3).
// One goroutine reads; any may write.
type control struct {
	raw  *net.TCPConn
	conn net.Conn // raw, or the TLS connection over it

	small      [smallLine]byte
	buf        []byte  // small[:], or *borrowed
	borrowed   *[]byte // from linePool; nil while the line fits in small
	start, end int     // what is read and not consumed: buf[start:end]
	skipping   bool    // in a line that is too long
	ahead      ahead

	writing sync.Mutex
	// patience is how long a reply may take to be sent.
	patience func() time.Duration
}

func newControl(c *net.TCPConn) *control {
	k := &control{raw: c, conn: c, patience: func() time.Duration { return replyTimeout }}
	// Clients send ABOR as urgent data (RFC 959 §4.1.3). Its last byte would
	// otherwise be taken out of the stream.
	_ = withFD(c, func(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
	k.buf = k.small[:]
	return k
}

// readLine returns the next line without its end, CRLF or LF, and without
// Telnet commands (RFC 854; RFC 1123 §4.1.2.12).
func (c *control) readLine() (string, error) {
	for {
		if i := bytes.IndexByte(c.buf[c.start:c.end], '\n'); i >= 0 {
			return c.takeLine(i)
		}
		c.makeRoom()
		n, err := c.conn.Read(c.buf[c.end:])
		c.end += n
		if n == 0 && err != nil {
			return "", err
		}
	}
}

func (c *control) takeLine(length int) (string, error) {
	line := bytes.TrimSuffix(c.buf[c.start:c.start+length], []byte{'\r'})
	stripped, refusals := readTelnet(line)
	text := string(stripped)
	c.start += length + 1
	c.giveBack()
	if refusals != nil {
		_ = c.write(refusals) // a connection that is lost shows at the next read
	}
	if c.skipping {
		c.skipping = false
		return "", errLineTooLong
	}
	if strings.HasPrefix(text, handshakeRecord) {
		return "", errLineTLS
	}
	if text == proxyLine {
		return "", errLineProxy
	}
	if strings.ContainsAny(text, "\r\x00") {
		return "", errLineChars
	}
	return text, nil
}

// makeRoom sees to it that there is space to read into. A line that fills even
// the large buffer is dropped up to its end.
func (c *control) makeRoom() {
	if c.start > 0 {
		copy(c.buf, c.buf[c.start:c.end])
		c.end -= c.start
		c.start = 0
	}
	switch {
	case c.end < len(c.buf):
	case c.borrowed == nil:
		c.borrowed = linePool.Get().(*[]byte)
		copy(*c.borrowed, c.buf[:c.end])
		c.buf = *c.borrowed
	default:
		c.skipping = true
		c.end = 0
	}
}

func (c *control) giveBack() {
	rest := c.end - c.start
	if c.borrowed == nil || rest > smallLine {
		return
	}
	copy(c.small[:], c.buf[c.start:c.end])
	linePool.Put(c.borrowed)
	c.borrowed, c.buf, c.start, c.end = nil, c.small[:], 0, rest
}

// startTLS replaces the connection by one over TLS. What the client sent before
// the handshake is discarded: it was not protected, so it must not be obeyed
// (RFC 4217 §10.1, and the class of attacks by injected plaintext).
func (c *control) startTLS(handshake func(*net.TCPConn) (*tls.Conn, error), timeout time.Duration) (*tls.Conn, error) {
	c.start, c.end, c.skipping, c.ahead = 0, 0, false, ahead{}
	c.giveBack()
	_ = c.raw.SetDeadline(time.Now().Add(timeout))
	conn, err := handshake(c.raw)
	_ = c.raw.SetDeadline(time.Time{})
	if err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	c.writing.Lock()
	c.conn = conn
	c.writing.Unlock()
	return conn, nil
}

// reply sends a reply of one line.
func (c *control) reply(code int, text string) error {
	return c.write(fmt.Appendf(nil, "%d %s\r\n", code, oneLine(text)))
}

// replyLines sends a reply of several lines (RFC 959 §4.2): first, the lines
// each after a space, and last.
func (c *control) replyLines(code int, first string, lines []string, last string) error {
	b := fmt.Appendf(nil, "%d-%s\r\n", code, oneLine(first))
	for _, l := range lines {
		b = append(b, ' ')
		b = append(b, oneLine(l)...)
		b = append(b, '\r', '\n')
	}
	return c.write(fmt.Appendf(b, "%d %s\r\n", code, oneLine(last)))
}

func (c *control) write(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.patience()))
	_, err := c.conn.Write(b)
	return err
}

// peerClosed tells whether the client has ended its side of the connection,
// even when there are bytes before that end which nobody has read yet.
func (c *control) peerClosed() bool {
	info := tcpInfo(c.raw)
	return info == nil || info.State != unix.BPF_TCP_ESTABLISHED
}

// roundTrip is the connection's shortest round-trip time of late. The smoothed one
// is of no use: the client acknowledges our 150 late, by its timer of up to 40 ms,
// as it has nothing to say until the transfer is over.
func (c *control) roundTrip() time.Duration {
	info := tcpInfo(c.raw)
	if info == nil {
		return 0
	}
	return time.Duration(min(info.Rtt, info.Min_rtt)) * time.Microsecond
}

// tcpInfo is what the kernel knows of a connection (tcp(7)); nil: it is closed.
func tcpInfo(c *net.TCPConn) *unix.TCPInfo {
	var info *unix.TCPInfo
	_ = withFD(c, func(fd int) {
		info, _ = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info
}

func withFD(c syscall.Conn, f func(fd int)) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return rc.Control(func(fd uintptr) { f(int(fd)) })
}

// close ends the connection so that the client gets our last reply: our side is
// closed first, then whatever the client still sends is read away for a moment.
func (c *control) close() {
	if t, ok := c.conn.(*tls.Conn); ok {
		_ = t.CloseWrite() // crypto/tls gives it 5 s
	}
	_ = c.raw.CloseWrite()
	_ = c.raw.SetReadDeadline(time.Now().Add(closeTimeout))
	_, _ = io.Copy(io.Discard, c.raw)
	_ = c.raw.Close()
}

// oneLine keeps a reply on its line: control characters, which a file name may
// hold, become question marks. All other bytes stay as they are, whatever their
// encoding: a client can only ask for a file by the name that it was told.
func oneLine(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if isControl(rune(c)) {
			b[i] = '?'
		}
	}
	return string(b)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

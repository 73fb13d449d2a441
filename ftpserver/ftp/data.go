package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
	"golang.org/x/sys/unix"
)

// dataConn is an open data connection.
type dataConn interface {
	net.Conn
	// tcp is the connection without its protection.
	tcp() *net.TCPConn
	// send sends all of p; it fails with os.ErrDeadlineExceeded when the client
	// has taken nothing for the time of stall.
	send(p []byte, stall time.Duration) error
	// endWrite tells the client that nothing more will come.
	endWrite() error
	// answerEnd is endWrite where the client has ended what it sends.
	answerEnd() error
}

// linger is how long a data connection that we have ended waits for the
// client's end, so that unread bytes do not turn ours into a reset.
const linger = 2 * time.Second

// lingerClose closes a data connection after endWrite.
func lingerClose(c dataConn) {
	_ = c.tcp().SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, c.tcp())
	_ = c.tcp().Close()
}

// gather has the kernel send full segments only, the rest with the end of the
// connection or after 200 ms (tcp(7), TCP_CORK). It is for what comes without a
// pause: for each segment less, the client is woken less.
func gather(c *net.TCPConn) {
	_ = withFD(c, func(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
}

// plainData is a data connection in clear. Its type is bare, so that copies
// between it and a file stay in the kernel.
type plainData struct{ *net.TCPConn }

func (c plainData) tcp() *net.TCPConn { return c.TCPConn }
func (c plainData) endWrite() error   { return c.CloseWrite() }
func (c plainData) answerEnd() error  { return c.Close() } // nothing unread can come any more

func (c plainData) send(p []byte, stall time.Duration) error { return sendAll(c.TCPConn, p, stall) }

// tlsData is a data connection over TLS.
type tlsData struct {
	*tls.Conn
	out  *gatherer
	gate *encryptionGate
	// resumed is the control session whose TLS session it has resumed; 0 for none.
	resumed uint64
}

// blockSize is how much is read from a file and encrypted at a time, in bytes:
// 15 full TLS records. What is encrypted goes out in one system call.
const blockSize = 15 * 16 << 10

var blockPool = sync.Pool{New: func() any { b := make([]byte, blockSize); return &b }}

// secureData does the server's side of the handshake on a data connection of a
// control session, or of the one that its ticket will tell (0). It is not judged
// yet.
func (s *Server) secureData(c *net.TCPConn, session uint64, about tlsconf.Connection, timeout time.Duration) (*tlsData, error) {
	if timeout > 0 {
		_ = c.SetDeadline(time.Now().Add(timeout))
	}
	about.Data = true
	out, b := &gatherer{TCPConn: c}, &binding{tickets: s.tickets, session: session, known: s.known.isKnown}
	conn, err := s.handshake(out, about, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	state := conn.ConnectionState()
	s.Metrics.DataTLS(state.DidResume)
	return &tlsData{Conn: conn, out: out, gate: s.gate, resumed: b.resumed(state)}, nil
}

func (c *tlsData) tcp() *net.TCPConn { return c.out.TCPConn }

// send encrypts p and sends it. Whatever takes a processor's time passes the gate;
// the wait for a slow client does not.
func (c *tlsData) send(p []byte, stall time.Duration) error {
	err := c.encrypt(p)
	return errors.Join(err, c.out.flush(c.gate, stall))
}

func (c *tlsData) encrypt(p []byte) error {
	c.gate.enter()
	defer c.gate.leave()
	c.out.gather()
	_, err := c.Write(p)
	c.out.push()
	return err
}

func (c *tlsData) endWrite() error {
	return errors.Join(c.CloseWrite(), c.tcp().CloseWrite())
}

// endSent ends what was sent. In MODE Z the client knows the end by the data, and
// may be gone before it is told by the connection.
func (t *transfer) endSent(c dataConn) error {
	err := c.endWrite()
	if err == nil || t.deflated && goneAtTheEnd(err) {
		return nil
	}
	return &networkError{err}
}

func goneAtTheEnd(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// answerEnd leaves the connection open: of TLS's end, that of TCP is still to come.
func (c *tlsData) answerEnd() error { return c.endWrite() }

// saidGoodbye tells, once Read has returned io.EOF, whether the client has ended
// with close_notify. Package tls makes no difference between that and a
// transport that ends between two records, which is how a dying client does.
func (c *tlsData) saidGoodbye() bool { return !c.out.ended }

// gatherer collects the records that TLS writes one by one, each in a system
// call of its own, and sends them together.
type gatherer struct {
	*net.TCPConn

	ended bool // Read has met the end of the transport; for the reader alone

	mu        sync.Mutex
	gathering bool
	records   *[]byte
	pushed    int // how much of records is sent
}

var recordsPool = sync.Pool{New: func() any { b := make([]byte, 0, blockSize+16<<10); return &b }}

func (g *gatherer) Read(p []byte) (int, error) {
	n, err := g.TCPConn.Read(p)
	g.ended = g.ended || errors.Is(err, io.EOF)
	return n, err
}

func (g *gatherer) gather() {
	g.mu.Lock()
	g.gathering = true
	g.records = recordsPool.Get().(*[]byte)
	g.mu.Unlock()
}

func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gathering {
		return g.TCPConn.Write(p)
	}
	*g.records = append(*g.records, p...)
	return len(p), nil
}

// push sends what the connection takes at once. What goes wrong shows at flush.
func (g *gatherer) push() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gathering = false
	g.pushed, _ = writeNow(g.TCPConn, *g.records, nil)
}

// flush sends the rest: whenever some of it can go, as soon as the gate lets it.
func (g *gatherer) flush(gate *encryptionGate, stall time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	for rest := (*g.records)[g.pushed:]; len(rest) > 0 && err == nil; {
		_ = g.SetWriteDeadline(time.Now().Add(stall))
		var n int
		if n, err = writeNow(g.TCPConn, rest, gate); errors.Is(err, os.ErrDeadlineExceeded) {
			n, err = g.lastTry(rest, stall, err)
		}
		rest = rest[n:]
	}
	*g.records = (*g.records)[:0]
	recordsPool.Put(g.records)
	g.records = nil
	return err
}

// lastTry is for a client that has taken so little that the connection did not call
// itself writable: it may still have room.
func (g *gatherer) lastTry(rest []byte, stall time.Duration, deadline error) (n int, err error) {
	_ = g.SetWriteDeadline(time.Now().Add(stall))
	if n, err = writeNow(g.TCPConn, rest, nil); errors.Is(err, unix.EAGAIN) {
		err = deadline
	}
	return n, err
}

// writeNow writes what the connection takes, which may be nothing. With a gate, it
// waits until that is something, or the deadline has come, and passes the gate for
// each attempt.
func writeNow(c *net.TCPConn, p []byte, gate *encryptionGate) (n int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	waitErr := rc.Write(func(fd uintptr) bool {
		if gate != nil {
			gate.enter()
			defer gate.leave()
		}
		n, err = unix.Write(int(fd), p)
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Write(int(fd), p)
		}
		return gate == nil || !errors.Is(err, unix.EAGAIN)
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return max(n, 0), err
}

// sendAll sends p. It fails when nothing at all could be sent for the time of
// stall, however long the whole takes.
func sendAll(c *net.TCPConn, p []byte, stall time.Duration) error {
	for {
		_ = c.SetWriteDeadline(time.Now().Add(stall))
		n, err := c.Write(p)
		p = p[n:]
		if len(p) == 0 || err != nil && !progressed(int64(n), err) {
			return err
		}
	}
}

// progressed tells of an input or output that met its deadline whether it was
// only slow.
func progressed(n int64, err error) bool {
	return n > 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

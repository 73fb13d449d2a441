package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

// dataPort is a data connection that a client has asked for.
type dataPort interface {
	// open returns the connection, secured if the client asked for that. It is
	// called once, when the command that needs it has been accepted.
	open(ctx context.Context) (dataConn, error)
	// cancel gives up a connection that will not be opened.
	cancel()
}

// secureFunc does the server's side of a TLS handshake on a data connection.
type secureFunc func(*net.TCPConn) (*tlsData, error)

var errHandshake = errors.New("TLS handshake on the data connection failed")

// passivePort waits for the client (PASV, EPSV).
type passivePort struct {
	expectation *passive.Expectation
	secured     *securing // nil: in clear
	timeout     time.Duration
}

// newPassivePort starts the TLS handshake as soon as the connection is there:
// some clients begin it before they send the command.
func newPassivePort(e *passive.Expectation, secure secureFunc, handshakeTimeout time.Duration) *passivePort {
	p := &passivePort{expectation: e, timeout: handshakeTimeout}
	if secure != nil {
		p.secured = &securing{done: make(chan struct{})}
		go p.secured.run(e, secure)
	}
	return p
}

func (p *passivePort) open(ctx context.Context) (dataConn, error) {
	if p.secured == nil {
		c, err := p.expectation.Take(ctx)
		if err != nil {
			return nil, err
		}
		return plainData{c.(*net.TCPConn)}, nil
	}
	c, err := p.openSecured(ctx)
	if err != nil {
		p.cancel()
	}
	return c, err
}

// openSecured bounds the handshake from when both the command and the
// connection are there: a client may wait for the 150 before it begins.
func (p *passivePort) openSecured(ctx context.Context) (dataConn, error) {
	select {
	case <-p.expectation.Arrived():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, stop := context.WithTimeoutCause(ctx, p.timeout, errHandshake)
	defer stop()
	select {
	case <-p.secured.done:
		if p.secured.err != nil {
			return nil, p.secured.err
		}
		return p.secured.conn, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *passivePort) cancel() {
	p.expectation.Cancel()
	if p.secured != nil {
		<-p.secured.done // soon: its connection is closed
	}
}

// securing is a TLS handshake under way on a passive data connection. The
// results are there when done is closed.
type securing struct {
	done chan struct{}
	conn *tlsData
	err  error
}

func (s *securing) run(e *passive.Expectation, secure secureFunc) {
	defer close(s.done)
	c, err := e.Take(context.Background()) // ends with the lease, or by Cancel
	if err != nil {
		s.err = err
		return
	}
	s.conn, s.err = secure(c.(*net.TCPConn))
	if s.err != nil {
		_ = c.Close()
	}
}

// activePort connects to the client (PORT, EPRT).
type activePort struct {
	local, remote netip.AddrPort
	secure        secureFunc    // nil: in clear
	timeout       time.Duration // of the handshake
}

// connectTimeout bounds an active connection.
const connectTimeout = 15 * time.Second

func (p *activePort) open(ctx context.Context) (dataConn, error) {
	d := net.Dialer{Timeout: connectTimeout, KeepAlive: -1}
	if p.local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(p.local)
	}
	c, err := d.DialContext(ctx, "tcp", p.remote.String())
	if err != nil {
		return nil, fmt.Errorf("connect to the client: %w", err)
	}
	tcp := c.(*net.TCPConn)
	if p.secure == nil {
		return plainData{tcp}, nil
	}
	_ = tcp.SetDeadline(time.Now().Add(p.timeout))
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	conn, err := p.secure(tcp)
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	_ = tcp.SetDeadline(time.Time{})
	return conn, nil
}

func (p *activePort) cancel() {}

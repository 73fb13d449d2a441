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

// secureFunc does the server's side of a TLS handshake on a data connection, and
// says if it is not the session's.
type secureFunc func(net.Conn) (net.Conn, error)

var errHandshake = errors.New("TLS handshake on the data connection failed")

// passivePort waits for the client (PASV, EPSV). A handshake begins as soon as the
// connection is there: some clients begin it before they send the command.
type passivePort struct {
	expectation *passive.Expectation
	timeout     time.Duration // of the handshake
}

// open bounds the handshake from when both the command and the connection are
// there: a client may wait for the 150 before it begins.
func (p passivePort) open(ctx context.Context) (dataConn, error) {
	p.expectation.Begin(p.timeout)
	c, err := p.expectation.Take(ctx)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		return plainData{tcp}, nil
	}
	return c.(*tlsData), nil
}

func (p passivePort) cancel() { p.expectation.Cancel() }

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
	return conn.(*tlsData), nil
}

func (p *activePort) cancel() {}

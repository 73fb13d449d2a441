package ftp

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/textproto"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
)

func implicit(c *config.Config) { c.TLS.Implicit.Listen = "127.0.0.1:0" }

func required(c *config.Config) { c.TLS.Mode = config.TLSRequired }

// connectImplicit begins with TLS, and reads the greeting.
func (b *bench) connectImplicit() *client {
	b.t.Helper()
	c := b.dialImplicit()
	c.expect("220")
	return c
}

func (b *bench) dialImplicit() *client {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.implicit)
	must(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	c := &client{t: b.t, bench: b, raw: conn.(*net.TCPConn), protect: true}
	c.handshake()
	return c
}

// TestImplicit: TLS comes first, and all is secured from the beginning, with no
// word about it.
func TestImplicit(t *testing.T) {
	for name, mode := range map[string]config.TLSMode{"Required": config.TLSRequired, "Optional": config.TLSOptional} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { implicit(c); c.TLS.Mode = mode })
			c := b.connectImplicit()
			c.do("AUTH TLS", "503 The connection is already secured")
			c.login()
			if got := c.upload("STOR file", "content"); got != "226 Transfer complete" {
				t.Fatal(got)
			}
			if got, reply := c.download("RETR file"); got != "content" || reply != "226 Transfer complete" {
				t.Errorf("%q, %s", got, reply)
			}
			if mode == config.TLSRequired {
				c.do("PROT C", "534")
			} else {
				c.do("PROT C", "200")
				c.protect = false
				if got, _ := c.download("RETR file"); got != "content" {
					t.Errorf("in clear: %q", got)
				}
			}
			c.do("PBSZ 0", "200")
			c.do("PROT P", "200")
			c.do("QUIT", "221")
			c.ended()
		})
	}
}

// TestImplicitSilence: who does not begin TLS is dropped, and the place in the
// limits of sessions is free again.
func TestImplicitSilence(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		implicit(c)
		c.Limits.Sessions, c.Limits.HandshakeTimeout = 1, time.Second
	})
	silent, err := net.Dial("tcp", b.implicit)
	must(t, err)
	defer func() { _ = silent.Close() }()
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read %d, %v: there was no greeting to wait for", n, err)
	}
	_ = silent.Close()
	eventually(t, "the session is gone", func() bool { return len(b.server.all()) == 0 })
	b.reload(func(c *config.Config) { c.Limits.HandshakeTimeout = time.Hour }) // the machine may be slow
	b.connectImplicit().login()
	if !b.log.logged("TLS handshake failed", "limits.handshakeTimeout") {
		t.Error("the log does not tell why")
	}
}

// TestImplicitRefusal: who gets no session is told so in a way that a client
// understands.
func TestImplicitRefusal(t *testing.T) {
	b := newBench(t, func(c *config.Config) { implicit(c); c.Limits.SessionsPerAddress = 1 })
	b.login() // on the other port: the limit is of both together
	c := b.dialImplicit()
	c.expect("421 Too many sessions from your address")
	c.ended()
}

// TestDrainInAHandshake: a drain that is over cuts a handshake too.
func TestDrainInAHandshake(t *testing.T) {
	b := newBench(t, func(c *config.Config) { implicit(c); c.Limits.HandshakeTimeout = time.Hour })
	silent, err := net.Dial("tcp", b.implicit)
	must(t, err)
	defer func() { _ = silent.Close() }()
	auth := b.connect()
	auth.do("AUTH TLS", "234")
	idle := b.connectImplicit()
	eventually(t, "all are there", func() bool { return len(b.server.all()) == 3 })
	over, cancel := context.WithCancel(context.Background())
	cancel()
	drained := make(chan struct{})
	go func() { b.server.Drain(over); close(drained) }()
	idle.expect("421")
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("a handshake in progress holds up the drain")
	}
	c := &client{t: t, bench: b}
	conn, err := tls.Dial("tcp", b.implicit, b.clientTLS())
	must(t, err)
	defer func() { _ = conn.Close() }()
	c.raw, c.conn, c.text = conn.NetConn().(*net.TCPConn), conn, textproto.NewConn(conn)
	c.expect("421 This server is about to restart")
}

// TestEndBeforeAHandshake: a session that was told to end before it has begun TLS
// does not begin it.
func TestEndBeforeAHandshake(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.HandshakeTimeout = time.Hour })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	silent, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer func() { _ = silent.Close() }()
	conn, err := l.Accept()
	must(t, err)
	ss := newSession(b.server, conn.(*net.TCPConn), proxy.Peer{}, 1)
	ss.implicit = true
	ss.end(endNow)
	served := make(chan struct{})
	go func() { ss.serve(); close(served) }()
	select {
	case <-served:
	case <-time.After(patience):
		t.Error("it waits for a handshake")
		_ = silent.Close()
		<-served
	}
}

package ftp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestProxyOptional: where clients come from the same network, those who speak first
// and those who wait for the greeting are served as themselves, and what they have
// sent is not lost: commands, a TLS handshake, and the data of an upload.
func TestProxyOptional(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		b := newBench(t, trusting(config.ProxyOptional, "127.0.0.0/8"))
		b.file("file", "content")
		c := b.login()
		if got, reply := c.download("RETR file"); got != "content" || !strings.HasPrefix(reply, "226") {
			t.Errorf("%q, %s", got, reply)
		}
		if !b.log.logged("client=127.0.0.1:") || b.log.logged("proxy=") {
			t.Error("it was taken for somebody else")
		}
	})
	t.Run("eager", func(t *testing.T) {
		b := newProxied(t, config.ProxyOptional, func(c *config.Config) { implicit(c); c.Passive.Ports = freePorts(t, 1) })
		c := b.over(b.dialFrom("127.0.0.1", b.address))
		c.sends(t, "USER alice\r\nPASS "+password+"\r\nTYPE I\r\n")
		for _, begins := range []string{"220", "331", "230", "200"} {
			c.expect(begins)
		}
		port, _ := portOf(c.do("EPSV", "229"))
		conn := c.dial(port)
		_, err := io.WriteString(conn, "PR content") // almost as a header begins
		must(t, err)
		must(t, conn.CloseWrite())
		c.do("STOR file", "150")
		c.expect("226")
		if got := b.content("file"); got != "PR content" {
			t.Errorf("%q", got)
		}
		c = b.connectImplicit() // whose hello comes first
		c.login()
		if got := c.upload("STOR file", "over TLS"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
		c = b.loginBy(header(2, farClient))
		if got := c.upload("STOR file", "balanced"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
	})
}

// TestProxyRequired: a connection without a header is closed, and the log says what
// to do, for control and data connections.
func TestProxyRequired(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, implicit)
	for _, to := range []string{b.address, b.implicit} {
		if got := b.says(to, "USER alice\r\n"); got != "" {
			t.Errorf("%q", got)
		}
	}
	b.loggedEventually("level=WARN", "Connection closed for its PROXY header", "source=127.0.0.1:", "port=control", "have the load balancer speak the PROXY protocol")
	c := b.loginBy(header(1, farClient))
	port, _ := portOf(c.do("EPSV", "229"))
	c.header = "content"
	notServed(t, "without a header", c.dial(port))
	b.loggedEventually("level=WARN", "Connection closed for its PROXY header", "port=data")
	c.header = header(1, farClient)
	if got := c.uploadOn(c.dial(port), "STOR file", "content"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	b.connectFrom("127.0.0.2").login() // from elsewhere
}

// TestProxyHealthChecks: a balancer that opens a connection to see whether it can, or
// says that it is for itself, leaves nothing in the log.
func TestProxyHealthChecks(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, implicit)
	for range 3 {
		for _, to := range []string{b.address, b.implicit} {
			must(t, b.dialFrom("127.0.0.1", to).Close())
			conn := b.dialFrom("127.0.0.1", to)
			must(t, errors.Join(conn.SetLinger(0), conn.Close()))
		}
		c := b.connectBy(localHeader())
		must(t, c.raw.Close())
	}
	eventually(t, "all are gone", func() bool { return len(b.server.all()) == 0 })
	if text := b.log.String(); strings.Contains(text, "127.0.0.1") {
		t.Error(text)
	}
}

// TestProxyReload: connections go by the newest configuration, and sessions that are
// there go on as they began.
func TestProxyReload(t *testing.T) {
	b := newBench(t, nil)
	before := b.login()
	b.reload(trusting(config.ProxyRequired, "127.0.0.1/32"))
	far := b.loginBy(header(1, farClient))
	before.do("PWD", "257")
	b.reload(trusting(config.ProxyRequired))
	far.do("PWD", "257")
	b.login()
	if b.log.logged("Connection closed for its PROXY header") {
		t.Error("a header was missed")
	}
}

// TestProxyNotTrusted: a balancer that nobody has told of gets nothing done, and the
// log tells what is the matter.
func TestProxyNotTrusted(t *testing.T) {
	b := newBench(t, func(c *config.Config) { implicit(c); trusting(config.ProxyRequired, "192.0.2.0/24")(c) })
	for name, sent := range map[string]string{"v1": header(1, farClient), "v2": header(2, farClient)} {
		t.Run(name, func(t *testing.T) {
			mark := b.log.mark()
			if got := b.says(b.address, sent+"USER alice\r\nPASS "+password+"\r\n"); !strings.HasSuffix(got, "421 This is an FTP server\r\n") || strings.Contains(got, "331") {
				t.Errorf("%q", got)
			}
			eventually(t, "the log tells why", func() bool { return strings.Contains(b.log.since(mark), "proxyProtocol.trusted") })
			mark = b.log.mark()
			_ = b.says(b.implicit, sent)
			eventually(t, "the log tells why", func() bool {
				logged := b.log.since(mark)
				return strings.Contains(logged, "TLS handshake failed") && strings.Contains(logged, "proxyProtocol.trusted")
			})
			if b.log.logged("client=" + farClient) {
				t.Error("it was believed")
			}
		})
	}
	c := b.login() // after a login it may be a slip
	c.do("PROXY", "500")
	c.do("\x00", "501")
	c.do("PWD", "257")
}

// TestProxyKilled: a balancer that dies in the middle of a header, or of a transfer
// that it carries, leaves nothing.
func TestProxyKilled(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	before := descriptors(t)
	for _, whole := range []string{header(1, farClient), header(2, farClient)} {
		for _, at := range []int{0, 1, 14, len(whole) - 1} {
			conn := b.dialFrom("127.0.0.1", b.address)
			_, err := io.WriteString(conn, whole[:at])
			must(t, err)
			must(t, errors.Join(conn.SetLinger(0), conn.Close()))
		}
		c := b.loginBy(whole)
		conn := c.begin("STOR half")
		_, err := io.WriteString(conn, "content")
		must(t, err)
		must(t, errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close(), c.raw.SetLinger(0), c.raw.Close()))
	}
	eventually(t, "all are gone", func() bool { return len(b.server.all()) == 0 && descriptors(t) <= before })
	if b.content("half") != "" {
		t.Error("a part was published")
	}
	c := b.loginBy(header(1, farClient))
	c.do("PWD", "257")
}

// TestProxyDoesNotHoldUpOthers: whoever waits for a header, on the control port or a
// passive one, has nobody else wait.
func TestProxyDoesNotHoldUpOthers(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, func(c *config.Config) { c.Passive.Ports = freePorts(t, 1) })
	for range 20 {
		b.dialFrom("127.0.0.1", b.address)
		b.dialFrom("127.0.0.1", fmt.Sprintf("127.0.0.1:%d", b.config.Passive.Ports[0].Listen))
	}
	for range 3 {
		c := b.loginBy(header(2, farClient))
		if got := c.upload("STOR file", "content"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
		near := b.connectFrom("127.0.0.2")
		near.login()
		near.leave()
		c.leave()
	}
}

// TestProxyDrain: who waits for a header when the server ends is sent away.
func TestProxyDrain(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, nil)
	silent := b.dialFrom("127.0.0.1", b.address)
	eventually(t, "it is there", func() bool { return b.server.controlFrom.Waiting() == 1 })
	b.server.Drain(t.Context())
	if got := heard(silent); strings.Contains(got, "220") {
		t.Errorf("%q", got)
	}
}

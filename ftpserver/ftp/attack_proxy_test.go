package ftp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackProxy: headers of the PROXY protocol let nobody be somebody else who may
// not speak it, and let who may neither take the data connection of another nor
// keep anybody out.
func TestAttackProxy(t *testing.T) {
	t.Run("from an untrusted network", spoofedFromElsewhere)
	t.Run("from a network where clients are", spoofedByANeighbour)
	t.Run("bombs", headerBombs)
	t.Run("silent", silentProxies)
}

// allowedFar lets alice come from one far address only.
func allowedFar(c *config.Config) {
	c.Users[0].AllowedCIDRs = []string{farClient + "/32", "127.0.0.3/32"}
	addUsers(c, config.User{Name: "bob", Home: "/alice"})
}

// spoofedFromElsewhere: who is not trusted is nobody else, whatever it sends, on
// control and data connections.
func spoofedFromElsewhere(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		allowedFar(c)
		trusting(config.ProxyRequired, "127.0.0.1/32")(c)
	})
	login := "USER alice\r\nPASS " + password + "\r\nSTOR victim\r\n"
	for _, sent := range []string{
		header(1, farClient), header(2, farClient), header(1, "127.0.0.3"), localHeader() + header(2, farClient),
		"\r\n" + header(1, farClient), "NOOP\r\n" + header(1, farClient), strings.ToLower(header(1, farClient)),
	} {
		conn := b.dialFrom("127.0.0.66", b.address)
		_, _ = io.WriteString(conn, sent+login) // which may be cut
		_ = conn.CloseWrite()
		if got := heard(conn); strings.Contains(got, "\r\n230") {
			t.Errorf("%q got in: %q", sent, got)
		}
	}
	if b.log.logged("client=" + farClient) {
		t.Error("a header was believed")
	}
	victim := b.loginBy(header(1, farClient))
	port, _ := portOf(victim.do("EPSV", "229"))
	for version := byte(1); version <= 2; version++ {
		conn := b.dialFrom("127.0.0.66", fmt.Sprintf("127.0.0.1:%d", port))
		_, _ = io.WriteString(conn, header(version, farClient)+"stolen")
		notServed(t, "with a header from elsewhere", conn)
	}
	if got := victim.uploadOn(victim.dial(port), "STOR file", "own"); !strings.HasPrefix(got, "226") || b.content("file") != "own" {
		t.Errorf("%s, %q", got, b.content("file"))
	}
	victim.leave()
	c := b.loginBy(header(1, farClient))
	b.serves(c)
}

// spoofedByANeighbour: who comes from where clients and balancers come from can claim
// any address, as is told. The data connections of those who come themselves it
// cannot get by that.
func spoofedByANeighbour(t *testing.T) {
	b := newBenchWith(t, parts{proxySilence: 50 * time.Millisecond}, func(c *config.Config) {
		allowedFar(c)
		trusting(config.ProxyOptional, "127.0.0.0/8")(c)
		c.Passive.Ports = freePorts(t, 1)
	})
	victim := b.connectFrom("127.0.0.3")
	victim.login()
	port, _ := portOf(victim.do("EPSV", "229"))
	for _, sent := range []string{header(1, "127.0.0.3"), header(2, "127.0.0.3"), localHeader(), header(2, "0.0.0.0"), header(2, farClient)} {
		conn := b.dialFrom("127.0.0.66", fmt.Sprintf("127.0.0.1:%d", port))
		_, _ = io.WriteString(conn, sent+"stolen")
		notServed(t, "a neighbour's", conn)
	}
	own := victim.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}, port)
	if got := victim.uploadOn(own, "STOR file", "own"); !strings.HasPrefix(got, "226") || b.content("file") != "own" {
		t.Errorf("%s, %q", got, b.content("file"))
	}
	victim.leave()
	for _, sent := range []string{"PROXY TCP4 224.0.0.1 127.0.0.1 1 1\r\n", "PROXY TCP6 ::ffff:255.255.255.255 ::1 1 1\r\n"} {
		if got := b.says(b.address, sent); got != "" {
			t.Errorf("%q: %q", sent, got)
		}
	}
	b.servesOn("bob")
}

// headerBombs take no memory and no time, and end.
func headerBombs(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	v2 := header(2, farClient)
	for name, bomb := range map[string]string{
		"longest v2": v2[:14] + "\xff\xff" + strings.Repeat("\x00", 1<<16),
		"v1":         "PROXY TCP4 " + strings.Repeat("1", 1<<20),
		"many TLVs":  v2[:14] + "\x10\x00" + v2[16:] + strings.Repeat("\x04\x00\x00", (4096-12)/3) + strings.Repeat("\x00", (4096-12)%3),
		"empty":      v2[:14] + "\x00\x00",
	} {
		for range 50 {
			conn := b.dialFrom("127.0.0.1", b.address)
			_, _ = io.WriteString(conn, bomb) // which may be cut
			_ = conn.CloseWrite()
			if got := heard(conn); got != "" && name != "many TLVs" {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	c := b.loginBy(header(2, farClient))
	b.serves(c)
	if n := b.log.lines("level=WARN"); n > 2 {
		t.Errorf("the log has %d lines of it", n)
	}
}

// silentProxies: of connections that owe a header only so many stay, and keep nobody
// out.
func silentProxies(t *testing.T) {
	const limit, n = 50, 2000
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Limits.Handshakes, c.Limits.Sessions = limit, 10 })
	data := fmt.Sprintf("127.0.0.1:%d", b.config.Passive.Ports[0].Listen)
	there := b.loginBy(header(2, farClient))
	before := descriptors(t)
	for i := range n / 2 {
		b.dialFrom("127.0.0.1", b.address)
		b.dialFrom("127.0.0.1", data)
		if control, data := b.server.controlFrom.Waiting(), b.server.dataFrom.Waiting(); control > limit || data > limit {
			t.Fatalf("%d and %d connections wait", control, data)
		}
		if i%100 == 0 {
			c := b.loginBy(header(2, otherClient))
			if got := c.upload("STOR file", "content"); !strings.HasPrefix(got, "226") {
				t.Error(got)
			}
			c.leave()
		}
	}
	eventually(t, "few descriptors are held", func() bool { return descriptors(t)-before-n <= 2*limit+maxTurnedAway })
	there.do("NOOP", "200")
	if got := len(b.server.all()); got > 2 {
		t.Errorf("%d sessions", got)
	}
	b.serves(b.loginBy(header(1, farClient)))
}

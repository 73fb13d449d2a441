package ftp

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackTheftByAddress: who comes to a passive port before the client does
// gets nothing and keeps nobody waiting (RFC 2577 §3, §8).
func TestAttackTheftByAddress(t *testing.T) {
	for name, version := range map[string]uint16{"in clear": 0, "TLS": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.file("secret", "alice's")
			owner := b.login
			if version != 0 {
				owner = func() *client { c, _ := b.keepingAs("alice", version); return c }
			}
			c := owner()
			theftFromElsewhere(t, b, c, "RETR secret")
			theftFromElsewhere(t, b, c, "STOR up")
			if b.content("up") != "alice's" {
				t.Errorf("the upload holds %q", b.content("up"))
			}
			b.goesOn()
		})
	}
	t.Run("where addresses tell nothing", theftWhereHidden)
	t.Run("where a ticket is required", theftWithoutTicket)
}

// theftFromElsewhere has strangers of another address come before, while and
// after a transfer begins.
func theftFromElsewhere(t *testing.T, b *bench, c *client, command string) {
	t.Helper()
	port, _ := portOf(c.do("EPSV", "229"))
	stranger := func() net.Conn {
		conn := b.dialFrom("127.0.0.9", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		_, _ = io.WriteString(conn, "a stranger's") // the server may have closed it by now
		return conn
	}
	strangers := []net.Conn{stranger(), stranger()}
	c.do(command, "150")
	strangers = append(strangers, stranger())
	conn := c.wrap(c.dial(port))
	strangers = append(strangers, stranger())
	if strings.HasPrefix(command, "RETR") {
		if got, err := io.ReadAll(conn); err != nil || string(got) != "alice's" {
			t.Errorf("the owner gets %q, %v", got, err)
		}
	} else {
		_, err := io.WriteString(conn, "alice's")
		must(t, err)
	}
	must(t, conn.Close())
	c.expect("226")
	for _, s := range strangers {
		notServed(t, "a stranger", s)
	}
	eventually(t, "the metrics tell of strangers", func() bool { return b.rejected.of("stranger") >= len(strangers) })
}

// theftWhereHidden: on all ports of a server that sees no addresses, strangers
// who connect and say nothing, and those who know TLS, keep nobody waiting.
func theftWhereHidden(t *testing.T) {
	b := newBench(t, hidden)
	b.file("secret", "alice's")
	c, _ := b.keepingAs("alice", tls.VersionTLS13)
	for range 8 {
		port, _ := portOf(c.do("EPSV", "229"))
		for range 5 {
			c.dial(port) // says nothing
		}
		stranger, err := c.wrapWith(c.dial(port), nil)
		must(t, err)
		conn := c.dial(port)
		c.do("RETR secret", "150")
		secured := c.wrap(conn)
		content, err := io.ReadAll(secured)
		must(t, err)
		c.expect("226")
		if string(content) != "alice's" {
			t.Fatalf("%q came", content)
		}
		notServed(t, "a stranger", stranger)
	}
	b.goesOn()
}

// theftWithoutTicket: somebody behind the same address as the client.
func theftWithoutTicket(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.TLS.DataSessions = config.DataSessionsRequired })
	b.file("secret", "alice's")
	c, own := b.keepingAs("alice", tls.VersionTLS13)
	c.takes("without a ticket", nil, true, own)
	eventually(t, "the metrics tell", func() bool { return b.rejected.of("unproven") == 1 })
	b.goesOn()
}

// TestAttackTheftByTicket: a ticket is worth what its secret proves. Whoever has
// it without that, or one of another user, or one whose time is over, gets
// nothing, and the owner comes behind and is served.
func TestAttackTheftByTicket(t *testing.T) {
	for _, version := range tlsVersions {
		for name, edit := range map[string]func(*config.Config){
			"hidden": hidden, "required": func(c *config.Config) { c.TLS.DataSessions = config.DataSessionsRequired },
		} {
			t.Run(tls.VersionName(version)+", "+name, func(t *testing.T) {
				b := newBench(t, withBob(func(c *config.Config) {
					edit(c)
					c.Passive.Ports = freePorts(t, 16)
				}))
				var later atomic.Int64
				b.server.tickets.keys.Time = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
				b.file("secret", "alice's")
				_, bobs := b.keepingAs("bob", version)
				c, own := b.keepingAs("alice", version)
				c.takes("another user's", bobs, true, own)
				copied := own.thief(t, bobs)
				c.takes("a copied identity with a wrong binder", copied, true, own)
				copied = bobs.thief(t, own)
				c.takes("another user's identity with a binder of one's own", copied, true, own)
				old := &keeper{state: own.state, frozen: true}
				c.takes("while it holds", old, false, own)

				later.Store(int64(8 * 24 * time.Hour))
				c, own = b.keepingAs("alice", version)
				c.takes("an expired one", old, true, own)
				later.Store(0)
				b.goesOn()
			})
		}
	}
}

package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// withBob adds a second user.
func withBob(edit func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		bob := c.Users[0]
		bob.Name = "bob"
		c.Users = append(c.Users, bob)
		if edit != nil {
			edit(c)
		}
	}
}

func hidden(c *config.Config) { c.Passive.ClientAddresses = config.ClientAddressesHidden }

// keeping is a client that resumes TLS sessions out of a cache of its own.
func (b *bench) keeping(version uint16) (*client, *keeper) {
	b.t.Helper()
	cache := &keeper{}
	c := b.connect()
	c.tls = b.clientTLS()
	c.tls.ClientSessionCache, c.tls.MinVersion, c.tls.MaxVersion = cache, version, version
	c.secure()
	return c, cache
}

func (b *bench) keepingAs(user string, version uint16) (*client, *keeper) {
	b.t.Helper()
	must(b.t, os.MkdirAll(filepath.Join(b.root, user), 0o755))
	c, cache := b.keeping(version)
	c.do("USER "+user, "331")
	c.do("PASS "+password, "230")
	c.do("TYPE I", "200")
	return c, cache
}

// wrapWith does the handshake on a data connection with another cache than the
// client's own.
func (c *client) wrapWith(conn *net.TCPConn, cache *keeper) (*tls.Conn, error) {
	cfg := c.tls.Clone()
	cfg.ClientSessionCache = nil
	if cache != nil {
		cfg.ClientSessionCache = cache
	}
	secured := tls.Client(conn, cfg)
	return secured, secured.Handshake()
}

// notServed fails if a data connection gets anything but its end.
func notServed(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
		t.Fatalf("%s: %d bytes came, %v", what, n, err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

var tlsVersions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// TestDataSessions: whose TLS session a data connection may resume. One that is
// turned away keeps nobody from coming with the right one.
func TestDataSessions(t *testing.T) {
	const auto, required, optional = config.DataSessionsAuto, config.DataSessionsRequired, config.DataSessionsOptional
	for _, policy := range []config.DataSessions{auto, required, optional} {
		for _, addresses := range []config.ClientAddresses{config.ClientAddressesPreserved, config.ClientAddressesHidden} {
			for _, version := range tlsVersions {
				judged := policy != optional
				unproven := policy == required || policy == auto && addresses == config.ClientAddressesHidden
				t.Run(fmt.Sprintf("%s, %s, %s", policy, addresses, tls.VersionName(version)), func(t *testing.T) {
					b := newBench(t, withBob(func(c *config.Config) {
						c.TLS.DataSessions, c.Passive.ClientAddresses = policy, addresses
						c.Passive.Ports = freePorts(t, 8)
					}))
					b.file("secret", "alice's")
					_, sibling := b.keepingAs("alice", version)
					bob, bobs := b.keepingAs("bob", version)
					_, nobodys := b.keeping(version)
					gone, ofGone := b.keepingAs("alice", version)
					gone.do("QUIT", "221")
					gone.ended()
					c, own := b.keepingAs("alice", version)
					for _, test := range []struct {
						name    string
						cache   *keeper
						refused bool
					}{
						{"own", own, false}, {"sibling's", sibling, false}, {"of one that has ended", ofGone, false},
						{"none", nil, unproven}, {"nobody's", nobodys, unproven}, {"another user's", bobs, judged},
						{"stolen", own.thief(t, bobs), true},
					} {
						c.takes(test.name, test.cache, test.refused, own)
					}
					bob.do("NOOP", "200")
				})
			}
		}
	}
}

// proves tells whether connections are matched by proof alone.
func (b *bench) proves() bool {
	hidden := b.config.Passive.ClientAddresses == config.ClientAddressesHidden
	policy := b.config.TLS.DataSessions
	return policy == config.DataSessionsRequired || hidden && policy != config.DataSessionsOptional
}

// takes tries a download with this cache, and if that is refused, with its own.
func (c *client) takes(what string, cache *keeper, refused bool, own *keeper) {
	c.t.Helper()
	port, _ := portOf(c.do("EPSV", "229"))
	conn := c.dial(port)
	c.do("RETR secret", "150")
	secured, err := c.wrapWith(conn, cache)
	if refused {
		if err == nil {
			notServed(c.t, what, secured)
		}
		if err != nil && !c.bench.proves() {
			c.expect("425 The data connection could not be secured") // matched by its address, and then broken
			return
		}
		secured, err = c.wrapWith(c.dial(port), own)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	content, err := io.ReadAll(secured)
	must(c.t, err)
	if string(content) != "alice's" {
		c.t.Fatalf("%s: %q came", what, content)
	}
	_ = secured.Close()
	c.expect("226")
}

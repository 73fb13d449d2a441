package ftp

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestHiddenAddressesAreNotCounted: where all clients may come from one address,
// its limit would be one for all of them. That of a user holds.
func TestHiddenAddressesAreNotCounted(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Limits.SessionsPerAddress = 1
		c.Users[0].MaxSessions = 2
	})
	one := b.login()
	conn, err := net.Dial("tcp", b.address)
	must(t, err)
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "421 Too many sessions from your address") {
		t.Errorf("%q", answer)
	}
	_ = conn.Close()
	b.reload(hidden)
	if !b.log.logged("level=WARN", "limits.sessionsPerAddress does not count") {
		t.Error("nothing in the log tells that the limit does not count")
	}
	two, three := b.login(), b.connect()
	three.do("USER alice", "331")
	three.do("PASS "+password, "421 Too many sessions of this user")
	three.ended()
	two.do("QUIT", "221")
	two.ended()
	// What came meanwhile is counted when addresses are seen again.
	b.reload(func(c *config.Config) { c.Passive.ClientAddresses = config.ClientAddressesPreserved })
	eventually(t, "one session is left", func() bool { return len(b.server.all()) == 1 })
	conn, err = net.Dial("tcp", b.address)
	must(t, err)
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "421 Too many sessions from your address") {
		t.Errorf("%q", answer)
	}
	_ = conn.Close()
	one.do("QUIT", "221")
}

// TestHiddenAddressesTakeNoTurns: of one user, one password is looked at at a
// time; nobody else waits for that.
func TestHiddenAddressesTakeNoTurns(t *testing.T) {
	b := newBench(t, withBob(hidden))
	must(t, os.Mkdir(filepath.Join(b.root, "bob"), 0o755))
	done, err := b.server.turns.wait(t.Context(), turn{user: "alice"})
	must(t, err)
	alice := b.connect()
	alice.do("USER alice", "331")
	alice.send("PASS " + password)
	eventually(t, "the login waits for its turn", func() bool {
		b.server.turns.mu.Lock()
		defer b.server.turns.mu.Unlock()
		return b.server.turns.lines[turn{user: "alice"}].length == 2
	})
	b.loginAs("bob")
	done()
	alice.expect("230")
}

// TestHiddenAddressesAreInNoNetwork: what is seen is the address of something in
// between, which may well be in a network that a user is to come from.
func TestHiddenAddressesAreInNoNetwork(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Users[0].AllowedCIDRs = []string{"127.0.0.0/8"} })
	c := b.login()
	b.reload(hidden)
	c.expect("421")
	c = b.connect()
	c.do("USER alice", "331")
	c.do("PASS "+password, "530 Login incorrect")
	if !b.log.logged(`msg="Login refused"`, "user=alice", "address hidden") {
		t.Error("the log does not tell why")
	}
	b.reload(func(c *config.Config) { c.Users[0].AllowedCIDRs = nil })
	b.login()
}

// TestHiddenGuests: guests have no name that tells them apart. Where they have no
// address either, each is somebody else: none gets the data connection of another,
// or goes on with what another has begun to upload.
func TestHiddenGuests(t *testing.T) {
	for _, version := range tlsVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				hidden(c)
				c.Anonymous = &config.Anonymous{Role: config.RoleWriteOnly}
				c.Passive.Ports = freePorts(t, 8)
			})
			must(t, os.Mkdir(filepath.Join(b.root, "pub"), 0o755))
			guest := func() (*client, *keeper) {
				c, cache := b.keeping(version)
				c.do("USER ftp", "331 Anonymous")
				c.do("PASS x", "230")
				c.do("TYPE I", "200")
				return c, cache
			}
			c, own := guest()
			other, others := guest()
			port, _ := portOf(c.do("EPSV", "229"))
			c.do("STOR box", "150")
			foreign, err := c.wrapWith(c.dial(port), others)
			must(t, err)
			_, _ = foreign.Write([]byte("another's"))
			notServed(t, "another guest's", foreign)
			secured, err := c.wrapWith(c.dial(port), own)
			must(t, err)
			_, err = secured.Write([]byte("own"))
			must(t, err)
			must(t, secured.Close())
			c.expect("226")
			if got, err := os.ReadFile(filepath.Join(b.root, "pub", "box")); err != nil || string(got) != "own" {
				t.Errorf("%q is stored, %v", got, err)
			}
			c.cut("STOR part", "half")
			other.do("REST 4", "350")
			_ = other.open()
			other.do("STOR part", "554")
		})
	}
}

// TestHiddenGuestsShare: together, guests have no more than half of the ports,
// as one user has.
func TestHiddenGuestsShare(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		hidden(c)
		c.Anonymous = &config.Anonymous{}
		c.Passive.Ports = freePorts(t, 4)
	})
	must(t, os.Mkdir(filepath.Join(b.root, "pub"), 0o755))
	guest := func() *client {
		c, _ := b.keeping(tls.VersionTLS13)
		c.do("USER ftp", "331 Anonymous")
		c.do("PASS x", "230")
		return c
	}
	for range 2 {
		guest().do("EPSV", "229")
	}
	guest().do("EPSV", "425 All passive ports are busy")
	c, _ := b.keepingAs("alice", tls.VersionTLS13)
	c.do("EPSV", "229")
}

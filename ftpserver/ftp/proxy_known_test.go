package ftp

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestProxyWhereAddressesAreHidden: who comes by way of a balancer is known, and has
// all that goes by addresses; who comes otherwise is not.
func TestProxyWhereAddressesAreHidden(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, func(c *config.Config) {
		hidden(c)
		c.Limits.SessionsPerAddress = 1
		c.Users[0].AllowedCIDRs = []string{"203.0.113.0/24"}
		addUsers(c, config.User{Name: "bob"})
		c.Passive.Ports = freePorts(t, 1)
	})
	must(t, os.Mkdir(filepath.Join(b.root, "bob"), 0o755))
	if b.log.logged("limits.sessionsPerAddress does not count") {
		t.Error("it counts for those who are known")
	}
	far := b.loginBy(header(2, farClient))
	tooMany := b.by(header(2, farClient), b.address)
	tooMany.expect("421 Too many sessions from your address")
	if got := far.upload("STOR file", "content"); !strings.HasPrefix(got, "226") { // in clear
		t.Error(got)
	}
	near, again := b.connectFrom("127.0.0.2"), b.connectFrom("127.0.0.2") // who is not counted
	near.try("alice", password, "530")
	again.try("bob", password, "230")
	again.do("EPSV", "425 Nothing would tell whose")
	bob, _ := b.hiddenBob()
	port, _ := portOf(bob.do("EPSV", "229"))
	farPort, _ := portOf(far.do("EPSV", "229"))
	if port != farPort {
		t.Fatal("there is one port only")
	}
	data := far.dial(port)
	if got := bob.uploadOn(bob.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}, port), "STOR theirs", "bob's"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	if got := far.uploadOn(data, "STOR mine", "alice's"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	stored, _ := os.ReadFile(filepath.Join(b.root, "bob", "theirs"))
	if string(stored) != "bob's" || b.content("mine") != "alice's" {
		t.Errorf("%q, %q", stored, b.content("mine"))
	}
	there := len(b.server.all())
	far.leave()
	eventually(t, "it is gone", func() bool { return len(b.server.all()) == there-1 })
	b.loginBy(header(2, farClient))
}

// hiddenBob is bob, from an address of which nothing is known, with a client that resumes.
func (b *bench) hiddenBob() (*client, *keeper) {
	b.t.Helper()
	cache := &keeper{}
	c := b.connectFrom("127.0.0.4")
	c.tls = b.clientTLS()
	c.tls.ClientSessionCache = cache
	c.secure()
	c.try("bob", password, "230")
	c.do("TYPE I", "200")
	return c, cache
}

// TestProxyLimits: sessions are counted by the address that a header tells, beside
// those that come from there themselves.
func TestProxyLimits(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Limits.SessionsPerAddress = 2 })
	first := b.loginBy(header(1, farClient))
	b.loginBy(header(2, farClient))
	third := b.by(header(2, farClient), b.address)
	third.expect("421 Too many sessions from your address")
	third.ended()
	if !b.log.logged("Connection refused", "client="+farClient+":40000") {
		t.Error("the log does not tell who was refused")
	}
	b.loginBy(header(2, otherClient))
	first.leave()
	eventually(t, "one has left", func() bool { return len(b.server.all()) == 2 })
	b.loginBy(header(1, farClient))

	b.connectFrom("127.0.0.2").login()
	b.loginBy(header(1, "127.0.0.2"))
	if got := heard(b.dialFrom("127.0.0.2", b.address)); !strings.HasPrefix(got, "421 Too many sessions from your address") {
		t.Errorf("%q", got)
	}
}

// TestProxyLockout: failed logins are counted by the address that a header tells.
func TestProxyLockout(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, guessing)
	c := b.connectBy(header(1, farClient))
	for range 3 {
		c.try("alice", "wrong", "530")
	}
	c.ended()
	b.connectBy(header(2, farClient)).try("alice", password, "530")
	if !b.log.logged("Login refused", "client="+farClient, "locked out") {
		t.Error("the log does not tell why")
	}
	b.loginBy(header(2, otherClient))
}

// TestProxyAllowedCIDRs: it is the address in the header that must be allowed, not
// the balancer's.
func TestProxyAllowedCIDRs(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Users[0].AllowedCIDRs = []string{farClient + "/32", "127.0.0.2/32"} })
	there := b.loginBy(header(1, farClient))
	b.connectBy(header(1, otherClient)).try("alice", password, "530")
	b.connectBy(localHeader()).try("alice", password, "530")
	b.reload(func(c *config.Config) { c.Users[0].AllowedCIDRs = []string{"127.0.0.0/8"} })
	there.expect("421")
	b.connectBy(localHeader()).try("alice", password, "230")
}

// TestProxyPassiveAddress: PASV tells what is configured for the client's network,
// else the address that the client has connected to.
func TestProxyPassiveAddress(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Passive.Ports = freePorts(t, 12) })
	c := b.loginBy(header(1, farClient))
	c.do("PASV", "227 Entering passive mode (198,51,100,1,")
	nowhere := b.loginBy("PROXY TCP4 " + farClient + " 0.0.0.0 40000 21\r\n")
	nowhere.do("PASV", "227 Entering passive mode (127,0,0,1,")
	six := b.loginBy("PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n")
	six.do("PASV", "522")
	six.do("EPSV 2", "229")
	mixed := b.loginBy("PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 40000 21\r\n")
	mixed.do("PASV", "425 PASV can't be answered: this server knows no address of IPv4")
	mixed.do("EPSV 1", "229")
	b.reload(func(c *config.Config) {
		c.Passive.Addresses = []config.PassiveAddress{{Address: "192.0.2.1", ClientCIDRs: []string{"127.0.0.0/8"}}, {Address: "192.0.2.2", ClientCIDRs: []string{"203.0.113.0/24"}}}
	})
	c.do("PASV", "227 Entering passive mode (192,0,2,2,")
	local := b.loginBy(localHeader())
	local.do("PASV", "227 Entering passive mode (192,0,2,1,")
}

// TestProxyHost: the address that the client has connected to is the server's.
func TestProxyHost(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	b.connectBy(header(2, farClient)).do("HOST "+balanced, "220")
	b.connectBy(localHeader()).do("HOST "+balanced, "504")
}

// TestProxyActive: whoever a balancer speaks for is not connected to, as an address
// that is only told could be anybody's.
func TestProxyActive(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Active = true })
	b.loginBy(header(1, farClient)).do("PORT 203,0,113,7,200,1", "502")
	b.loginBy(header(1, "127.0.0.1")).do("EPRT |1|127.0.0.1|40000|", "502")
	l, err := net.Listen("tcp", "127.0.0.2:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	near := b.connectFrom("127.0.0.2")
	near.login()
	near.do(fmt.Sprintf("EPRT |1|127.0.0.2|%d|", l.Addr().(*net.TCPAddr).Port), "200")
}

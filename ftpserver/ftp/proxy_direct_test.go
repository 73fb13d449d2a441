package ftp

import (
	"io"
	"net"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// fromHere dials from an address of this machine.
func fromHere(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
}

// TestProxyBeforeTheControlPortOnly: where a balancer takes control connections only,
// the data connection of a client that it announces comes from the client itself,
// without a header; one from elsewhere, or by way of the balancer, reaches nobody.
func TestProxyBeforeTheControlPortOnly(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.ProxyProtocol.Trusted = []config.ProxySource{{CIDR: "127.0.0.1/32", Mode: config.ProxyRequired, Data: config.ProxyDataDirect}}
		c.Passive.Ports = freePorts(t, 1)
		addUsers(c, config.User{Name: "bob"})
	})
	b.file("file", "content")
	c := b.loginBy(header(2, "127.0.0.2"))
	port, _ := portOf(c.do("EPSV", "229"))
	notServed(t, "by way of the balancer", c.dialWith(fromHere("127.0.0.1"), port))
	c.header = ""
	notServed(t, "of another client", c.dialWith(fromHere("127.0.0.3"), port))
	conn := c.dialWith(fromHere("127.0.0.2"), port)
	c.do("RETR file", "150")
	if got, err := io.ReadAll(conn); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	_ = conn.Close()
	c.expect("226")
	if !b.log.logged("Transfer", "client=127.0.0.2:") {
		t.Error("the log does not tell the client")
	}

	b.reload(hidden) // then the address of a data connection proves nothing
	c.do("EPSV", "425 Nothing would tell whose")
}

package proxy

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestNotTrusted: from elsewhere nothing is read, and nothing waited for.
func TestNotTrusted(t *testing.T) {
	b := newBench(t, config.ProxyRequired, 0)
	b.Config().ProxyProtocol.Trusted[0].CIDR = "192.0.2.0/24"
	client, server := pair(t)
	say(t, client, headers["v1"].sent)
	var got *Peer
	b.Receive(server, func(p Peer) { got = &p })
	if got == nil || *got != direct(server) {
		t.Fatalf("%+v", got)
	}
	if rest, err := io.ReadAll(server); err != nil || string(rest) != headers["v1"].sent {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestTrust: the smallest network counts, and the stricter of two that are the same.
func TestTrust(t *testing.T) {
	required, optional := config.ProxyRequired, config.ProxyOptional
	var sources []config.ProxySource
	for _, s := range []struct {
		cidr string
		mode config.ProxyMode
	}{
		{"10.1.2.0/24", required}, {"10.0.0.0/8", required}, {"10.1.2.7/32", optional}, {"10.1.0.0/16", optional},
		{"::ffff:192.0.2.0/120", optional}, {"2001:db8::/32", optional}, {"2001:DB8::1/32", required}, {"not a network", required},
	} {
		sources = append(sources, config.ProxySource{CIDR: s.cidr, Mode: s.mode})
	}
	for from, want := range map[string]config.ProxyMode{
		"10.9.9.9": required, "10.1.9.9": optional, "10.1.2.9": required, "10.1.2.7": optional,
		"192.0.2.1": optional, "2001:db8::7": required, "192.0.3.1": "", "::1": "",
	} {
		source, trusted := trust(sources, netip.MustParseAddr(from))
		mode := source.Mode
		if mode != want || trusted != (want != "") {
			t.Errorf("%s: %s, %t", from, mode, trusted)
		}
	}
	if _, trusted := trust(sources, netip.Addr{}); trusted {
		t.Error("nobody is trusted")
	}
}

// TestAddresses: one of IPv4 is one, also where a socket of both families writes it as
// one of IPv6; what is none of TCP is none.
func TestAddresses(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"10.0.0.1:21":      &net.TCPAddr{IP: net.ParseIP("::ffff:10.0.0.1").To16(), Port: 21},
		"[fe80::1]:21":     &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 21},
		"invalid AddrPort": &net.UnixAddr{},
	} {
		if got := AddrPort(a); got.String() != want {
			t.Errorf("%v is %v", a, got)
		}
	}
}

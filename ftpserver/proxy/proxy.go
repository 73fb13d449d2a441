// Package proxy takes the address of a client from the PROXY protocol, versions 1
// and 2, that load balancers speak (haproxy's doc/proxy-protocol.txt).
//
// A header is believed where the connection's own address lies in a network that
// the configuration trusts; from elsewhere the protocol is not spoken. Of the
// connection exactly the header is read, and it is handed over as it is: what
// follows is as it came, and the kernel can still copy between it and a file.
//
// The package knows neither FTP nor TLS.
package proxy

import (
	"net"
	"net/netip"
)

// Peer is who a connection is from.
type Peer struct {
	// Client is the client's address, as a header has announced it; else the
	// connection's own.
	Client netip.AddrPort
	// Server is the address that the client has connected to, in the same way.
	Server netip.AddrPort
	// Announced tells that Client is what a believed header says.
	Announced bool
	// DataDirect tells that data connections of an announced client come from it
	// without a header.
	DataDirect bool
	// Hidden tells that a believed header says that nothing is known of the client,
	// by an unspecified address (0.0.0.0 or ::). Client and Server are the
	// connection's own, and data connections have no header.
	Hidden bool
}

// direct is the peer of a connection without a header.
func direct(c net.Conn) Peer {
	return Peer{Client: AddrPort(c.RemoteAddr()), Server: AddrPort(c.LocalAddr())}
}

// AddrPort is an address without a zone, and an IPv4 one as such however it is
// written; the zero AddrPort if it is none of TCP.
func AddrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

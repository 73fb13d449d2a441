package lockout

import "net/netip"

// siteBits is how much of an IPv6 address tells one site from another: whoever
// has one has a network of 64 bits of them (RFC 4291 §2.5.1, RFC 6177).
const siteBits = 64

// Group is what an address counts as: itself, of IPv6 the /64 that it is in. The
// zero Addr has none.
func Group(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = siteBits
	}
	p, _ := a.Prefix(bits) // an error is only for the zero Addr
	return p
}

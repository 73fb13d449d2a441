package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// header is a version of the PROXY protocol, by which a proxy tells whose
// connection it carries.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, §2.
type header string

const (
	noHeader header = ""
	headerV1 header = "v1"
	headerV2 header = "v2"
)

// bytes is what goes before the connection's own bytes: from the client, to the
// address that it connected to. Both are of one family.
func (h header) bytes(client, to netip.AddrPort) []byte {
	switch h {
	case headerV1:
		return headerOne(client, to)
	case headerV2:
		return headerTwo(client, to)
	default:
		return nil
	}
}

func headerOne(client, to netip.AddrPort) []byte {
	kind := "TCP4"
	if client.Addr().Is6() {
		kind = "TCP6"
	}
	return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", kind, client.Addr(), to.Addr(), client.Port(), to.Port())
}

func headerTwo(client, to netip.AddrPort) []byte {
	const (
		signature    = "\r\n\r\n\x00\r\nQUIT\n"
		versionProxy = 0x21 // version 2, command PROXY
		tcp4, tcp6   = 0x11, 0x21
	)
	kind := byte(tcp4)
	if client.Addr().Is6() {
		kind = tcp6
	}
	addresses := append(client.Addr().AsSlice(), to.Addr().AsSlice()...)
	addresses = binary.BigEndian.AppendUint16(addresses, client.Port())
	addresses = binary.BigEndian.AppendUint16(addresses, to.Port())
	out := append([]byte(signature), versionProxy, kind)
	out = binary.BigEndian.AppendUint16(out, uint16(len(addresses)))
	return append(out, addresses...)
}

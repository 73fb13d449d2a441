package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// Sizes of a header, in bytes.
const (
	// maxV1 is the longest header of version 1, with its CRLF (§2.1).
	maxV1 = 107
	// fixedV2 is what tells how long a header of version 2 is (§2.2).
	fixedV2 = 16
	// maxV2 bounds what follows: addresses, of which those of Unix take 216, and
	// TLVs, of which the largest is a certificate. 65,535 could be told.
	maxV2 = 4096
	// commandV2 and familyV2 are where the command and the family are.
	commandV2, familyV2 = 12, 13
)

// Errors of a header.
var (
	errAbsent  = errors.New("no header came")
	errPartial = errors.New("a part of a header came")
	errTooLong = errors.New("the header is longer than it may be")
	errAddress = errors.New("the header names no address that a client could have")
)

var (
	signatureV1 = []byte("PROXY ")
	signatureV2 = proxyproto.SIGV2
)

// measure tells how long the header is that p begins with; 0 as long as p is too
// short to tell. The error is errAbsent if p begins with none.
func measure(p []byte) (int, error) {
	switch {
	case agrees(p, signatureV1):
		return measureV1(p)
	case agrees(p, signatureV2):
		return measureV2(p)
	}
	return 0, errAbsent
}

// agrees tells whether p begins with a signature, as far as p goes.
func agrees(p, signature []byte) bool {
	n := min(len(p), len(signature))
	return bytes.Equal(p[:n], signature[:n])
}

func measureV1(p []byte) (int, error) {
	p = p[:min(len(p), maxV1)]
	if end := bytes.IndexByte(p, '\n'); end >= 0 {
		return end + 1, nil
	}
	if len(p) == maxV1 {
		return 0, errTooLong
	}
	return 0, nil
}

func measureV2(p []byte) (int, error) {
	if len(p) < fixedV2 {
		return 0, nil
	}
	length := int(binary.BigEndian.Uint16(p[fixedV2-2:]))
	if length > maxV2 {
		return 0, errTooLong
	}
	return fixedV2 + length, nil
}

// begun tells whether p can only be a header, or a part of one.
func begun(p []byte) bool {
	return bytes.HasPrefix(p, signatureV1) || bytes.HasPrefix(p, signatureV2)
}

// parse reads a whole header. The zero AddrPort as the client's: the header is of
// a connection that the balancer has opened for itself, or tells no address of
// IP; what counts is the connection's own. An unspecified address: the balancer
// passes on a client of whom it tells nothing. The server's is zero where it is of
// no use.
func parse(header []byte) (client, server netip.AddrPort, err error) {
	if len(header) > familyV2 && bytes.HasPrefix(header, signatureV2) &&
		header[commandV2] == byte(proxyproto.PROXY) && header[familyV2] == byte(proxyproto.UNSPEC) {
		header = bytes.Clone(header) // "PROXY" of no family says as much as "LOCAL" (§2.2)
		header[commandV2] = byte(proxyproto.LOCAL)
	}
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(header)))
	if err != nil {
		return netip.AddrPort{}, netip.AddrPort{}, fmt.Errorf("the header can't be read: %w", err)
	}
	from, to, ok := h.TCPAddrs()
	if h.Command.IsLocal() || !ok {
		return netip.AddrPort{}, netip.AddrPort{}, nil
	}
	client, server = AddrPort(from), AddrPort(to)
	if !usable(client.Addr()) && !client.Addr().IsUnspecified() {
		return netip.AddrPort{}, netip.AddrPort{}, errAddress
	}
	if !usable(server.Addr()) {
		server = netip.AddrPort{}
	}
	return client, server, nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// usable tells whether a host can have an address.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
}

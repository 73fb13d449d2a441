package proxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 is a header of version 2: command and family as they stand in it.
func v2(command, family byte, rest ...[]byte) string {
	body := bytes.Join(rest, nil)
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(append(b, body...))
}

// addresses are those of a header of version 2, source and destination.
func addresses(from, to string) []byte {
	f, t := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := append(f.Addr().AsSlice(), t.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, f.Port())
	return binary.BigEndian.AppendUint16(b, t.Port())
}

var (
	inV4 = addresses("203.0.113.7:40000", "198.51.100.1:21")
	inV6 = addresses("[2001:db8::7]:40000", "[2001:db8::1]:21")
)

// headers that are good, and whom they tell of: "" for the connection's own.
var headers = map[string]struct{ sent, client, server string }{
	"v1":                           {"PROXY TCP4 203.0.113.7 198.51.100.1 40000 21\r\n", "203.0.113.7:40000", "198.51.100.1:21"},
	"v1 of IPv6":                   {"PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n", "[2001:db8::7]:40000", "[2001:db8::1]:21"},
	"v1, IPv4 as IPv6":             {"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:198.51.100.1 40000 21\r\n", "203.0.113.7:40000", "198.51.100.1:21"},
	"v1, no server":                {"PROXY TCP4 203.0.113.7 0.0.0.0 40000 21\r\n", "203.0.113.7:40000", ""},
	"v1 unknown":                   {"PROXY UNKNOWN\r\n", "", ""},
	"v1 unknown with what follows": {"PROXY UNKNOWN ffff:f:f:f:f:f:f:ffff ffff:f:f:f:f:f:f:ffff 65535 65535\r\n", "", ""},
	"v1 longest":                   {"PROXY UNKNOWN " + strings.Repeat("f", maxV1-16) + "\r\n", "", ""},
	"v2":                           {v2(0x21, 0x11, inV4), "203.0.113.7:40000", "198.51.100.1:21"},
	"v2 of IPv6":                   {v2(0x21, 0x21, inV6), "[2001:db8::7]:40000", "[2001:db8::1]:21"},
	"v2, IPv4 as IPv6":             {v2(0x21, 0x21, addresses("[::ffff:203.0.113.7]:40000", "[::ffff:198.51.100.1]:21")), "203.0.113.7:40000", "198.51.100.1:21"},
	"v2, server of all":            {v2(0x21, 0x21, addresses("[2001:db8::7]:40000", "[::]:21")), "[2001:db8::7]:40000", ""},
	"v2 with TLVs":                 {v2(0x21, 0x11, inV4, []byte("\x01\x00\x03ftp"), bytes.Repeat([]byte{4, 0, 0}, 100)), "203.0.113.7:40000", "198.51.100.1:21"},
	"v2 longest":                   {v2(0x21, 0x11, inV4, make([]byte, maxV2-len(inV4))), "203.0.113.7:40000", "198.51.100.1:21"},
	"v2 local":                     {v2(0x20, 0x00), "", ""},
	"v2 local with addresses":      {v2(0x20, 0x11, inV4), "", ""},
	"v2 local with anything":       {v2(0x20, 0x11, []byte("xyz")), "", ""},
	"v2 of no family":              {v2(0x21, 0x00, []byte("xyz")), "", ""},
	"v2 of Unix":                   {v2(0x21, 0x31, make([]byte, 216)), "", ""},
	"v2 of UDP":                    {v2(0x21, 0x12, inV4), "", ""},
}

// nobody are headers that are good, and of a client of whom nothing is told.
var nobody = map[string]string{
	"v1":               "PROXY TCP4 0.0.0.0 198.51.100.1 40000 21\r\n",
	"v1 of IPv6":       "PROXY TCP6 :: 2001:db8::1 40000 21\r\n",
	"v1, IPv4 as IPv6": "PROXY TCP6 ::ffff:0.0.0.0 2001:db8::1 40000 21\r\n",
	"v2":               v2(0x21, 0x11, addresses("0.0.0.0:40000", "198.51.100.1:21")),
	"v2 of IPv6":       v2(0x21, 0x21, addresses("[::]:40000", "[2001:db8::1]:21")),
	"v2, IPv4 as IPv6": v2(0x21, 0x21, addresses("[::ffff:0.0.0.0]:40000", "[2001:db8::1]:21")),
	"v2, port 0":       v2(0x21, 0x11, addresses("0.0.0.0:0", "0.0.0.0:0")),
}

// broken are no headers, though each begins as one does, or names nobody.
var broken = map[string]struct {
	sent string
	want error // nil: any
}{
	"v1, no protocol":          {"PROXY \r\n", nil},
	"v1, another protocol":     {"PROXY UDP4 203.0.113.7 198.51.100.1 40000 21\r\n", nil},
	"v1, the other family":     {"PROXY TCP4 2001:db8::7 2001:db8::1 40000 21\r\n", nil},
	"v1, port too high":        {"PROXY TCP4 203.0.113.7 198.51.100.1 65536 21\r\n", nil},
	"v1, port with a zero":     {"PROXY TCP4 203.0.113.7 198.51.100.1 040 21\r\n", nil},
	"v1, a zone":               {"PROXY TCP6 fe80::1%lo 2001:db8::1 40000 21\r\n", nil},
	"v1, two spaces":           {"PROXY TCP4  203.0.113.7 198.51.100.1 40000 21\r\n", nil},
	"v1, LF alone":             {"PROXY TCP4 203.0.113.7 198.51.100.1 40000 21\n", nil},
	"v1, LF at once":           {"PROXY \n", nil},
	"v1, too long":             {"PROXY UNKNOWN " + strings.Repeat("f", maxV1-15) + "\r\n", errTooLong},
	"v1, no end":               {"PROXY " + strings.Repeat("f", 2000), errTooLong},
	"v1, multicast":            {"PROXY TCP4 224.0.0.1 198.51.100.1 40000 21\r\n", errAddress},
	"v1, everybody":            {"PROXY TCP4 255.255.255.255 198.51.100.1 40000 21\r\n", errAddress},
	"v2, multicast":            {v2(0x21, 0x21, addresses("[ff02::1]:1", "[::1]:21")), errAddress},
	"v2, version 3":            {v2(0x31, 0x11, inV4), nil},
	"v2, another command":      {v2(0x22, 0x11, inV4), nil},
	"v2, another family":       {v2(0x21, 0x41, inV4), nil},
	"v2, another protocol":     {v2(0x21, 0x13, inV4), nil},
	"v2, too short":            {v2(0x21, 0x11, inV4[1:]), nil},
	"v2 of Unix, too short":    {v2(0x21, 0x31, make([]byte, 215)), nil},
	"v2, too long":             {v2(0x21, 0x11, inV4, make([]byte, maxV2-len(inV4)+1)), errTooLong},
	"v2, as long as it can be": {v2(0x21, 0x11, inV4)[:fixedV2-2] + "\xff\xff", errTooLong},
}

func addrPortOr(s string) (a netip.AddrPort) {
	if s != "" {
		a = netip.MustParseAddrPort(s)
	}
	return a
}

// TestHeaders: each is found in what comes, with whatever follows, and tells whom
// the connection is from.
func TestHeaders(t *testing.T) {
	for name, h := range headers {
		for _, follows := range []string{"", "USER alice\r\n", h.sent} {
			size, err := measure([]byte(h.sent + follows))
			if err != nil || size != len(h.sent) {
				t.Errorf("%s: measured %d of %d, %v", name, size, len(h.sent), err)
			}
		}
		sent := []byte(h.sent)
		client, server, err := parse(sent)
		if err != nil || client != addrPortOr(h.client) || server != addrPortOr(h.server) {
			t.Errorf("%s: %v, %v, %v", name, client, server, err)
		}
		if string(sent) != h.sent {
			t.Errorf("%s: the header was changed", name)
		}
		for short := range len(h.sent) {
			if size, err := measure([]byte(h.sent[:short])); err != nil || size != 0 && size != len(h.sent) {
				t.Errorf("%s: of the first %d bytes: %d, %v", name, short, size, err)
			}
		}
	}
}

func TestBrokenHeaders(t *testing.T) {
	for name, h := range broken {
		size, err := measure([]byte(h.sent))
		if err == nil {
			_, _, err = parse([]byte(h.sent)[:size])
		}
		if err == nil || errors.Is(err, errAbsent) || h.want != nil && !errors.Is(err, h.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzHeader: whatever comes, a header is no longer than it may be, as long however
// much of it has come, and tells of a client that there can be.
func FuzzHeader(f *testing.F) {
	for _, h := range headers {
		f.Add([]byte(h.sent))
	}
	for _, h := range nobody {
		f.Add([]byte(h))
	}
	for _, h := range broken {
		f.Add([]byte(h.sent))
	}
	f.Add([]byte("USER alice\r\n"))
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nPROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		size, err := measure(data)
		if size > fixedV2+maxV2 || err != nil && size != 0 {
			t.Fatalf("measured %d, %v", size, err)
		}
		for short := range min(len(data), 2*maxV1) {
			if n, early := measure(data[:short]); early == nil && n != 0 && n != size || early != nil && !errors.Is(err, early) {
				t.Fatalf("of %d bytes %d, %v; of %d %d, %v", short, n, early, len(data), size, err)
			}
		}
		if err != nil || size == 0 || size > len(data) {
			return
		}
		client, server, err := parse(data[:size])
		if err != nil || client == (netip.AddrPort{}) {
			return
		}
		if !usable(client.Addr()) && !client.Addr().IsUnspecified() || client.Addr().Is4In6() || client.Addr().Zone() != "" {
			t.Fatalf("the client is %v", client)
		}
		if server != (netip.AddrPort{}) && !usable(server.Addr()) {
			t.Fatalf("the server is %v", server)
		}
	})
}

package ftp

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// port takes the client's address for an active connection (RFC 959 §4.1.2).
func (s *session) port(arg string) {
	if s.epsvOnly {
		s.reply(501, "PORT is not allowed after EPSV ALL")
		return
	}
	to, ok := parsePort(arg)
	switch {
	case !ok:
		s.reply(501, "PORT needs h1,h2,h3,h4,p1,p2")
	case !s.client.Is4():
		s.reply(522, "PORT is for IPv4 only: use EPRT or EPSV")
	default:
		s.setActive("PORT", to)
	}
}

// eprt is PORT for any address family (RFC 2428 §2).
func (s *session) eprt(arg string) {
	if s.epsvOnly {
		s.reply(501, "EPRT is not allowed after EPSV ALL")
		return
	}
	family, to, ok := parseEPRT(arg)
	switch {
	case !ok:
		s.reply(501, "EPRT needs |family|address|port|")
	case family != s.family():
		s.wrongFamily()
	default:
		s.setActive("EPRT", to)
	}
}

// lowestActivePort: ports below belong to services, which a client could make
// this server talk to (RFC 2577 §3).
const lowestActivePort = 1024

const activeOff = "Active mode is switched off: use PASV or EPSV"

// setActive accepts an active connection to the client's own address only: any
// other would let it use this server against third parties (RFC 2577 §3). An address
// that a proxy has announced is not good enough for that, nor is the proxy's own, and the
// connection would come from another address than the client expects.
func (s *session) setActive(verb string, to netip.AddrPort) {
	switch {
	case !s.config().Active || s.announced || s.hidden:
		s.reply(502, activeOff)
	case to.Addr() != s.client:
		s.log.Warn("Active connection to another address refused", "address", to.String())
		s.reply(504, verb+" is allowed to your own address only")
	case to.Port() < lowestActivePort:
		s.reply(504, verb+" is allowed from port 1024 on only")
	case s.isOwn(to):
		s.log.Warn("Active connection to the server itself refused", "address", to.String())
		s.reply(504, verb+" is not allowed to this server")
	default:
		s.dropData()
		s.setData(&activePort{local: netip.AddrPortFrom(s.local, 0), remote: to, secure: s.dataSecurity(), timeout: s.config().Limits.HandshakeTimeout})
		s.reply(200, verb+" accepted")
	}
}

// isOwn tells whether this process listens there. A client that comes by way of
// the server's own host, such as through a tunnel, has an address of the server:
// it must not have it talk to itself, which no limit to some networks would hold.
func (s *session) isOwn(to netip.AddrPort) bool {
	if !s.server.listensOn(int(to.Port())) {
		return false
	}
	if to.Addr() == s.local || to.Addr().IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(to.Addr().AsSlice())
	})
}

// listensOn tells whether a port is one of this process: of control connections,
// a passive one, or the administrator's.
func (s *Server) listensOn(port int) bool {
	s.mu.Lock()
	_, ok := s.listening[port]
	s.mu.Unlock()
	c := s.Live.Current().Config
	return ok || slices.ContainsFunc(c.Passive.PortsOf(s.Slot), func(p config.PassivePort) bool { return p.Listen == port }) ||
		portNumber(c.Admin.Listen) == port || portNumber(c.Admin.Status.Listen) == port
}

// portNumber is that of an address that was validated; 0 for none.
func portNumber(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

func parsePort(arg string) (netip.AddrPort, bool) {
	fields := strings.Split(arg, ",")
	if len(fields) != 6 {
		return netip.AddrPort{}, false
	}
	var b [6]byte
	for i, f := range fields {
		n, err := strconv.ParseUint(strings.Trim(f, " "), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b[i] = byte(n)
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), port != 0
}

// parseEPRT reads the argument of EPRT. The delimiter is any printable character
// (RFC 2428 §2). The family is the one that the address belongs to; an IPv4
// address may also be written as one of IPv6 (RFC 4291 §2.5.5.2). A protocol
// that is neither needs no address that is known here.
func parseEPRT(arg string) (family string, to netip.AddrPort, ok bool) {
	if arg == "" || arg[0] < '!' || arg[0] > '~' {
		return "", to, false
	}
	fields := strings.Split(arg, arg[:1])
	if len(fields) != 5 || fields[0] != "" || fields[4] != "" || !isNumber(fields[1]) {
		return "", to, false
	}
	if family = fields[1]; family != "1" && family != "2" {
		return family, to, true
	}
	addr, err1 := netip.ParseAddr(fields[2])
	port, err2 := strconv.ParseUint(fields[3], 10, 16)
	if err1 != nil || err2 != nil || port == 0 {
		return "", to, false
	}
	if addr.Is4In6() {
		addr, family = addr.Unmap(), "1"
	}
	if addr.Is4() != (family == "1") {
		return "", to, false
	}
	return family, netip.AddrPortFrom(addr.WithZone(""), uint16(port)), true
}

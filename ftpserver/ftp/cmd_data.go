package ftp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

// dropData gives up a data connection that was asked for and not used.
func (s *session) dropData() {
	if d := s.takeData(); d != nil {
		d.cancel()
	}
}

func (s *session) setData(d dataPort) {
	s.mu.Lock()
	s.data, s.announcedAt = d, time.Now()
	s.mu.Unlock()
}

func (s *session) takeData() dataPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.data
	s.data = nil
	return d
}

// pasv opens a passive port and tells its address and number (RFC 959 §4.1.2).
func (s *session) pasv(string) {
	if s.epsvOnly {
		s.reply(501, "PASV is not allowed after EPSV ALL")
		return
	}
	if !s.client.Is4() { // it could not come to the IPv4 address that 227 tells
		s.reply(522, "PASV is for IPv4 only: use EPSV")
		return
	}
	addr, err := s.passiveAddress()
	if err != nil {
		s.log.Info("PASV can't be answered", "error", err)
		s.reply(425, "PASV can't be answered: "+err.Error())
		return
	}
	e := s.expect()
	if e == nil {
		return
	}
	a, p := addr.As4(), e.Announced()
	s.reply(227, fmt.Sprintf("Entering passive mode (%d,%d,%d,%d,%d,%d).", a[0], a[1], a[2], a[3], p>>8, p&0xff))
}

// epsv opens a passive port and tells its number (RFC 2428 §3).
func (s *session) epsv(arg string) {
	switch {
	case strings.EqualFold(arg, "ALL"):
		s.epsvOnly = true
		s.reply(200, "Only EPSV from now on")
		return
	case arg == "" || arg == s.family():
	case isNumber(arg):
		s.wrongFamily()
		return
	default:
		s.reply(501, "EPSV takes 1, 2 or ALL")
		return
	}
	if e := s.expect(); e != nil {
		s.reply(229, fmt.Sprintf("Entering extended passive mode (|||%d|)", e.Announced()))
	}
}

// expect asks the broker for a port; nil if there is none, and the client knows.
func (s *session) expect() *passive.Expectation {
	s.dropData()
	request, p := s.dataRequest()
	if p != nil {
		s.log.Info("No passive port for a session", "reason", p.text)
		s.reply(p.code, p.text)
		return nil
	}
	e, err := s.server.Broker.Expect(context.Background(), request)
	if err != nil {
		s.log.Warn("No passive port for a session", "error", err)
		s.reply(425, capital(err.Error()))
		return nil
	}
	s.setData(passivePort{e, s.config().Limits.HandshakeTimeout})
	return e
}

// family is the number of the control connection's protocol (RFC 2428 §2). Data
// connections are between the same two addresses, so there is no other.
func (s *session) family() string {
	if s.client.Is4() {
		return "1"
	}
	return "2"
}

// wrongFamily lists the protocols that can be asked for, as RFC 2428 §2 wants.
func (s *session) wrongFamily() {
	s.reply(522, "Network protocol not supported on this connection, use ("+s.family()+")")
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

var errAddressPending = errors.New("the address of this server is not known yet, use EPSV or try again")

// passiveAddress is what PASV answers this client.
func (s *session) passiveAddress() (netip.Addr, error) {
	p := s.config().Passive
	if p.AddressPending {
		return netip.Addr{}, errAddressPending
	}
	for _, a := range p.Addresses {
		if clientIn(s.client, a.ClientCIDRs) {
			return s.server.resolver.ipv4(a.Address)
		}
	}
	return s.local, nil
}

// clientIn tells whether an address is in one of the networks; no networks are
// all. An IPv4 network may be written as one of IPv6 (RFC 4291 §2.5.5.2).
func clientIn(client netip.Addr, cidrs []string) bool {
	for _, c := range cidrs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			continue // validated before
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Contains(client) {
			return true
		}
	}
	return len(cidrs) == 0
}

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

// setActive accepts an active connection to the client's own address only: any
// other would let it use this server against third parties (RFC 2577 §3).
func (s *session) setActive(verb string, to netip.AddrPort) {
	switch {
	case !s.config().Active:
		s.reply(502, "Active mode is switched off: use PASV or EPSV")
	case to.Addr() != s.client:
		s.log.Warn("Active connection to another address refused", "address", to.String())
		s.reply(504, verb+" is allowed to your own address only")
	case to.Port() < lowestActivePort:
		s.reply(504, verb+" is allowed from port 1024 on only")
	default:
		s.dropData()
		s.setData(&activePort{local: netip.AddrPortFrom(s.local, 0), remote: to, secure: s.dataSecurity(), timeout: s.config().Limits.HandshakeTimeout})
		s.reply(200, verb+" accepted")
	}
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

// dataProblem says why this session may have no data connection now.
func (s *session) dataProblem() *problem {
	s.mu.Lock()
	missing := s.data == nil
	s.mu.Unlock()
	switch {
	case s.mustProtectData() && !s.private():
		return &problem{521, "This server needs secured data connections: send PBSZ 0 and PROT P"}
	case missing:
		return &problem{425, "Send PASV or EPSV first"}
	}
	return nil
}

// mustProtectData: what a session in clear may do is for tls.mode to say.
func (s *session) mustProtectData() bool {
	t := s.config().TLS
	if s.secure {
		return t.DataProtection == config.DataProtectionRequired
	}
	return t.Mode == config.TLSRequired
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

package ftp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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
	if err == nil && !addr.Is4() { // a proxy that is reached over IPv4 may itself come over IPv6
		err = errNoIPv4
	}
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

var errNoIPv4 = errors.New("this server knows no address of IPv4 that you could reach it at, use EPSV")

var errAddressPending = errors.New("the address of this server is not known yet, use EPSV or try again")

// passiveAddress is what PASV answers this client.
func (s *session) passiveAddress() (netip.Addr, error) {
	p, hidden := s.config().Passive, s.addressesHidden()
	for _, a := range p.Addresses {
		if len(a.ClientCIDRs) == 0 || !hidden && clientIn(s.client, a.ClientCIDRs) {
			return s.server.resolver.ipv4(a.Address)
		}
	}
	if p.AddressPending {
		return netip.Addr{}, errAddressPending
	}
	return s.local, nil
}

// clientIn tells whether an address is in one of the networks; no networks are
// all.
func clientIn(client netip.Addr, cidrs []string) bool {
	for _, c := range cidrs {
		if p, err := config.Network(c); err == nil && p.Contains(client) { // validated before
			return true
		}
	}
	return len(cidrs) == 0
}

// dataProblem says why this session may have no data connection now.
func (s *session) dataProblem() *problem {
	s.mu.Lock()
	missing := s.data == nil
	_, active := s.data.(*activePort)
	s.mu.Unlock()
	switch {
	case s.mustProtectData() && !s.private():
		return &problem{521, "This server needs secured data connections: send PBSZ 0 and PROT P"}
	case active && !s.config().Active: // it was switched off since PORT
		return &problem{425, activeOff}
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

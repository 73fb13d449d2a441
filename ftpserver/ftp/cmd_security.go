package ftp

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// protection is how far the client has come in securing data connections
// (RFC 4217 §9, RFC 2228 §3).
type protection struct {
	sized   bool // PBSZ was given
	private bool // PROT P
}

// auth starts TLS on the control connection (RFC 4217 §4).
func (s *session) auth(arg string) {
	mechanism := strings.ToUpper(arg)
	switch {
	case s.config().TLS.Mode == config.TLSDisabled:
		s.reply(502, "TLS is not enabled on this server")
	case mechanism != "TLS" && mechanism != "TLS-C":
		s.reply(504, "Only AUTH TLS is supported")
	case s.secure:
		s.reply(503, "The connection is already secured")
	default:
		s.reply(234, "Start TLS now")
		s.secureControl()
	}
}

// secureControl begins TLS. The client sees it in the handshake: nothing is
// answered. A session that can't be secured ends.
func (s *session) secureControl() bool {
	err := s.startTLS()
	if err != nil && s.crowdedOut.Load() {
		s.finish("crowded out")
		return false
	}
	if err != nil {
		s.log.Info("TLS handshake failed", "error", err, "advice", adviceOf(err))
		s.finish("TLS handshake failed")
		return false
	}
	s.dropData()
	s.protection = s.firstProtection()
	s.forgetLogin()
	s.facts, s.clientName = defaultFacts, "" // nobody knows who has chosen that
	return true
}

// firstProtection is the level of data connections of a session that has just
// been secured: none (RFC 4217 §9). Implicit TLS comes from before PROT: there,
// all is secured from the beginning.
func (s *session) firstProtection() protection {
	return protection{sized: s.implicit, private: s.implicit}
}

func (s *session) startTLS() error {
	by := s.server.Live.Current().TLS
	handshake := s.server.controlHandshake(tlsconf.Connection{Host: s.host}, s.id)
	s.setHandshaking(true)
	defer s.setHandshaking(false)
	conn, err := s.ctrl.startTLS(func(c *net.TCPConn) (*tls.Conn, error) {
		if s.endsNow() { // the deadline that this set is gone
			return nil, errEnded
		}
		return handshake(c)
	}, s.config().Limits.HandshakeTimeout)
	if err != nil {
		return err
	}
	s.server.known.belongs(s.id, identity{})
	state := conn.ConnectionState()
	s.mu.Lock()
	s.secure, s.tlsVersion = true, state.Version
	if len(state.PeerCertificates) > 0 { // else the session would keep an old set for nothing
		s.peer = peer{chain: state.PeerCertificates, by: by}
	}
	s.mu.Unlock()
	s.serverName, _ = config.NormalHost(state.ServerName)
	args := []any{"version", tls.VersionName(state.Version), "cipher", tls.CipherSuiteName(state.CipherSuite)}
	if c := s.peer.certificate(); c != nil {
		args = append(args, "clientCertificate", c.Subject.String())
	}
	s.log.Debug("Control connection secured", args...)
	return nil
}

func (s *session) setHandshaking(on bool) {
	s.mu.Lock()
	s.handshaking = on
	s.mu.Unlock()
}

func (s *session) endsNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending == endNow
}

func (s *Server) controlHandshake(about tlsconf.Connection, session uint64) func(*net.TCPConn) (*tls.Conn, error) {
	b := &binding{tickets: s.tickets, session: session}
	return func(c *net.TCPConn) (*tls.Conn, error) { return s.handshake(c, about, b) }
}

// pbsz sets the protection buffer size: with TLS it can only be 0 (RFC 4217 §8).
func (s *session) pbsz(arg string) {
	switch {
	case !s.secure:
		s.reply(503, "Send AUTH TLS first")
	case strings.Trim(arg, "0123456789") != "":
		s.reply(501, "PBSZ needs a number")
	default:
		s.protection.sized = true
		s.reply(200, "PBSZ=0")
	}
}

// prot sets whether data connections are secured (RFC 4217 §9).
func (s *session) prot(arg string) {
	level := strings.ToUpper(arg)
	switch {
	case !s.secure:
		s.reply(503, "Send AUTH TLS first")
	case !s.protection.sized:
		s.reply(503, "Send PBSZ 0 first")
	case level == "P":
		s.setProtection(true, "Data connections will be secured")
	case level == "C" && s.config().TLS.DataProtection == config.DataProtectionRequired:
		s.reply(534, "This server does not allow data connections in clear")
	case level == "C":
		s.setProtection(false, "Data connections will be in clear")
	case level == "S" || level == "E":
		s.reply(536, "TLS knows PROT C and PROT P only")
	default:
		s.reply(504, "PROT must be C or P")
	}
}

func (s *session) setProtection(private bool, text string) {
	if s.protection.private != private {
		s.dropData() // it was asked for under the other level
	}
	s.protection.private = private
	s.reply(200, text)
}

// Package tlsconf reads the server's certificates and makes the one TLS
// configuration that all connections are served under.
//
// It watches no files and does not know which connection belongs to which
// session: package live loads anew, package ftp binds.
package tlsconf

import (
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// FTP's names in ALPN. "ftp" is the one of the IANA registry "TLS ALPN Protocol
// IDs"; "ftp-data" is what FileZilla offers on data connections.
const (
	protocol     = "ftp"
	dataProtocol = "ftp-data"
)

// cipherSuites are those of TLS 1.2: forward secrecy and authenticated
// encryption only (RFC 9325 §4.2). TLS 1.3 has no others.
var cipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

var errNoCertificate = errors.New("tls: there is no certificate: TLS is switched off in the configuration")

// ServerConfig returns the configuration for all TLS connections of the
// process. Every handshake takes the certificates and the lowest version from
// the Set that is current then. Make it once and keep it: the keys of session
// tickets are its own (crypto/tls makes them at random and rotates them daily
// with overlap), so that clients resume across reloads, and on data connections
// what began on the control connection. Shake hands with Connection.Context.
//
// A client that offers ALPN must offer "ftp" (RFC 7301 §3.2), or "ftp-data" on a
// data connection; one that offers none is served, as most FTP clients do. The
// key exchanges are Go's defaults, and a server of crypto/tls never renegotiates.
func ServerConfig(current func() *Set) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			s := current()
			if s == nil {
				return nil, errNoCertificate
			}
			about := connectionOf(hello.Context())
			return s.configOf(about), about.check(hello)
		},
	}
}

// newSet makes the configurations of a Set once, not for each handshake.
func newSet(pairs []*Pair, with settings) *Set {
	s := &Set{pairs: pairs, settings: with}
	s.data = &tls.Config{
		MinVersion:     with.minVersion,
		CipherSuites:   cipherSuites,
		NextProtos:     []string{dataProtocol, protocol},
		GetCertificate: s.certificate,
	}
	s.dataOfClient, s.control = s.data.Clone(), s.data.Clone()
	s.control.NextProtos = []string{protocol}
	if c := with.clients; c != nil {
		for _, of := range []*tls.Config{s.control, s.data, s.dataOfClient} {
			// Also of data connections that need show none: a session in which one
			// was shown is not resumed where none may be.
			of.ClientCAs, of.ClientAuth = c.pool, tls.VerifyClientCertIfGiven
		}
		s.dataOfClient.ClientAuth = tls.RequireAndVerifyClientCert
		if c.config.Mode == config.ClientCertificatesRequired {
			s.control.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return s
}

func (s *Set) configOf(c Connection) *tls.Config {
	switch {
	case !c.Data:
		return s.control
	case c.Client != nil:
		return s.dataOfClient
	}
	return s.data
}

// certificate chooses by the name that the client asks for, by SNI or else by
// HOST, and by what it can verify, and takes the first where none fits.
func (s *Set) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := time.Now()
	if len(s.pairs) > 1 {
		if host := connectionOf(hello.Context()).Host; host != "" && hello.ServerName == "" {
			named := *hello
			named.ServerName = host
			hello = &named
		}
		for _, p := range s.pairs {
			if hello.SupportsCertificate(&p.cert) == nil {
				return p.shown(now), nil
			}
		}
	}
	return s.pairs[0].shown(now), nil
}

// Serves tells whether one of the certificates is for a host, a name or an
// address, in the form of config.NormalHost.
func (s *Set) Serves(host string) bool {
	return s != nil && slices.ContainsFunc(s.pairs, func(p *Pair) bool { return p.cert.Leaf.VerifyHostname(host) == nil })
}

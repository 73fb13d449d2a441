// Package tlsconf reads the server's certificates and makes the one TLS
// configuration that all connections are served under.
//
// It watches no files and does not know which connection belongs to which
// session: package live loads anew, package ftp binds.
package tlsconf

import (
	"crypto/tls"
	"errors"
)

// protocol is FTP's name in ALPN (the IANA registry "TLS ALPN Protocol IDs").
const protocol = "ftp"

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
// with overlap), so that clients resume across reloads.
//
// A client that offers ALPN must offer "ftp" (RFC 7301 §3.2); one that offers
// none is served, as most FTP clients do. The key exchanges are Go's defaults,
// and a server of crypto/tls never renegotiates.
func ServerConfig(current func() *Set) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s := current()
			if s == nil {
				return nil, errNoCertificate
			}
			return s.config, nil
		},
	}
}

// newSet makes the configuration of a Set once, not for each handshake.
// crypto/tls chooses among the certificates by name and by what the client can
// verify, and takes the first where none fits.
func newSet(pairs []*Pair, minVersion uint16) *Set {
	c := &tls.Config{
		MinVersion:   minVersion,
		CipherSuites: cipherSuites,
		NextProtos:   []string{protocol},
	}
	for _, p := range pairs {
		c.Certificates = append(c.Certificates, p.cert)
	}
	return &Set{pairs: pairs, minVersion: minVersion, config: c}
}

package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

var errOtherClient = errors.New("the data connection is of another client certificate than the control connection")

// peer is the certificate that the client of a control connection has shown. It
// was verified with the set that was in force then.
type peer struct {
	chain []*x509.Certificate // its own first; empty: none
	by    *tlsconf.Set
}

func (p peer) certificate() *x509.Certificate {
	if len(p.chain) == 0 {
		return nil
	}
	return p.chain[0]
}

// trusted tells whether the certificate would still be taken. Where the
// authorities are the same, that is known.
func (p peer) trusted(now *tlsconf.Set) bool {
	return len(p.chain) == 0 || now.AsksClients() != "" && (now.SameClients(p.by) || now.TrustsClient(p.chain))
}

// sameClient holds a data connection against the certificate of its control
// connection. One that resumes carries the certificate in its session.
func sameClient(state tls.ConnectionState, want *x509.Certificate) error {
	if len(state.PeerCertificates) == 0 || !state.PeerCertificates[0].Equal(want) {
		return errOtherClient
	}
	return nil
}

// certificateObstacle says why a user can't log in, or stay, with the
// certificate that the client has shown, or without one; "" if nothing is in the
// way. Whoever shows a certificate is only who it names: with that of one user
// nobody becomes another, whatever the password.
func certificateObstacle(c candidate, p peer, now *tlsconf.Set) string {
	cert := p.certificate()
	switch {
	case !p.trusted(now):
		return "client certificate not trusted any more"
	case cert == nil && (len(c.ClientCertificates) > 0 || now.AsksClients() == config.ClientCertificatesRequired):
		return "client certificate missing"
	case cert == nil, c.guest:
		return ""
	}
	known := c.ClientCertificates
	if len(known) == 0 {
		known = []config.ClientCertificate{{CommonName: c.Name}}
	}
	if !tlsconf.MatchesClient(known, cert) {
		return "client certificate of somebody else"
	}
	return ""
}

// byCertificateAlone tells whether a user logs in without a password.
func byCertificateAlone(u *config.User) bool {
	return u.CertificateLogin == config.CertificateLoginWithoutPassword
}

// loginByCertificate answers USER where the certificate is enough (RFC 4217 §12,
// RFC 2228 §5). Whatever is in the way is left to PASS, which answers as it does
// to a wrong password.
func (s *session) loginByCertificate(now *live.Snapshot, c candidate) bool {
	if !c.exists || c.guest || !byCertificateAlone(&c.User) || s.obstacle(c, now) != "" {
		return false
	}
	c.passwordless = true
	s.loginAs(now, c, 232, "Logged in by your certificate")
	return true
}

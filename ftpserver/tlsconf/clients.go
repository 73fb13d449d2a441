package tlsconf

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// clientCAs are the authorities that clients' certificates are verified with. It
// is immutable; nil asks clients for none.
type clientCAs struct {
	config config.ClientCertificates
	hash   string // config.Hash of the file
	pool   *x509.CertPool
}

func loadClientCAs(dir string, c config.ClientCertificates) (*clientCAs, error) {
	name := config.NameOf(dir, c.CAFile)
	data, err := readFile(dir, c.CAFile)
	if err != nil {
		return nil, err
	}
	pool, err := parseAuthorities(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &clientCAs{config: c, hash: config.Hash(data), pool: pool}, nil
}

// parseAuthorities takes every certificate of a file, and nothing else: a part
// that is left out would lock clients out without a word.
func parseAuthorities(data []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		data = rest
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a PEM block %q: it must hold certificates of authorities only", oneWord(block.Type))
		}
		n++
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", n, err)
		}
		if c.BasicConstraintsValid && !c.IsCA {
			return nil, fmt.Errorf("certificate %d is no authority's: give that of the authority which has signed the clients' certificates, and name single ones by sha256 of their user", n)
		}
		pool.AddCert(c)
	}
	switch {
	case strings.Contains(string(data), "-----BEGIN"):
		return nil, errors.New("the last PEM block is cut off: write it whole, a file best by renaming it into place")
	case n == 0:
		return nil, errors.New("holds no certificate: it needs one behind -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

func oneWord(s string) string { return s[:min(len(s), 40)] }

// reloadClients reads the authorities anew. Those that can't be used now keep the
// content in force. The status is nil where clients are asked for none.
func (s *Set) reloadClients(dir string, c config.ClientCertificates) (*clientCAs, *config.FileStatus) {
	if c.Mode == "" {
		return nil, nil
	}
	var old *clientCAs
	if s != nil {
		old = s.clients
	}
	status := &config.FileStatus{Name: config.NameOf(dir, c.CAFile)}
	next, err := loadClientCAs(dir, c)
	switch {
	case err != nil:
		status.Error = strings.TrimPrefix(err.Error(), status.Name+": ")
		if old == nil || config.NameOf(dir, old.config.CAFile) != status.Name {
			return nil, status
		}
		if old.config != c { // the other mode, with the authorities in force
			old = &clientCAs{config: c, hash: old.hash, pool: old.pool}
		}
		next = old
	case old != nil && old.config == c && old.hash == next.hash:
		next = old
	}
	status.Hash = next.hash
	return next, status
}

// AsksClients is how clients are asked for certificates; "" for not at all.
func (s *Set) AsksClients() config.ClientCertificateMode {
	if s == nil || s.clients == nil {
		return ""
	}
	return s.clients.config.Mode
}

// TrustsClient tells whether a chain that a client has shown, its own
// certificate first, would still be taken. It costs signature checks.
func (s *Set) TrustsClient(chain []*x509.Certificate) bool {
	if s.AsksClients() == "" || len(chain) == 0 {
		return false
	}
	options := x509.VerifyOptions{
		Roots: s.clients.pool, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(options)
	return err == nil
}

// SameClients tells whether both sets take the same certificates of clients.
func (s *Set) SameClients(other *Set) bool {
	return s == other || s != nil && other != nil && s.clients == other.clients
}

// MatchesClient tells whether a certificate is one of those that a user is known
// by.
func MatchesClient(known []config.ClientCertificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(known, func(k config.ClientCertificate) bool {
		switch {
		case k.CommonName != "":
			return c.Subject.CommonName == k.CommonName
		case k.Email != "":
			return slices.ContainsFunc(c.EmailAddresses, func(e string) bool { return sameEmail(e, k.Email) })
		case k.URI != "":
			for _, u := range c.URIs {
				if u.String() == k.URI {
					return true
				}
			}
			return false
		}
		return sameFingerprint(k.Fingerprint(), c)
	})
}

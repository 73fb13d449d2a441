// Package pki makes and judges certificates: a server's own authority and the
// leaves that it signs. It knows nothing of Kubernetes, reads no clock and
// stores nothing; the time is passed in.
package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// KeyPair is a certificate, or a chain of them, and its private key, in PEM.
type KeyPair struct {
	Cert []byte
	Key  []byte
}

// CA signs certificates. It is immutable.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// NewCA makes an authority with a key of its own, for one server, valid for so
// long. Its name is told to people who look at the certificate; the time in it
// tells a server's authorities apart, also for clients that go by the name.
func NewCA(server string, now time.Time, life time.Duration) (KeyPair, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{
			Organization: []string{"ftp-operator"},
			CommonName:   commonName(server),
			SerialNumber: now.UTC().Format(time.RFC3339),
		},
		NotBefore:             now.Add(-backdate(life)),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return sign(template, nil)
}

// commonName cuts a name to what a certificate can hold (RFC 5280, A.1).
func commonName(server string) string { return server[:min(len(server), 64)] }

// ParseCA reads an authority. The error says what is wrong with it.
func ParseCA(pair KeyPair) (*CA, error) {
	parsed, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	key, ok := parsed.PrivateKey.(crypto.Signer)
	if !ok || !parsed.Leaf.IsCA {
		return nil, errors.New("certificate authority: the certificate is not that of an authority")
	}
	return &CA{cert: parsed.Leaf, key: key, pem: encode("CERTIFICATE", parsed.Leaf.Raw)}, nil
}

// PEM is the authority's certificate, which clients verify others with.
func (ca *CA) PEM() []byte { return bytes.Clone(ca.pem) }

// NotAfter is when the authority's certificate expires.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

// Issue signs a certificate for a server with these names, DNS names and IP
// addresses, valid for so long, but no longer than the authority itself. The
// chain in it ends with the authority.
func (ca *CA) Issue(names []string, now time.Time, life time.Duration) (KeyPair, error) {
	end := now.Add(life)
	if end.After(ca.cert.NotAfter) {
		end = ca.cert.NotAfter
	}
	template := &x509.Certificate{
		NotBefore:   now.Add(-backdate(life)),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	pair, err := sign(template, ca)
	if err != nil {
		return KeyPair{}, err
	}
	pair.Cert = append(pair.Cert, ca.pem...)
	return pair, nil
}

// Leaf is what can be told of a certificate that was issued before.
type Leaf struct {
	// RenewAt is when it has lived two thirds of its life, NotAfter its end.
	RenewAt, NotAfter time.Time
	// Names are its DNS names and IP addresses, sorted.
	Names []string
	byCA  bool
}

// Inspect reads a certificate. The error says why it is of no use: it cannot be
// read, or key and certificate do not fit.
func (ca *CA) Inspect(pair KeyPair) (Leaf, error) {
	parsed, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return Leaf{}, err
	}
	cert := parsed.Leaf
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return Leaf{
		RenewAt:  twelfth(cert, 8),
		NotAfter: cert.NotAfter,
		Names:    names,
		byCA:     cert.CheckSignatureFrom(ca.cert) == nil,
	}, nil
}

// Fits tells whether the certificate can stay: it is this authority's, has
// exactly these names, and is not due for renewal.
func (l Leaf) Fits(names []string, now time.Time) bool {
	want := slices.Clone(names)
	slices.Sort(want)
	return l.byCA && slices.Equal(l.Names, want) && now.Before(l.RenewAt)
}

// sign makes a key and a certificate for it. Without a parent it signs itself.
func sign(template *x509.Certificate, parent *CA) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return KeyPair{}, fmt.Errorf("make a serial number: %w", err)
	}
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return KeyPair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("encode a key: %w", err)
	}
	return KeyPair{Cert: encode("CERTIFICATE", der), Key: encode("PRIVATE KEY", keyDER)}, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

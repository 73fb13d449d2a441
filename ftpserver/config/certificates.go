package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ClientCertificateMode says whether clients must show a certificate of their
// own when TLS begins.
type ClientCertificateMode string

// The modes. The empty one asks for none.
const (
	ClientCertificatesOptional ClientCertificateMode = "Optional" // who has one may show it
	ClientCertificatesRequired ClientCertificateMode = "Required" // no TLS without one
)

// ClientCertificates configures certificates of clients (RFC 4217 §12).
type ClientCertificates struct {
	// Mode is Optional or Required. It goes with CAFile.
	Mode ClientCertificateMode `yaml:"mode,omitempty"`
	// CAFile is a PEM file with the authorities that clients' certificates are
	// verified with. It is read anew when it changes.
	CAFile string `yaml:"caFile,omitempty"`
}

func (c *ClientCertificates) validate(mode TLSMode) error {
	switch {
	case *c == ClientCertificates{}:
		return nil
	case c.Mode == "":
		return errors.New("tls.clientCertificates.mode: give Optional or Required")
	case c.CAFile == "":
		return errors.New("tls.clientCertificates.caFile: name the PEM file of the authorities that sign clients' certificates")
	case mode == TLSDisabled:
		return errors.New("tls.clientCertificates: needs TLS: give tls.certificates, and a mode other than Disabled")
	case c.Mode == ClientCertificatesRequired && mode != TLSRequired:
		return errors.New("tls.clientCertificates.mode: Required needs tls.mode Required: else a client in clear would need none")
	}
	return oneOf("tls.clientCertificates.mode", c.Mode, ClientCertificatesOptional, ClientCertificatesRequired)
}

// CertificateLogin says what a user's client certificate stands for.
type CertificateLogin string

// The kinds of login with a certificate.
const (
	// CertificateLoginWithPassword: the password is asked for as well.
	CertificateLoginWithPassword CertificateLogin = "WithPassword"
	// CertificateLoginWithoutPassword: the certificate is enough (reply 232 to
	// USER, RFC 4217 §12), and nothing else lets the user in.
	CertificateLoginWithoutPassword CertificateLogin = "WithoutPassword"
)

// ClientCertificate tells by which a certificate is known as a user's. Exactly
// one of its fields is given; the certificate must be verified in any case.
type ClientCertificate struct {
	// CommonName is the subject's, in the same letters.
	CommonName string `yaml:"commonName,omitempty"`
	// Email is an address of the subject alternative name (rfc822Name).
	Email string `yaml:"email,omitempty"`
	// URI is one of the subject alternative name, such as spiffe://…
	URI string `yaml:"uri,omitempty"`
	// SHA256 is the fingerprint of the whole certificate, as openssl x509
	// -fingerprint -sha256 prints it, with or without colons.
	SHA256 string `yaml:"sha256,omitempty"`
}

// MaxClientCertificates is how many a user may have.
const MaxClientCertificates = 32

// Fingerprint is SHA256 as bytes; nil where it is absent or wrong.
func (c ClientCertificate) Fingerprint() []byte {
	sum, err := hex.DecodeString(strings.ReplaceAll(c.SHA256, ":", ""))
	if err != nil || len(sum) != 32 {
		return nil
	}
	return sum
}

func (u *User) validateCertificates(at string) error {
	var errs []error
	if n := len(u.ClientCertificates); n > MaxClientCertificates {
		errs = append(errs, fmt.Errorf("%s.clientCertificates: must be at most %d, are %d", at, MaxClientCertificates, n))
	}
	for i, c := range u.ClientCertificates {
		field := fmt.Sprintf("%s.clientCertificates[%d]", at, i)
		given := 0
		for _, v := range []string{c.CommonName, c.Email, c.URI, c.SHA256} {
			if v != "" {
				given++
			}
		}
		switch {
		case given != 1:
			errs = append(errs, fmt.Errorf("%s: give exactly one of commonName, email, uri and sha256", field))
		case c.SHA256 != "" && c.Fingerprint() == nil:
			errs = append(errs, fmt.Errorf("%s.sha256: must be 64 hexadecimal digits, as openssl x509 -noout -fingerprint -sha256 prints them", field))
		}
	}
	switch u.CertificateLogin {
	case "", CertificateLoginWithPassword:
	case CertificateLoginWithoutPassword:
		if len(u.ClientCertificates) == 0 {
			errs = append(errs, fmt.Errorf("%s.certificateLogin: WithoutPassword needs clientCertificates: name those that let the user in", at))
		}
	default:
		errs = append(errs, oneOf(at+".certificateLogin", u.CertificateLogin, CertificateLoginWithPassword, CertificateLoginWithoutPassword))
	}
	return errors.Join(errs...)
}

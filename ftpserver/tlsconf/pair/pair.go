// Package pair judges a certificate chain and its private key, in PEM: whether a
// TLS server can show them to clients. The server judges its files with it, and
// the operator what it is about to write into them, so that both say the same.
//
// It opens no file, reads no clock and knows nothing of configurations.
package pair

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// Names are what an error calls the two parts, such as tls.crt and tls.key.
type Names struct{ Cert, Key string }

// Parse reads a pair. It must be one that clients can use: whole PEM, the
// server's own certificate first and the chain behind it in order, the key that
// belongs to it. The time is not judged: an expired certificate still encrypts.
// The error begins with the name of the part that is wrong, says what to do, and
// quotes nothing of the key.
func Parse(n Names, certPEM, keyPEM []byte) (tls.Certificate, error) {
	chain, err := parseChain(certPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", n.Cert, err)
	}
	if err := wholePEM(keyPEM); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", n.Key, err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, keyProblem(n, chain, keyPEM)
	}
	if err := serves(&cert); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", n.Cert, err)
	}
	return cert, nil
}

// serves refuses a key that no handshake would succeed with: one that TLS 1.3
// has no signature for (RFC 8446 §4.2.3), and short ones of RSA, which
// crypto/rsa refuses to sign with.
func serves(cert *tls.Certificate) error {
	all := &tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes: []tls.SignatureScheme{
			tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519,
			tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512,
		},
	}
	key, isRSA := cert.Leaf.PublicKey.(*rsa.PublicKey)
	if all.SupportsCertificate(cert) != nil || (isRSA && key.N.BitLen() < 1024) {
		return errors.New("its key is of a kind or size that TLS cannot use: take ECDSA P-256, Ed25519 or RSA of at least 2048 bits")
	}
	return nil
}

// wholePEM refuses what was caught while it was being written.
func wholePEM(data []byte) error {
	block, rest := pem.Decode(data)
	if block == nil {
		return errors.New("holds no PEM block: it must begin with -----BEGIN")
	}
	for block != nil {
		data = rest
		block, rest = pem.Decode(data)
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return errors.New("the last PEM block is cut off: write it whole, a file best by renaming it into place")
	}
	return nil
}

func parseChain(certPEM []byte) ([]*x509.Certificate, error) {
	if err := wholePEM(certPEM); err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(chain)+1, err)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("holds no certificate: it needs one behind -----BEGIN CERTIFICATE-----")
	}
	return chain, checkChain(chain)
}

func checkChain(chain []*x509.Certificate) error {
	leaf := chain[0]
	if len(leaf.ExtKeyUsage) > 0 &&
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) &&
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return errors.New("the certificate is not for servers: ask for one with the extended key usage serverAuth")
	}
	for i := 1; i < len(chain); i++ {
		if err := chain[i-1].CheckSignatureFrom(chain[i]); err != nil {
			return fmt.Errorf("certificate %d did not sign the one before it: put the server's own certificate first, then each issuer in order", i+1)
		}
	}
	return nil
}

// keyProblem finds out why the parts do not fit together. crypto/tls's own
// words are kept out: they could quote the key.
func keyProblem(n Names, chain []*x509.Certificate, keyPEM []byte) error {
	for i, other := range chain[1:] {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw})
		if _, err := tls.X509KeyPair(block, keyPEM); err == nil {
			return fmt.Errorf("%s: the key in %s belongs to certificate %d: put the server's own certificate first", n.Cert, n.Key, i+2)
		}
	}
	if !holdsPrivateKey(keyPEM) {
		return fmt.Errorf("%s: holds no private key that can be used: give one without a passphrase, as PKCS #8, PKCS #1 or SEC 1", n.Key)
	}
	return fmt.Errorf("%s: the key does not belong to the certificate in %s: replace both together", n.Key, n.Cert)
}

func holdsPrivateKey(keyPEM []byte) bool {
	for block, rest := pem.Decode(keyPEM); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			_, ok := key.(crypto.Signer)
			return ok
		}
		if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return true
		}
		if _, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return true
		}
	}
	return false
}

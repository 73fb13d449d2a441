package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// maxFileSize bounds what is read of a PEM file, in bytes: a chain has a few KiB.
const maxFileSize = 1 << 20

// Pair is a certificate chain and its private key, read from their files and
// found to fit. It is immutable.
type Pair struct {
	name     string // of the certificate's file, as config.NameOf tells it
	hash     string // config.Hash of the certificate's file
	identity string // config.Hash of both files' hashes
	cert     tls.Certificate
}

// LoadPair reads a pair, dir being the directory of the configuration. It must
// be one that clients can use: whole PEM files, the server's own certificate
// first and the chain behind it in order, the key that belongs to it. The time
// is not judged: an expired certificate still encrypts. The error says which
// file is wrong and what to do, and quotes nothing of it.
func LoadPair(dir string, c config.Certificate) (*Pair, error) {
	certPEM, err := readFile(dir, c.CertFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readFile(dir, c.KeyFile)
	if err != nil {
		return nil, err
	}
	chain, err := parseChain(certPEM)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.NameOf(dir, c.CertFile), err)
	}
	if err := wholePEM(keyPEM); err != nil {
		return nil, fmt.Errorf("%s: %w", config.NameOf(dir, c.KeyFile), err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, keyProblem(dir, c, chain, keyPEM)
	}
	hash := config.Hash(certPEM)
	return &Pair{
		name:     config.NameOf(dir, c.CertFile),
		hash:     hash,
		identity: config.Hash([]byte(hash + config.Hash(keyPEM))),
		cert:     cert,
	}, nil
}

// Certificate is what crypto/tls serves. It must not be changed.
func (p *Pair) Certificate() *tls.Certificate { return &p.cert }

func (p *Pair) status() config.CertificateStatus {
	return config.CertificateStatus{File: p.name, NotAfter: p.cert.Leaf.NotAfter, DNSNames: p.cert.Leaf.DNSNames}
}

func readFile(dir, file string) ([]byte, error) {
	path := config.Resolve(dir, file)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.NameOf(dir, file), errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileSize {
		return nil, fmt.Errorf("%s: must be a PEM file of at most %d bytes", config.NameOf(dir, file), maxFileSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.NameOf(dir, file), errors.Unwrap(err))
	}
	return data, nil
}

// wholePEM refuses a file that was caught while it was being written.
func wholePEM(data []byte) error {
	block, rest := pem.Decode(data)
	if block == nil {
		return errors.New("holds no PEM block: give a file that begins with -----BEGIN")
	}
	for block != nil {
		data = rest
		block, rest = pem.Decode(data)
	}
	if bytes.Contains(data, []byte("-----BEGIN")) {
		return errors.New("the last PEM block is cut off: write the file whole, best by renaming it into place")
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
		return nil, errors.New("holds no certificate: give a file with -----BEGIN CERTIFICATE-----")
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

// keyProblem finds out why the files do not fit together. crypto/tls's own
// words are kept out: they could quote the key's file.
func keyProblem(dir string, c config.Certificate, chain []*x509.Certificate, keyPEM []byte) error {
	certFile, keyFile := config.NameOf(dir, c.CertFile), config.NameOf(dir, c.KeyFile)
	for i, other := range chain[1:] {
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw})
		if _, err := tls.X509KeyPair(block, keyPEM); err == nil {
			return fmt.Errorf("%s: the key in %s belongs to certificate %d: put the server's own certificate first", certFile, keyFile, i+2)
		}
	}
	if !holdsPrivateKey(keyPEM) {
		return fmt.Errorf("%s: holds no private key that can be used: give one without a passphrase, as PKCS #8, PKCS #1 or SEC 1", keyFile)
	}
	return fmt.Errorf("%s: the key does not belong to the certificate in %s: replace both files together", keyFile, certFile)
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

package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/readfile"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf/pair"
)

// maxFileSize bounds what is read of a PEM file, in bytes: a chain has a few KiB.
const maxFileSize = 1 << 20

// Pair is a certificate chain and its private key, read from their files and
// found to fit. It is immutable, but for its staple.
type Pair struct {
	name     string // of the certificate's file, as config.NameOf tells it
	hash     string // config.Hash of the certificate's file
	identity string // config.Hash of both files' hashes
	cert     tls.Certificate
	stapled  atomic.Pointer[stapled]
}

// stapled is a certificate with an answer about it that is good for a while.
type stapled struct {
	cert  *tls.Certificate
	until time.Time
}

// staple adds a DER-encoded OCSP response, until its time is over.
func (p *Pair) staple(response []byte, until time.Time) {
	cert := p.cert
	cert.OCSPStaple = response
	p.stapled.Store(&stapled{&cert, until})
}

func (p *Pair) unstaple() { p.stapled.Store(nil) }

// shown is the certificate as clients are shown it at that time.
func (p *Pair) shown(now time.Time) *tls.Certificate {
	if s := p.stapled.Load(); s != nil && now.Before(s.until) {
		return s.cert
	}
	return &p.cert
}

// LoadPair reads a pair, dir being the directory of the configuration. It must
// be one that clients can use, as package pair judges it. The error says which
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
	names := pair.Names{Cert: config.NameOf(dir, c.CertFile), Key: config.NameOf(dir, c.KeyFile)}
	cert, err := pair.Parse(names, certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	hash := config.Hash(certPEM)
	return &Pair{
		name:     names.Cert,
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
	data, err := readfile.Regular(config.Resolve(dir, file), maxFileSize)
	if err == nil {
		return data, nil
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return nil, fmt.Errorf("%s: %w", config.NameOf(dir, file), p.Err)
	}
	return nil, fmt.Errorf("%s: must be a PEM file of at most %d bytes", config.NameOf(dir, file), maxFileSize)
}

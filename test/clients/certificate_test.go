package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// serverName is a name of the server's certificate that no resolver knows.
const serverName = "ftp.example.test"

// issuer is a CA that signs server certificates.
type issuer struct {
	key *ecdsa.PrivateKey
	ca  *x509.Certificate
}

// pki writes a CA and a server certificate of it, as PEM files into dir: ca.crt,
// tls.crt and tls.key.
func pki(t *testing.T, dir string) *issuer {
	t.Helper()
	ca := certificateTemplate(1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	ca.Subject = pkix.Name{CommonName: "test CA"}
	i := &issuer{key: newKey(t), ca: ca}
	writePEM(t, filepath.Join(dir, "ca.crt"), "CERTIFICATE", sign(t, ca, ca, i.key, i.key))
	i.issue(t, dir, 2)
	return i
}

// issue writes a new server certificate and its key in the place of those before.
func (i *issuer) issue(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, leaf := newKey(t), certificateTemplate(serial)
	leaf.DNSNames, leaf.IPAddresses = []string{serverName}, []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "tls.crt"), "CERTIFICATE", sign(t, leaf, i.ca, key, i.key))
	writePEM(t, filepath.Join(dir, "tls.key"), "PRIVATE KEY", keyDER)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificateTemplate(serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

func sign(t *testing.T, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	must(t, os.Rename(path+".new", path))
}

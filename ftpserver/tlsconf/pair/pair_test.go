package pair_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf/pair"
)

var names = pair.Names{Cert: "tls.crt", Key: "tls.key"}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// selfSigned is a certificate and its key, in the form PKCS #8.
func selfSigned(t *testing.T, key any, public any) (cert, private string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"a.example.com"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0), // expired long ago
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}

func TestEveryKindOfKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	ecCert, ecKey := selfSigned(t, ec, ec.Public())
	rsaCert, rsaPKCS8 := selfSigned(t, rsaKey, rsaKey.Public())
	edCert, edKey := selfSigned(t, ed, public)
	for name, tc := range map[string]struct{ cert, key string }{
		"ECDSA":       {ecCert, ecKey},
		"SEC 1":       {ecCert, encode("EC PRIVATE KEY", sec1)},
		"RSA":         {rsaCert, rsaPKCS8},
		"PKCS #1":     {rsaCert, encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		"Ed25519":     {edCert, edKey},
		"no line end": {strings.TrimSpace(ecCert), strings.TrimSpace(ecKey)},
	} {
		t.Run(name, func(t *testing.T) {
			cert, err := pair.Parse(names, []byte(tc.cert), []byte(tc.key))
			if err != nil {
				t.Fatal(err)
			}
			if cert.Leaf == nil || cert.Leaf.DNSNames[0] != "a.example.com" {
				t.Errorf("the certificate is %v", cert.Leaf)
			}
		})
	}
	if _, err := pair.Parse(names, []byte(ecCert), []byte(rsaPKCS8)); err == nil || !strings.Contains(err.Error(), "tls.key: the key does not belong to the certificate in tls.crt") {
		t.Errorf("the key of another: %v", err)
	}
}

// A key that every handshake would fail with is told of before.
func TestKeysThatTLSCannotUse(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // to make one at all
	ec, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"P-224": ec, "RSA of 768 bits": short} {
		cert, private := selfSigned(t, key, key.Public())
		if _, err := pair.Parse(names, []byte(cert), []byte(private)); err == nil || !strings.Contains(err.Error(), "tls.crt: its key is of a kind or size that TLS cannot use") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is wrong, no message holds a part of the key, wherever it was put.
func TestNoMessageQuotesTheKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := selfSigned(t, ec, ec.Public())
	block, _ := pem.Decode([]byte(key))
	body := strings.Join(strings.Split(key, "\n")[1:3], "")
	disguised := encode("CERTIFICATE", block.Bytes)
	for name, tc := range map[string]struct{ cert, key string }{
		"exchanged":            {key, cert},
		"key in both":          {key, key},
		"key as a certificate": {disguised, key},
		"behind a certificate": {cert + disguised, key},
		"cut off":              {cert, key[:len(key)-30]},
		"two cut off":          {cert, key + key[:len(key)-30]},
		"no PEM":               {cert, body},
		"unknown kind":         {cert, encode("SECRET", block.Bytes)},
		"half a key":           {cert, encode("PRIVATE KEY", block.Bytes[:40])},
		"headers":              {cert, "-----BEGIN PRIVATE KEY-----\n" + body + ": " + body + "\n\n" + body + "\n-----END PRIVATE KEY-----\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pair.Parse(names, []byte(tc.cert), []byte(tc.key))
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.HasPrefix(err.Error(), "tls.crt: ") && !strings.HasPrefix(err.Error(), "tls.key: ") {
				t.Errorf("the message names no part: %v", err)
			}
			for i := 0; i+8 <= len(body); i++ {
				if strings.Contains(err.Error(), body[i:i+8]) {
					t.Fatalf("the message quotes the key: %v", err)
				}
			}
		})
	}
}

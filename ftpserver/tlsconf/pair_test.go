package tlsconf

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestLoadPairTakesWholeChains(t *testing.T) {
	root := authority(t, nil)
	middle := authority(t, &root)
	leaf := issue(t, &middle, nil, "ftp.example.com")
	selfSigned := authority(t, nil) // what openssl req -x509 makes is marked as a CA's
	sec1 := "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

	tests := map[string]struct{ cert, key string }{
		"leaf alone":           {leaf.certPEM(), leaf.keyPEM(t)},
		"leaf and issuer":      {leaf.certPEM() + middle.certPEM(), leaf.keyPEM(t)},
		"all up to the root":   {leaf.certPEM() + middle.certPEM() + root.certPEM(), leaf.keyPEM(t)},
		"self-signed":          {selfSigned.certPEM(), selfSigned.keyPEM(t)},
		"comments":             {"subject=x\n" + leaf.certPEM() + "\nend\n", leaf.keyPEM(t)},
		"parameters first":     {leaf.certPEM(), sec1 + leaf.keyPEM(t)},
		"key in the same file": {leaf.certPEM() + leaf.keyPEM(t), leaf.certPEM() + leaf.keyPEM(t)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "tls.crt", tt.cert)
			write(t, dir, "tls.key", tt.key)
			if _, err := LoadPair(dir, config.Certificate{CertFile: "tls.crt", KeyFile: "tls.key"}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoadPairRefuses(t *testing.T) {
	root := authority(t, nil)
	middle := authority(t, &root)
	leaf := issue(t, &middle, nil, "ftp.example.com")
	other := issue(t, &root, nil)
	client := issue(t, &root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	cert, key := leaf.certPEM(), leaf.keyPEM(t)
	const absent = "absent"

	tests := map[string]struct{ cert, key, want string }{
		"no certificate file":  {absent, key, "tls.crt: no such file"},
		"no key file":          {cert, absent, "tls.key: no such file"},
		"empty certificate":    {"", key, "tls.crt: holds no PEM block"},
		"empty key":            {cert, "", "tls.key: holds no PEM block"},
		"cut-off certificate":  {cert[:len(cert)-40], key, "tls.crt: holds no PEM block"},
		"cut-off chain":        {cert + middle.certPEM()[:100], key, "tls.crt: the last PEM block is cut off"},
		"cut-off key":          {cert, key[:len(key)-40], "tls.key: holds no PEM block"},
		"key as certificate":   {key, key, "tls.crt: holds no certificate"},
		"certificate as key":   {cert, cert, "tls.key: holds no private key"},
		"rotten certificate":   {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "tls.crt: certificate 1: "},
		"key of another":       {cert, other.keyPEM(t), "tls.key: the key does not belong to the certificate in tls.crt: replace both"},
		"issuer first":         {middle.certPEM() + cert, key, "tls.crt: certificate 2 did not sign the one before it"},
		"wrong issuer":         {cert + root.certPEM(), key, "tls.crt: certificate 2 did not sign"},
		"key of the issuer":    {cert + middle.certPEM(), middle.keyPEM(t), "tls.crt: the key in tls.key belongs to certificate 2"},
		"client's certificate": {client.certPEM(), client.keyPEM(t), "tls.crt: the certificate is not for servers"},
		"key with passphrase":  {cert, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "without a passphrase"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{"tls.crt": tt.cert, "tls.key": tt.key} {
				if content != absent {
					write(t, dir, file, content)
				}
			}
			_, err := LoadPair(dir, config.Certificate{CertFile: "tls.crt", KeyFile: "tls.key"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLoadPairReadsRegularFilesOfModestSize(t *testing.T) {
	dir := t.TempDir()
	pair := issue(t, nil, nil).writePair(t, dir, "tls")
	write(t, dir, "tls.key", strings.Repeat("\n", maxFileSize+1))
	if _, err := LoadPair(dir, pair); err == nil || !strings.Contains(err.Error(), "tls.key: must be a PEM file of at most") {
		t.Errorf("huge file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "tls.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tls.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPair(dir, pair); err == nil || !strings.Contains(err.Error(), "tls.key: must be a PEM file") {
		t.Errorf("directory: %v", err)
	}
}

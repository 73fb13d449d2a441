package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestDataProtection: who may log in in clear is one question, and which data
// connections a secured session may have is another.
func TestDataProtection(t *testing.T) {
	const refused, allowed = "521", "150"
	for name, tt := range map[string]struct {
		mode                  config.TLSMode
		protection            config.DataProtection
		clearLogin            string
		clear, noPROT, atPROT string // RETR in a session in clear; in a secured one before PROT; the reply to PROT C
	}{
		"Required":             {config.TLSRequired, "", "530", "", refused, "534"},
		"Required, but PROT C": {config.TLSRequired, config.DataProtectionOptional, "530", "", allowed, "200"},
		"Optional":             {config.TLSOptional, "", "331", allowed, allowed, "200"},
		"Optional, no PROT C":  {config.TLSOptional, config.DataProtectionRequired, "331", allowed, refused, "534"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { c.TLS.Mode, c.TLS.DataProtection = tt.mode, tt.protection })
			b.file("file", "content")
			b.connect().do("USER alice", tt.clearLogin)
			if tt.clear != "" {
				c := b.login()
				c.open()
				c.do("RETR file", tt.clear)
			}
			c := b.connect()
			c.do("AUTH TLS", "234")
			c.handshake()
			c.login()
			c.open()
			c.do("RETR file", tt.noPROT)
			if tt.noPROT == allowed {
				c.expect("226")
			}
			c.do("PBSZ 0", "200")
			c.do("PROT C", tt.atPROT)
			c.do("PROT P", "200")
			c.protect = true
			if got, _ := c.download("RETR file"); got != "content" {
				t.Errorf("protected: %q", got)
			}
		})
	}
}

// TestDataProtectionFollows: what is tightened holds for the next transfer of a
// session that is there.
func TestDataProtectionFollows(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "content")
	c := b.loginTLS()
	c.do("PROT C", "200")
	c.protect = false
	if got, _ := c.download("RETR file"); got != "content" {
		t.Fatalf("%q", got)
	}
	b.reload(func(c *config.Config) { c.TLS.DataProtection = config.DataProtectionRequired })
	c.open()
	c.do("RETR file", "521 This server needs secured data connections")
	c.do("PROT P", "200")
	c.protect = true
	if got, _ := c.download("RETR file"); got != "content" {
		t.Errorf("%q", got)
	}
}

// TestCertificatesChangeUnderSessions: what is there goes on with the old one;
// what comes is shown the new one, on data connections too.
func TestCertificatesChangeUnderSessions(t *testing.T) {
	b := newBench(t, required)
	idle, busy := b.loginTLS(), b.loginTLS()
	data := busy.begin("STOR file")
	_, err := io.WriteString(data, "begun ")
	must(t, err)

	renewed := issue(t, nil, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
	next := renewed.write(t, t.TempDir(), "next")
	for from, to := range map[string]string{next.CertFile: b.config.TLS.Certificates[0].CertFile, next.KeyFile: b.config.TLS.Certificates[0].KeyFile} {
		data, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(to, data, 0o600))
	}
	must(t, b.source.Reload())

	_, err = io.WriteString(data, "and ended")
	must(t, err)
	must(t, data.Close())
	busy.expect("226")
	if got := b.content("file"); got != "begun and ended" {
		t.Errorf("the file holds %q", got)
	}
	idle.do("NOOP", "200")
	conn := idle.open()
	idle.do("RETR file", "150")
	roots := x509.NewCertPool()
	roots.AddCert(renewed.cert)
	b.roots = roots // whoever verifies with it sees the new one
	secured := tls.Client(conn, b.clientTLS())
	must(t, secured.Handshake())
	_, err = io.ReadAll(secured)
	must(t, err)
	idle.expect("226")
	b.loginTLS().do("NOOP", "200")
}

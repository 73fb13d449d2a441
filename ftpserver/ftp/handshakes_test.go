package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestHandshakesAreBounded: one more ends the oldest, on control and implicit
// connections alike, and those that lead somewhere are served. Strangers end none
// on the data connection of a session.
func TestHandshakesAreBounded(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		implicit(c)
		c.Limits.Handshakes, c.Limits.HandshakeTimeout, c.Limits.LoginTimeout = 3, time.Hour, time.Hour
	})
	inProgress := func(n int) {
		t.Helper()
		eventually(t, "handshakes are in progress", func() bool {
			b.server.handshakes.mu.Lock()
			defer b.server.handshakes.mu.Unlock()
			return b.server.handshakes.running.Len() == n
		})
	}
	auth := func() *client {
		t.Helper()
		c := b.connect()
		c.do("AUTH TLS", "234")
		return c
	}
	session := b.loginTLS()
	inProgress(0)
	oldest := auth()
	inProgress(1)
	silent, err := net.Dial("tcp", b.implicit)
	must(t, err)
	defer func() { _ = silent.Close() }()
	inProgress(2)
	data := session.open()
	third := auth()
	inProgress(3)

	fourth := auth()
	oldest.ended()
	eventually(t, "the log tells why", func() bool { return b.log.logged("TLS handshake failed", "limits.handshakes") })
	fifth := auth()
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if _, err := silent.Read(make([]byte, 1)); err == nil || errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
		t.Errorf("the implicit one goes on: %v", err)
	}
	session.do("STOR early", "150")
	secured := session.wrap(data)
	must(t, secured.Close())
	session.expect("226")

	for _, c := range []*client{third, fourth, fifth} {
		c.handshake()
		c.do("NOOP", "200")
	}
	inProgress(0)
	if got := session.upload("STOR file", "content"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
}

// TestDataHandshakesAreBounded: those of sessions among themselves.
func TestDataHandshakesAreBounded(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.Handshakes = 1 })
	one, two := b.loginTLS(), b.loginTLS()
	oldest := one.open()
	eventually(t, "the handshake is in progress", func() bool {
		b.server.ownHandshakes.mu.Lock()
		defer b.server.ownHandshakes.mu.Unlock()
		return b.server.ownHandshakes.running.Len() == 1
	})
	newest := two.open()
	if _, err := io.ReadAll(oldest); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the oldest goes on: %v", err)
	}
	one.do("STOR file", "150")
	one.expect("425 The data connection could not be secured")
	two.do("STOR file", "150")
	must(t, two.wrap(newest).Close())
	two.expect("226")
}

// TestHandshakeTimeout: on data connections it counts from when both command and
// connection are there.
func TestHandshakeTimeout(t *testing.T) {
	b := newBench(t, nil)
	c := b.loginTLS()
	b.reload(func(c *config.Config) { c.Limits.HandshakeTimeout = time.Second })
	c.open()
	c.do("STOR file", "150")
	c.expect("425 The data connection could not be secured")
	c.do("NOOP", "200")
	silent := b.connect()
	silent.do("AUTH TLS", "234")
	silent.ended()
}

// TestReloadInAHandshake: new limits don't cut a handshake that goes on.
func TestReloadInAHandshake(t *testing.T) {
	b := newBench(t, nil)
	c := b.connect()
	c.do("AUTH TLS", "234")
	<-time.After(sleepAfter + pace) // as long as an idle session is awake
	b.reload(func(c *config.Config) { c.Limits.IdleTimeout = 2 * config.DefaultIdleTimeout })
	c.handshake()
	c.do("SYST", "215")
}

// TestHandshakeFailures: the log says what whoever runs the server can do. This
// holds us to the words of crypto/tls, which promises none.
func TestHandshakeFailures(t *testing.T) {
	authority := issueAuthority(t, "clients")
	foreign := issueClient(t, issueAuthority(t, "others"), "alice").shown()
	ofServers := issue(t, &authority, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }).shown()
	always := func(c tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
	for name, tt := range map[string]struct {
		client func(*tls.Config)
		asks   config.ClientCertificateMode
		advice string
	}{
		"old": {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, "", "The client is too old"},
		"CBC": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}, "", "no cipher suite with forward secrecy"},
		"HTTP":        {func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, "", "does not mean FTP"},
		"data":        {func(c *tls.Config) { c.NextProtos = []string{"ftp-data"} }, "", "does not mean FTP"},
		"distrusts":   {func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, "", "it must know the authority"},
		"other name":  {func(c *tls.Config) { c.ServerName = "ftp.example.com" }, "", "refuses the server's certificate"},
		"no client's": {func(*tls.Config) {}, config.ClientCertificatesRequired, "showed no certificate"},
		"foreign":     {func(c *tls.Config) { c.GetClientCertificate = always(foreign) }, config.ClientCertificatesOptional, "client's certificate can't be verified"},
		"a server's":  {func(c *tls.Config) { c.GetClientCertificate = always(ofServers) }, config.ClientCertificatesRequired, "client's certificate can't be verified"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				required(c)
				if tt.asks != "" {
					c.TLS.ClientCertificates = config.ClientCertificates{Mode: tt.asks, CAFile: authority.write(t, t.TempDir(), "ca").CertFile}
				}
			})
			c := b.connect()
			c.do("AUTH TLS", "234")
			cfg := b.clientTLS()
			tt.client(cfg)
			conn := tls.Client(c.raw, cfg)
			_ = c.raw.SetDeadline(time.Now().Add(patience))
			err := conn.Handshake()
			if err == nil {
				_, err = conn.Read(make([]byte, 1)) // in TLS 1.3, the server judges after the client
			}
			if err == nil {
				t.Fatal("the handshake succeeded")
			}
			_ = c.raw.Close()
			eventually(t, "the log says why", func() bool { return b.log.logged("TLS handshake failed", tt.advice) })
			if strings.Contains(b.log.String(), "see the error") {
				t.Error("the failure was not understood")
			}
		})
	}
}

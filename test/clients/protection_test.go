package clients

import (
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestRequiredTLS: where TLS is required, nothing goes in clear: no password,
// no file.
func TestRequiredTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSRequired, nil)
	s.start()
	local := randomFile(t, 1000)

	c := s.dial(t, 220)
	c.command(530, "USER alice")
	c.command(503, "PASS "+password)
	s.secure(c, false)
	c.command(331, "USER alice")
	c.command(230, "PASS "+password)
	c.command(534, "PROT C")
	c.command(229, "EPSV")
	c.command(521, "STOR file") // without PROT P
	c.command(521, "LIST")
	c.command(200, "PROT P")
	c.command(534, "PROT C")
	c.command(534, "prot c")

	for _, client := range ftpclient.All() {
		target := s.target()
		plain := ftpclient.Connection{Client: client, Target: target}
		if err := plain.Upload(soon(t), local, "/plain"); err == nil {
			t.Errorf("%s: an upload in clear was accepted", client.Name())
		}
		target.TLS = ftpclient.TLS13
		secured := ftpclient.Connection{Client: client, Target: target}
		must(t, secured.Upload(soon(t), local, "/secured"))
		sameContent(t, s.home("alice", "secured"), local)
	}
	if exists(s.home("alice", "plain")) {
		t.Error("a file came in clear")
	}
}

// TestCertificates: the clients of these tests do verify certificates, so that
// what they say of a server's counts.
func TestCertificates(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	stranger := t.TempDir()
	pki(t, stranger)
	local := randomFile(t, 1000)
	for _, client := range ftpclient.All() {
		t.Run(client.Name(), func(t *testing.T) {
			target := s.target()
			target.TLS, target.ServerName = ftpclient.TLS13, serverName
			must(t, ftpclient.Connection{Client: client, Target: target}.Upload(soon(t), local, "/named"))

			target.CAFile = stranger + "/ca.crt"
			refused(t, client, target, local)
			target = s.target()
			target.TLS, target.ServerName = ftpclient.TLS13, "other.example.test"
			if client.Name() != "lftp" { // has no option for the name
				refused(t, client, target, local)
			}
		})
	}
}

func refused(t *testing.T, client ftpclient.Client, target ftpclient.Target, local string) {
	t.Helper()
	if err := (ftpclient.Connection{Client: client, Target: target}).Upload(soon(t), local, "/refused"); err == nil {
		t.Errorf("%s accepts the certificate of %s under %s", client.Name(), target.ServerName, target.CAFile)
	}
}

// TestMinimumVersion: a client that only knows TLS 1.2 is turned away where 1.3
// is the least.
func TestMinimumVersion(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.TLS.MinVersion = "1.3" })
	s.start()
	target := s.target()
	target.TLS = ftpclient.TLS12
	refused(t, ftpclient.Curl{}, target, randomFile(t, 10))
	target.TLS = ftpclient.TLS13
	must(t, ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}.Upload(soon(t), randomFile(t, 10), "/file"))
}

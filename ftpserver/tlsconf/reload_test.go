package tlsconf

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// reload reads the files of the configuration anew, as a running server does.
func (s *served) reload(t *testing.T, c config.TLS) []config.FileStatus {
	t.Helper()
	set, files := s.current.Load().Reload(s.dir, c)
	s.current.Store(set)
	return files
}

// shown is the certificate that a client sees which asks for a name, or for
// none.
func (s *served) shown(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	state, err := s.dial(t, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0]
}

// Certificates are chosen by name, in the order of the configuration; each is
// exchanged for itself, and one that breaks goes on as it was.
func TestCertificatesAreChosenByNameOverReloads(t *testing.T) {
	public, wild := issue(t, nil, nil, "ftp.example.com"), issue(t, nil, nil, "*.partners.example.com", "ftp.example.com")
	own := issue(t, nil, nil, "files.shop.svc")
	s := serve(t, "1.2", map[string]issued{"public": public, "wild": wild, "own": own}, "public", "wild", "own")
	c := config.TLS{Mode: config.TLSRequired, MinVersion: "1.2"}
	for _, name := range []string{"public", "wild", "own"} {
		c.Certificates = append(c.Certificates, config.Certificate{CertFile: name + ".crt", KeyFile: name + ".key"})
	}
	sees := func(what string, want map[string]issued) {
		t.Helper()
		for name, cert := range want {
			if got := s.shown(t, name); !got.Equal(cert.cert) {
				t.Errorf("%s: a client of %q is shown the one of %v", what, name, got.DNSNames)
			}
		}
	}
	sees("at first", map[string]issued{
		"ftp.example.com": public, "a.partners.example.com": wild, "files.shop.svc": own,
		"": public, "unknown.example.com": public, "a.b.partners.example.com": public,
	})

	renewed := issue(t, nil, nil, "*.partners.example.com")
	write(t, s.dir, "public.key", renewed.keyPEM(t)) // half of a new pair
	renewed.writePair(t, s.dir, "wild")
	files := s.reload(t, c)
	if files[0].Error == "" || files[0].Hash != config.Hash([]byte(public.certPEM())) {
		t.Errorf("the broken one is told as %+v", files[0])
	}
	if files[1].Error != "" || files[1].Hash != config.Hash([]byte(renewed.certPEM())) || files[2].Error != "" {
		t.Errorf("the others are told as %+v", files[1:])
	}
	sees("with one broken", map[string]issued{"ftp.example.com": public, "": public, "a.partners.example.com": renewed, "files.shop.svc": own})

	c.Certificates = []config.Certificate{c.Certificates[1], c.Certificates[2]}
	s.reload(t, c)
	sees("without the first", map[string]issued{"ftp.example.com": renewed, "": renewed, "files.shop.svc": own})
}

// A connection that is there goes on over a reload, in both directions.
func TestConnectionsGoOnOverAReload(t *testing.T) {
	old, renewed := issue(t, nil, nil, "a.example.com"), issue(t, nil, nil, "a.example.com")
	s := serve(t, "1.2", map[string]issued{"a": old}, "a")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		server := tls.Server(conn, s.config)
		for lines := bufio.NewScanner(server); lines.Scan(); {
			if _, err := server.Write([]byte(lines.Text() + "\n")); err != nil {
				return
			}
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{ServerName: "a.example.com", RootCAs: trusting(old)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	says := func(line string) {
		t.Helper()
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if got, err := answers.ReadString('\n'); got != line {
			t.Fatalf("answered %q, %v", got, err)
		}
	}
	says("before\n")
	s.swap(t, "1.3", map[string]issued{"a": renewed}, "a")
	if got := s.shown(t, "a.example.com"); !got.Equal(renewed.cert) {
		t.Error("the new certificate is not shown")
	}
	says("after\n")
}

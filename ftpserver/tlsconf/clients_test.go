package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestMatchesClient(t *testing.T) {
	cert := issue(t, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "alice", Organization: []string{"bob"}}
		c.EmailAddresses = []string{"other@example.com", "Alice@Example.com"}
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/alice"}}
	}, "carol").cert
	sum := sha256.Sum256(cert.Raw)
	print := hex.EncodeToString(sum[:])
	for name, tt := range map[string]struct {
		known config.ClientCertificate
		want  bool
	}{
		"name":             {config.ClientCertificate{CommonName: "alice"}, true},
		"name in capitals": {config.ClientCertificate{CommonName: "Alice"}, false},
		"part of the name": {config.ClientCertificate{CommonName: "ali"}, false},
		"an organization":  {config.ClientCertificate{CommonName: "bob"}, false},
		"a DNS name":       {config.ClientCertificate{CommonName: "carol"}, false},
		"email":            {config.ClientCertificate{Email: "Alice@example.COM"}, true},
		"email in lower":   {config.ClientCertificate{Email: "alice@example.com"}, false},
		"no email":         {config.ClientCertificate{Email: "alice"}, false},
		"URI":              {config.ClientCertificate{URI: "spiffe://example.com/alice"}, true},
		"longer URI":       {config.ClientCertificate{URI: "spiffe://example.com/alice/x"}, false},
		"fingerprint":      {config.ClientCertificate{SHA256: strings.ToUpper(print)}, true},
		"other print":      {config.ClientCertificate{SHA256: strings.Repeat("0", 64)}, false},
		"nothing":          {config.ClientCertificate{}, false},
	} {
		if got := MatchesClient([]config.ClientCertificate{{CommonName: "x"}, tt.known}, cert); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if MatchesClient(nil, cert) {
		t.Error("nobody's certificate is somebody's")
	}
}

func TestAuthoritiesAreJudged(t *testing.T) {
	ca, other := authority(t, nil), authority(t, nil)
	leaf := issue(t, &ca, nil)
	for name, tt := range map[string]struct{ content, want string }{
		"one":         {ca.certPEM(), ""},
		"two":         {"the first\n" + ca.certPEM() + "\nthe second\n" + other.certPEM() + "\n", ""},
		"nothing":     {"", "holds no certificate"},
		"a key":       {ca.certPEM() + ca.keyPEM(t), `holds a PEM block "PRIVATE KEY": it must hold certificates of authorities only`},
		"cut off":     {ca.certPEM() + other.certPEM()[:100], "the last PEM block is cut off"},
		"no CA":       {ca.certPEM() + leaf.certPEM(), "certificate 2 is no authority's"},
		"rotten":      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1: "},
		"a CRL":       {"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", `holds a PEM block "X509 CRL"`},
		"key by name": {"-----BEGIN " + strings.Repeat("A", 100) + "-----\nAAAA\n-----END " + strings.Repeat("A", 100) + "-----\n", strings.Repeat("A", 40) + `"`},
	} {
		_, err := parseAuthorities([]byte(tt.content))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzAuthorities: what a file may hold while it is being written.
func FuzzAuthorities(f *testing.F) {
	ca := authority(f, nil)
	f.Add([]byte(ca.certPEM()))
	f.Add([]byte(ca.certPEM() + ca.keyPEM(f)))
	f.Add([]byte(ca.certPEM()[:200]))
	f.Fuzz(func(t *testing.T, data []byte) {
		if pool, err := parseAuthorities(data); err == nil && pool.Equal(x509.NewCertPool()) {
			t.Error("taken, and empty")
		}
	})
}

func TestTrustsClient(t *testing.T) {
	ca := authority(t, nil)
	middle := authority(t, &ca)
	ofClients := func(by issued) issued {
		return issue(t, &by, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	}
	good, below := ofClients(ca), ofClients(middle)
	expired := issue(t, &ca, func(c *x509.Certificate) {
		c.ExtKeyUsage, c.NotAfter = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, time.Now().Add(-time.Minute)
	})
	pool, err := parseAuthorities([]byte(ca.certPEM()))
	if err != nil {
		t.Fatal(err)
	}
	s := &Set{settings: settings{clients: &clientCAs{config: config.ClientCertificates{Mode: config.ClientCertificatesOptional}, pool: pool}}}
	for name, tt := range map[string]struct {
		set   *Set
		chain []*x509.Certificate
		want  bool
	}{
		"good":        {s, []*x509.Certificate{good.cert}, true},
		"by a middle": {s, []*x509.Certificate{below.cert, middle.cert}, true},
		"no middle":   {s, []*x509.Certificate{below.cert}, false},
		"a server's":  {s, []*x509.Certificate{issue(t, &ca, nil).cert}, false},
		"expired":     {s, []*x509.Certificate{expired.cert}, false},
		"nothing":     {s, nil, false},
		"not asked":   {&Set{}, []*x509.Certificate{good.cert}, false},
		"no TLS":      {nil, []*x509.Certificate{good.cert}, false},
	} {
		if got := tt.set.TrustsClient(tt.chain); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestResumesWithAClientCertificate on a data connection, also where it is not
// known yet whose it is; one that shows nothing is refused where something must be
// shown.
func TestResumesWithAClientCertificate(t *testing.T) {
	ca := authority(t, nil)
	who := issue(t, &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	server := issue(t, nil, nil, "a.example.com")
	s := &served{dir: t.TempDir()}
	s.config = ServerConfig(s.current.Load)
	write(t, s.dir, "clients.crt", ca.certPEM())
	c := config.TLS{Mode: config.TLSRequired, MinVersion: "1.2", Certificates: []config.Certificate{server.writePair(t, s.dir, "a")}}
	c.ClientCertificates = config.ClientCertificates{Mode: config.ClientCertificatesOptional, CAFile: "clients.crt"}
	s.reload(t, c)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		bare := &tls.Config{ServerName: "a.example.com", InsecureSkipVerify: true, MaxVersion: version}
		client := bare.Clone()
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		client.Certificates = []tls.Certificate{{Certificate: [][]byte{who.cert.Raw}, PrivateKey: who.key}}
		if _, err := s.dial(t, client); err != nil {
			t.Fatal(err)
		}
		for name, about := range map[string]Connection{"unknown": {Data: true}, "its session's": {Data: true, Client: who.cert}} {
			state, err := s.shake(t, about, client)
			if err != nil || !state.DidResume || !state.PeerCertificates[0].Equal(who.cert) {
				t.Errorf("%x, %s: resumed %v, %v", version, name, state.DidResume, err)
			}
		}
		if _, err := s.shake(t, Connection{Data: true, Client: who.cert}, bare); err == nil || !strings.Contains(err.Error(), "didn't provide a certificate") {
			t.Errorf("%x: nothing shown: %v", version, err)
		}
		if _, err := s.shake(t, Connection{Data: true}, bare); err != nil {
			t.Errorf("%x: nothing shown, and nothing needed: %v", version, err)
		}
	}
}

package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// served is a set that can be swapped, behind one configuration.
type served struct {
	dir     string
	current atomic.Pointer[Set]
	config  *tls.Config
}

func serve(t testing.TB, minVersion string, certs map[string]issued, order ...string) *served {
	t.Helper()
	s := &served{dir: t.TempDir()}
	s.config = ServerConfig(s.current.Load)
	s.swap(t, minVersion, certs, order...)
	return s
}

func (s *served) swap(t testing.TB, minVersion string, certs map[string]issued, order ...string) {
	t.Helper()
	c := config.TLS{Mode: config.TLSRequired, MinVersion: minVersion}
	for _, name := range order {
		c.Certificates = append(c.Certificates, certs[name].writePair(t, s.dir, name))
	}
	set, _, err := LoadSet(s.dir, c)
	if err != nil {
		t.Fatal(err)
	}
	s.current.Store(set)
}

// dial shakes hands over TCP and reads a byte, so that a client of TLS 1.3 has
// its session ticket.
func (s *served) dial(t testing.TB, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.answer(listener)
	}()
	defer func() { <-done }()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", listener.Addr().String(), client)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	// Where close_notify follows at once, it comes back with the byte.
	if n, err := conn.Read(make([]byte, 1)); n != 1 {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

func (s *served) answer(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	server := tls.Server(conn, s.config)
	if _, err := server.Write([]byte("x")); err == nil {
		_ = server.CloseWrite()
	}
}

func trusting(certs ...issued) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c.cert)
	}
	return pool
}

func TestHandshakes(t *testing.T) {
	a, b := issue(t, nil, nil, "a.example.com"), issue(t, nil, nil, "b.example.com")
	certs := map[string]issued{"a": a, "b": b}
	both, new13 := serve(t, "1.2", certs, "a", "b"), serve(t, "1.3", certs, "a")
	tests := map[string]struct {
		server  *served
		client  *tls.Config
		version uint16
		cert    issued
		want    string // of the error
	}{
		"newest":             {both, &tls.Config{ServerName: "a.example.com"}, tls.VersionTLS13, a, ""},
		"TLS 1.2":            {both, &tls.Config{ServerName: "a.example.com", MaxVersion: tls.VersionTLS12}, tls.VersionTLS12, a, ""},
		"second by name":     {both, &tls.Config{ServerName: "b.example.com"}, tls.VersionTLS13, b, ""},
		"second in TLS 1.2":  {both, &tls.Config{ServerName: "b.example.com", MaxVersion: tls.VersionTLS12}, tls.VersionTLS12, b, ""},
		"no name":            {both, &tls.Config{InsecureSkipVerify: true}, tls.VersionTLS13, a, ""},
		"unknown name":       {both, &tls.Config{ServerName: "x.example.com", InsecureSkipVerify: true}, tls.VersionTLS13, a, ""},
		"ALPN":               {both, &tls.Config{ServerName: "a.example.com", NextProtos: []string{"h2", "ftp"}}, tls.VersionTLS13, a, ""},
		"foreign ALPN":       {both, &tls.Config{ServerName: "a.example.com", NextProtos: []string{"h2", "http/1.1"}}, 0, a, "no application protocol"},
		"below the minimum":  {new13, &tls.Config{ServerName: "a.example.com", MaxVersion: tls.VersionTLS12}, 0, a, "protocol version"},
		"at the minimum":     {new13, &tls.Config{ServerName: "a.example.com"}, tls.VersionTLS13, a, ""},
		"TLS 1.1":            {both, &tls.Config{ServerName: "a.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0, a, "protocol version"},
		"CBC":                {both, onlySuite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), 0, a, "handshake failure"},
		"AES-GCM in TLS 1.2": {both, onlySuite(tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384), tls.VersionTLS12, a, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.client.RootCAs = trusting(a, b)
			state, err := tt.server.dial(t, tt.client)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error = %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if state.Version != tt.version || !state.PeerCertificates[0].Equal(tt.cert.cert) {
				t.Errorf("version %x with %v, want %x with %v", state.Version, state.PeerCertificates[0].DNSNames, tt.version, tt.cert.cert.DNSNames)
			}
			if len(tt.client.NextProtos) > 0 && state.NegotiatedProtocol != "ftp" {
				t.Errorf("ALPN = %q", state.NegotiatedProtocol)
			}
		})
	}
}

func onlySuite(suite uint16) *tls.Config {
	return &tls.Config{ServerName: "a.example.com", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
}

// RFC 9325 §4.2: forward secrecy and authenticated encryption only.
func TestSuites(t *testing.T) {
	for _, suite := range cipherSuites {
		name := tls.CipherSuiteName(suite)
		aead := strings.Contains(name, "_GCM_") || strings.Contains(name, "_CHACHA20_")
		if !strings.Contains(name, "_ECDHE_") || !aead {
			t.Errorf("%s is not one of them", name)
		}
	}
}

// A reload changes what is served at the next handshake, and no client has to
// begin anew for it.
func TestSessionsResumeAcrossReloads(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			old, renewed := issue(t, nil, nil, "a.example.com"), issue(t, nil, nil, "a.example.com")
			s := serve(t, "1.2", map[string]issued{"a": old}, "a")
			client := &tls.Config{
				ServerName: "a.example.com", RootCAs: trusting(old, renewed), MaxVersion: version,
				ClientSessionCache: tls.NewLRUClientSessionCache(4),
			}
			if state, err := s.dial(t, client); err != nil || state.DidResume {
				t.Fatalf("first: resumed %v, %v", state.DidResume, err)
			}
			s.swap(t, "1.2", map[string]issued{"a": renewed}, "a")
			if state, err := s.dial(t, client); err != nil || !state.DidResume {
				t.Errorf("after the reload: resumed %v, %v, want true", state.DidResume, err)
			}
			client.ClientSessionCache = nil
			state, err := s.dial(t, client)
			if err != nil {
				t.Fatal(err)
			}
			if !state.PeerCertificates[0].Equal(renewed.cert) {
				t.Error("a new client is shown the old certificate")
			}
		})
	}
}

func TestNobodyIsServedWithoutASet(t *testing.T) {
	s := &served{config: ServerConfig(func() *Set { return nil })}
	if _, err := s.dial(t, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a handshake succeeded")
	}
}

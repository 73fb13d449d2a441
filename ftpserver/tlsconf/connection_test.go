package tlsconf

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// shake shakes hands on a connection that the server knows something of, and
// returns what the server saw.
func (s *served) shake(t *testing.T, about Connection, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a pipe has no buffers, and both ends write at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	defer func() { _ = far.Close() }()
	_, _ = near.SetDeadline(time.Now().Add(20*time.Second)), far.SetDeadline(time.Now().Add(20*time.Second))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if conn := tls.Client(near, client); conn.Handshake() == nil {
			_, _ = conn.Read(make([]byte, 1)) // the ticket is before it
		}
	}()
	conn := tls.Server(far, s.config)
	if err = conn.HandshakeContext(about.Context(context.Background())); err == nil {
		_, err = conn.Write([]byte("x"))
	}
	_ = conn.CloseWrite()
	<-ended
	return conn.ConnectionState(), err
}

// TestALPN: "ftp" everywhere, "ftp-data" on data connections only, or nothing.
func TestALPN(t *testing.T) {
	s := serve(t, "1.2", map[string]issued{"a": issue(t, nil, nil)}, "a")
	control, data := Connection{}, Connection{Data: true}
	for name, tt := range map[string]struct {
		about  Connection
		offers []string
		want   string // "-": refused
	}{
		"none":               {control, nil, ""},
		"ftp":                {control, []string{"ftp"}, "ftp"},
		"FileZilla":          {control, []string{"x-filezilla-ftp", "ftp"}, "ftp"},
		"ftp-data":           {control, []string{"ftp-data"}, "-"},
		"http":               {control, []string{"h2", "http/1.1"}, "-"},
		"upper case":         {control, []string{"FTP"}, "-"},
		"data none":          {data, nil, ""},
		"data ftp":           {data, []string{"ftp"}, "ftp"},
		"data ftp-data":      {data, []string{"ftp-data"}, "ftp-data"},
		"data both":          {data, []string{"ftp", "ftp-data"}, "ftp-data"},
		"data http":          {data, []string{"http/1.1"}, "-"},
		"data of a protocol": {data, []string{"smtp"}, "-"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			state, err := s.shake(t, tt.about, &tls.Config{InsecureSkipVerify: true, NextProtos: tt.offers, MaxVersion: version})
			switch {
			case tt.want == "-" && (err == nil || !strings.Contains(err.Error(), "unsupported application protocols")):
				t.Errorf("%s, %x: %v", name, version, err)
			case tt.want != "-" && (err != nil || state.NegotiatedProtocol != tt.want):
				t.Errorf("%s, %x: %q, %v", name, version, state.NegotiatedProtocol, err)
			}
		}
	}
}

// TestResumesOnData what began on a control connection, though ALPN differs.
func TestResumesOnData(t *testing.T) {
	s := serve(t, "1.2", map[string]issued{"a": issue(t, nil, nil, "a.example.com")}, "a")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{ServerName: "a.example.com", InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		client.NextProtos = []string{"ftp"}
		if _, err := s.dial(t, client); err != nil {
			t.Fatal(err)
		}
		client.NextProtos = []string{"ftp-data"}
		if state, err := s.shake(t, Connection{Data: true}, client); err != nil || !state.DidResume {
			t.Errorf("%x: resumed %v, %v", version, state.DidResume, err)
		}
	}
}

package telemetry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const token = "correct-horse"

// fixture is a directory with the files of /status, and the endpoints over it.
type fixture struct {
	t     *testing.T
	dir   string
	admin *Admin
	ready error
	roots *x509.CertPool

	mu  sync.Mutex
	log bytes.Buffer
}

// Write is for the logger.
func (f *fixture) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(p)
}

func (f *fixture) logged(text string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Count(f.log.String(), text)
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	f.write("token", token+"\n")
	f.issue()
	f.admin = NewAdmin(AdminOptions{
		Metrics: exercised(),
		Ready:   func() error { return f.ready },
		Status: func(withUsers bool) config.Status {
			s := config.Status{Version: "v1.2.3", UserCount: 1, FreeBytes: -1}
			if withUsers {
				s.Users = map[string]string{"anna": "digest"}
			}
			return s
		},
		Config: config.Admin{
			Listen: "127.0.0.1:0",
			Status: config.StatusEndpoint{Listen: "127.0.0.1:0", CertFile: "tls.crt", KeyFile: "tls.key", TokenFile: "token"},
		},
		Dir: f.dir,
		Log: slog.New(slog.NewTextHandler(f, nil)),
	})
	return f
}

func (f *fixture) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// issue makes a new certificate for 127.0.0.1 that the fixture's clients trust.
func (f *fixture) issue() *x509.Certificate {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		f.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatal(err)
	}
	f.roots.AddCert(cert)
	f.write("tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	f.write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	return cert
}

// run serves until the test ends.
func (f *fixture) run() *fixture {
	f.t.Helper()
	if err := f.admin.Listen(); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.admin.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("Run = %v", err)
		}
	})
	return f
}

// client makes a connection of its own for each request.
func (f *fixture) client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: f.roots},
	}}
}

func (f *fixture) do(method, url, authorization string) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, url, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	resp, err := f.client().Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp, string(body)
}

func (f *fixture) public(path string) string { return "http://" + f.admin.Addrs().Public + path }

func (f *fixture) status(query string) string {
	return "https://" + f.admin.Addrs().Status + config.StatusPath + query
}

func TestPublicEndpoints(t *testing.T) {
	f := newFixture(t).run()
	tests := []struct {
		method, path string
		code         int
		body         string
	}{
		{http.MethodGet, "/healthz", 200, "ok\n"},
		{http.MethodHead, "/healthz", 200, ""},
		{http.MethodGet, "/readyz", 200, "ok\n"},
		{http.MethodGet, "/metrics", 200, `ftpserver_sessions{state="idle"} 1`},
		{http.MethodPost, "/healthz", 405, "nothing can be changed here"},
		{http.MethodDelete, "/metrics", 405, "nothing can be changed here"},
		{http.MethodGet, "/status", 404, ""},
		{http.MethodGet, "/debug/pprof/", 404, ""},
	}
	for _, tt := range tests {
		resp, body := f.do(tt.method, f.public(tt.path), "")
		if resp.StatusCode != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%s %s: %d %.80q, want %d %q", tt.method, tt.path, resp.StatusCode, body, tt.code, tt.body)
		}
		if tt.code == 405 && resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow = %q", tt.method, tt.path, resp.Header.Get("Allow"))
		}
	}
}

func TestNotReady(t *testing.T) {
	f := newFixture(t)
	f.ready = errors.New("no configuration yet")
	f.run()
	if resp, body := f.do(http.MethodGet, f.public("/readyz"), ""); resp.StatusCode != http.StatusServiceUnavailable || body != "no configuration yet\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if resp, _ := f.do(http.MethodGet, f.public("/healthz"), ""); resp.StatusCode != http.StatusOK {
		t.Errorf("healthz = %d", resp.StatusCode)
	}
}

func TestStatus(t *testing.T) {
	f := newFixture(t).run()
	for query, users := range map[string]map[string]string{
		"": nil, "?users=none": nil, "?users=all": {"anna": "digest"},
	} {
		resp, body := f.do(http.MethodGet, f.status(query), "Bearer "+token)
		var got config.Status
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		want := config.Status{Version: "v1.2.3", UserCount: 1, FreeBytes: -1, Users: users}
		if resp.StatusCode != http.StatusOK || !reflect.DeepEqual(got, want) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %+v, want %+v", query, resp.StatusCode, got, want)
		}
	}
}

func TestStatusIsForTheTokenOnly(t *testing.T) {
	f := newFixture(t).run()
	tests := []struct {
		method, authorization string
		code                  int
	}{
		{http.MethodGet, "", 401},
		{http.MethodGet, "Bearer", 401},
		{http.MethodGet, "Bearer ", 401},
		{http.MethodGet, "Bearer " + token + "x", 401},
		{http.MethodGet, "Bearer " + token[1:], 401},
		{http.MethodGet, "Bearer " + strings.ToUpper(token), 401},
		{http.MethodGet, "Basic " + token, 401},
		{http.MethodGet, token, 401},
		{http.MethodPut, "", 401},
		{http.MethodGet, "bearer " + token, 200}, // RFC 7235 §2.1: the scheme has no case
		{http.MethodHead, "Bearer " + token, 200},
		{http.MethodPut, "Bearer " + token, 405},
	}
	for _, tt := range tests {
		resp, body := f.do(tt.method, f.status(""), tt.authorization)
		if resp.StatusCode != tt.code {
			t.Errorf("%s with %q: %d, want %d", tt.method, tt.authorization, resp.StatusCode, tt.code)
		}
		if tt.code == 401 && (resp.Header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(body, "v1.2.3")) {
			t.Errorf("%s with %q: %v %q", tt.method, tt.authorization, resp.Header, body)
		}
	}
	if resp, _ := f.do(http.MethodGet, "https://"+f.admin.Addrs().Status+"/metrics", "Bearer "+token); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/metrics over TLS: %d", resp.StatusCode)
	}
}

func TestStatusNeedsTLS(t *testing.T) {
	f := newFixture(t).run()
	if resp, body := f.do(http.MethodGet, "http://"+f.admin.Addrs().Status+config.StatusPath, "Bearer "+token); resp.StatusCode != http.StatusBadRequest || strings.Contains(body, "v1.2.3") {
		t.Errorf("over plain HTTP: %d %q", resp.StatusCode, body)
	}
}

func TestTokenAndCertificateAreRotated(t *testing.T) {
	f := newFixture(t).run()
	shown := func(authorization string) (int, *x509.Certificate) {
		resp, _ := f.do(http.MethodGet, f.status(""), authorization)
		return resp.StatusCode, resp.TLS.PeerCertificates[0]
	}
	f.write("token", "another")
	renewed := f.issue()
	if code, cert := shown("Bearer another"); code != 200 || !cert.Equal(renewed) {
		t.Errorf("new token: %d, renewed certificate shown: %v", code, cert.Equal(renewed))
	}
	if code, _ := shown("Bearer " + token); code != 401 {
		t.Errorf("old token: %d", code)
	}

	// What can't be used leaves the old certificate in place, and nobody in.
	f.write("tls.key", "broken")
	f.write("token", " \n")
	for range 2 {
		for _, authorization := range []string{"Bearer ", "Bearer another", ""} {
			if code, cert := shown(authorization); code != 503 || !cert.Equal(renewed) {
				t.Errorf("with %q: %d, the last good certificate shown: %v", authorization, code, cert.Equal(renewed))
			}
		}
	}
	if n := f.logged("File of the status endpoint refused"); n != 2 {
		t.Errorf("logged %d times, want once for each file:\n%s", n, f.log.String())
	}
}

func TestListenRefuses(t *testing.T) {
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupied.Close() }()
	tests := map[string]struct {
		change func(f *fixture, c *config.Admin)
		want   string
	}{
		"port in use":        {func(_ *fixture, c *config.Admin) { c.Listen = occupied.Addr().String() }, "admin.listen: "},
		"status port in use": {func(_ *fixture, c *config.Admin) { c.Status.Listen = occupied.Addr().String() }, "admin.status.listen: "},
		"no certificate":     {func(_ *fixture, c *config.Admin) { c.Status.CertFile = "x.crt" }, "admin.status: x.crt: no such file"},
		"no token":           {func(_ *fixture, c *config.Admin) { c.Status.TokenFile = "x" }, "admin.status.tokenFile: "},
		"empty token":        {func(f *fixture, _ *config.Admin) { f.write("token", "\n") }, "admin.status.tokenFile: must hold a token"},
		"token that is a pipe": {func(f *fixture, _ *config.Admin) {
			_ = os.Remove(filepath.Join(f.dir, "token"))
			if err := syscall.Mkfifo(filepath.Join(f.dir, "token"), 0o600); err != nil {
				f.t.Fatal(err)
			}
		}, "admin.status.tokenFile: is not a regular file"},
		"huge token": {func(f *fixture, _ *config.Admin) { f.write("token", strings.Repeat("x", maxTokenSize+1)) }, "admin.status.tokenFile: must be at most 4096 bytes long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tt.change(f, &f.admin.options.Config)
			err := f.admin.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, want %q", err, tt.want)
			}
			if got := f.admin.Addrs(); got != (Addresses{}) {
				t.Errorf("left open: %v", got)
			}
		})
	}
}

func TestEndpointsCanBeOff(t *testing.T) {
	f := newFixture(t)
	f.admin.options.Config = config.Admin{}
	f.run()
	if got := f.admin.Addrs(); got != (Addresses{}) {
		t.Errorf("addresses = %v, want none", got)
	}
}

// A listener that fails is the end of Run, not a silence.
func TestAFailedListenerComesBack(t *testing.T) {
	f := newFixture(t)
	if err := f.admin.Listen(); err != nil {
		t.Fatal(err)
	}
	address := f.admin.Addrs().Status
	if err := f.admin.endpoints[0].listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.admin.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v, want the listener's error", err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("the other listener is still open")
	}
}

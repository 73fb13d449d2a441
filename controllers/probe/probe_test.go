package probe_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/probe"
)

const host = "files.shop.status.ftp-operator.io"

func authority(t *testing.T) *pki.CA {
	t.Helper()
	pair, err := pki.NewCA("team/files", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCA(pair)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// endpoint serves on loopback with a certificate for a name, and returns how to
// ask it.
func endpoint(t *testing.T, ca *pki.CA, name string, h http.HandlerFunc) probe.Target {
	t.Helper()
	pair, err := ca.Issue([]string{name}, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	ip, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return probe.Target{IP: ip, Port: number, Host: host, Roots: ca.PEM(), Token: "secret-token"}
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret-token" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	body := `{"slot": 3, "files": []}`
	if r.URL.Query().Get("users") == "all" {
		body = `{"slot": 3, "users": {"alice": "digest"}}`
	}
	_, _ = w.Write([]byte(body))
}

func TestStatus(t *testing.T) {
	target := endpoint(t, authority(t), host, answer)
	s, err := probe.HTTP{}.Status(t.Context(), target)
	if err != nil || s.Slot != 3 || s.Users != nil {
		t.Fatalf("got %+v, %v", s, err)
	}
	target.Users = 1
	s, err = probe.HTTP{}.Status(t.Context(), target)
	if err != nil || s.Users["alice"] != "digest" {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func TestNoAnswer(t *testing.T) {
	ca := authority(t)
	for name, tc := range map[string]struct {
		target func(t *testing.T) probe.Target
		want   string
	}{
		"wrong token": {func(t *testing.T) probe.Target {
			target := endpoint(t, ca, host, answer)
			target.Token = "other"
			return target
		}, "401 Unauthorized"},
		"more than a pod can have to say": {func(t *testing.T) probe.Target {
			return endpoint(t, ca, host, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"files": [` + strings.Repeat(`{},`, 30_000) + `{}]}`))
			})
		}, "could not be read"},
		"another name": {func(t *testing.T) probe.Target {
			return endpoint(t, ca, "other.shop.status.ftp-operator.io", answer)
		}, "its certificate cannot be verified"},
		"another authority": {func(t *testing.T) probe.Target {
			target := endpoint(t, ca, host, answer)
			target.Roots = authority(t).PEM()
			return target
		}, "its certificate cannot be verified"},
		"no authority": {func(t *testing.T) probe.Target {
			target := endpoint(t, ca, host, answer)
			target.Roots = nil
			return target
		}, "no certificate to verify it with"},
		"no JSON": {func(t *testing.T) probe.Target {
			return endpoint(t, ca, host, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
		}, "could not be read"},
		"nobody there": {func(t *testing.T) probe.Target {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := l.Addr().(*net.TCPAddr).Port
			_ = l.Close()
			return probe.Target{IP: "127.0.0.1", Port: port, Host: host, Roots: ca.PEM()}
		}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			target := tc.target(t)
			_, err := probe.HTTP{}.Status(t.Context(), target)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error is %v, want it to say %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), strconv.Itoa(target.Port)) {
				t.Errorf("the error tells what it should not: %v", err)
			}
		})
	}
}

// A pod that takes the connection and says nothing must not hold up a pass.
func TestSilenceEnds(t *testing.T) {
	target := endpoint(t, authority(t), host, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := probe.HTTP{}.Status(ctx, target)
	if err == nil || err.Error() != "no answer in time" {
		t.Errorf("error is %v", err)
	}
}

// While one authority takes over from another, pods may show a certificate of
// either: the whole bundle verifies.
func TestStatusIsVerifiedByTheWholeBundle(t *testing.T) {
	old, next := authority(t), authority(t)
	for name, ca := range map[string]*pki.CA{"old": old, "next": next} {
		target := endpoint(t, ca, host, answer)
		target.Roots = append(old.PEM(), next.PEM()...)
		if _, err := (probe.HTTP{}).Status(t.Context(), target); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

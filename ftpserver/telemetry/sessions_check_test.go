package telemetry

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Whoever spreads clients asks, and is told for its own address.
func TestTakesSessions(t *testing.T) {
	f := newFixture(t)
	f.admin.options.TakesSessions = func(from netip.Addr, header bool) error {
		switch {
		case from != netip.MustParseAddr("127.0.0.1"):
			return errors.New("asked for " + from.String())
		case header:
			return errors.New("not believed")
		}
		return nil
	}
	f.run()
	for path, want := range map[string]struct {
		code int
		body string
	}{
		config.SessionsPath:                            {http.StatusOK, "ok\n"},
		config.SessionsPath + "?" + config.HeaderQuery: {http.StatusServiceUnavailable, "not believed\n"},
		"/readyz": {http.StatusOK, "ok\n"},
	} {
		if resp, body := f.do(http.MethodGet, f.public(path), ""); resp.StatusCode != want.code || body != want.body {
			t.Errorf("%s: %d %q, want %d %q", path, resp.StatusCode, body, want.code, want.body)
		}
	}
}

// Without anybody to ask there is no such path: a balancer sends nobody.
func TestTakesSessionsUnasked(t *testing.T) {
	f := newFixture(t).run()
	if resp, _ := f.do(http.MethodGet, f.public(config.SessionsPath), ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
}

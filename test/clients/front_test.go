package clients

import (
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestTellsBalancers: whoever spreads sessions over servers is told when one drains,
// which is ready all the same, and whether headers from its address are believed, as
// the newest configuration says.
func TestTellsBalancers(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Admin.Listen = "127.0.0.1:0" })
	s.start()
	admin := "http://" + s.log.wait(t, "Serving", nil).text("admin")
	says := func(path string, code int) bool {
		t.Helper()
		resp, err := http.Get(admin + path)
		must(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		if resp.StatusCode == code {
			return true
		}
		t.Logf("%s: %d %s", path, resp.StatusCode, body)
		return false
	}
	const sessions, believed = config.SessionsPath, config.SessionsPath + "?" + config.HeaderQuery
	eventually(t, drained, "it takes sessions", func() bool { return says(sessions, http.StatusOK) })
	if !says(believed, http.StatusServiceUnavailable) {
		t.Error("it believes no headers")
	}
	s.cfg.ProxyProtocol.Trusted = []config.ProxySource{{CIDR: "127.0.0.1/32", Mode: config.ProxyOptional}}
	s.writeConfig()
	eventually(t, drained, "headers are believed", func() bool { return says(believed, http.StatusOK) })

	c := s.login(t, "alice", password)
	c.command(200, "TYPE I")
	_ = c.data()
	c.command(150, "STOR file")
	s.signal(syscall.SIGTERM)
	s.log.wait(t, "Draining", nil)
	if !says(sessions, http.StatusServiceUnavailable) || !says(believed, http.StatusServiceUnavailable) || !says("/readyz", http.StatusOK) {
		t.Error("it drains: it takes no sessions, and is ready")
	}
}

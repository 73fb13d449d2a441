package clients

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestXferlog: a line for each file and for nothing else, of real clients; a log
// that was moved is followed by a new one, and the place changes while it runs.
func TestXferlog(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Log.Xferlog, c.Admin.Listen = "xferlog", "127.0.0.1:0"
	})
	s.start()
	client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: s.target()}
	local := randomFile(t, 12345)
	must(t, client.Upload(soon(t), local, "/a file"))
	_, err := client.List(soon(t), "/")
	must(t, err)
	must(t, client.Download(soon(t), "/a file", local+".back"))
	file := filepath.Join(s.dir, "xferlog")
	lines := func(file string) []string {
		data, _ := os.ReadFile(file)
		return slices.Collect(strings.Lines(string(data)))
	}
	eventually(t, 2*time.Minute, "two lines", func() bool { return len(lines(file)) == 2 })
	for i, direction := range []string{"i", "o"} {
		got := strings.Fields(lines(file)[i])
		if want := strings.Fields("127.0.0.1 12345 /a%20file b _ " + direction + " r alice ftp 0 * c"); !slices.Equal(got[6:], want) {
			t.Errorf("line %d: %q, want it to end in %q", i, got, want)
		}
		if at, err := time.Parse(time.ANSIC, strings.Join(got[:5], " ")); err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("line %d is of %v, %v", i, at, err)
		}
	}

	must(t, os.Rename(file, file+".1"))
	s.signal(syscall.SIGHUP)
	must(t, client.Upload(soon(t), local, "/b"))
	eventually(t, 2*time.Minute, "a line in the new log", func() bool { return len(lines(file)) == 1 && len(lines(file+".1")) == 2 })

	s.cfg.Log.Xferlog = "elsewhere"
	s.writeConfig()
	eventually(t, 2*time.Minute, "a line in the other log", func() bool {
		must(t, client.Upload(soon(t), local, "/c"))
		return len(lines(filepath.Join(s.dir, "elsewhere"))) > 0
	})

	// Where it can't be written, files go through all the same.
	s.cfg.Log.Xferlog = "missing/xferlog"
	s.writeConfig()
	s.log.wait(t, "Transfers can't be written to the transfer log", nil)
	must(t, client.Upload(soon(t), local, "/d"))
	eventually(t, 2*time.Minute, "the lost line is counted", func() bool {
		return strings.Contains(s.metrics(t), "\nftpserver_xferlog_dropped_total 1\n")
	})
}

// metrics are those of a server with admin.listen.
func (s *server) metrics(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + s.log.wait(t, "Serving", nil).text("admin") + "/metrics")
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}

// TestSessionsInStatus: whoever has the token sees what each session is at.
func TestSessionsInStatus(t *testing.T) {
	t.Parallel()
	const token = "the token of this test"
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Admin.Status = config.StatusEndpoint{Listen: "127.0.0.1:0", CertFile: "tls.crt", KeyFile: "tls.key", TokenFile: "token"}
	})
	must(t, os.WriteFile(filepath.Join(s.dir, "token"), []byte(token), 0o600))
	s.start()
	idle, busy := s.login(t, "alice", password), s.login(t, "alice", password)
	busy.command(200, "TYPE I")
	data := busy.data()
	busy.command(150, "STOR in progress")
	_, err := data.Write(make([]byte, 5<<20))
	must(t, err)

	ca, err := os.ReadFile(filepath.Join(s.dir, "ca.crt"))
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	ask := func(query string) (out config.Status) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.log.wait(t, "Serving", nil).text("status")+config.StatusPath+query, http.NoBody)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(r)
		must(t, err)
		defer func() { _ = resp.Body.Close() }()
		must(t, json.NewDecoder(resp.Body).Decode(&out))
		return out
	}
	if got := ask(""); got.SessionList != nil || got.Sessions["idle"] != 1 || got.Sessions["transferring"] != 1 {
		t.Errorf("not asked for: %+v", got)
	}
	eventually(t, 2*time.Minute, "both sessions are told", func() bool {
		list := ask("?sessions=all").SessionList
		return len(list) == 2 && list[0].State == "idle" && list[0].User == "alice" && list[0].Client == idle.conn.LocalAddr().String() &&
			list[1].State == "transferring" && list[1].Transfer != nil && list[1].Transfer.Path == "/in progress" && list[1].Transfer.Bytes > 0
	})
	must(t, data.Close())
	busy.expect(226)
}

// TestLogLevelFollows: what is logged changes while the server runs.
func TestLogLevelFollows(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Log.Level = "Info" })
	s.start()
	c := s.login(t, "alice", password)
	c.command(200, "NOOP")
	s.log.wait(t, "Login", nil)
	s.cfg.Log.Level = "Debug"
	s.writeConfig()
	eventually(t, 2*time.Minute, "commands are logged", func() bool {
		c.command(200, "NOOP")
		return len(s.log.find("Command", field("verb", "NOOP"))) > 0
	})
	if len(s.log.find("Command", field("verb", "PASS"))) > 0 {
		t.Error("a command of before was logged at level Info")
	}
}

package clients

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// drained is more than a drain takes when nobody is slow.
const drained = 20 * time.Second

// TestDrain: on SIGTERM, transfers finish, whoever is idle or new is told 421,
// and the program then ends by itself with success.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	idle, asking := s.login(t, "alice", password), s.login(t, "alice", password)
	up, down := s.slowTransfers(t)

	s.signal(syscall.SIGTERM)
	s.log.wait(t, "Draining", nil)
	_ = s.dial(t, 421).conn.Close()
	asking.command(421, "NOOP")
	if code, text := asking.read(); code != 0 {
		t.Errorf("after 421 came %d %s", code, text)
	}
	up.finishes(t)
	down.finishes(t)
	idle.expect(421)
	if code := s.waitExit(drained); code != 0 {
		t.Errorf("exit code %d", code)
	}
	sameContent(t, s.home("alice", "up"), up.local)
	sameContent(t, down.local, s.home("alice", "down"))
}

// slowTransfer is a client at work for about two seconds.
type slowTransfer struct {
	*ftpclient.Process
	local string
}

func (s slowTransfer) finishes(t *testing.T) {
	t.Helper()
	_, err := s.Wait()
	must(t, err)
}

// slowTransfers starts an upload and a download, and returns once both move.
func (s *server) slowTransfers(t *testing.T) (up, down slowTransfer) {
	t.Helper()
	const size2s, rate = 2 << 20, 1 << 20
	up.local = randomFile(t, size2s)
	down.local = filepath.Join(t.TempDir(), "down")
	data, err := os.ReadFile(randomFile(t, size2s))
	must(t, err)
	must(t, os.WriteFile(s.home("alice", "down"), data, 0o644))

	target := s.target()
	target.TLS = ftpclient.TLS13
	client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}
	up.Process, err = client.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Upload, Local: up.local, Remote: "/up", Rate: rate})
	must(t, err)
	down.Process, err = client.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Local: down.local, Remote: "/down", Rate: rate})
	must(t, err)
	eventually(t, 2*time.Minute, "both transfers move", func() bool {
		return arrived(t, s.home("alice")) > 0 && size(down.local) > 0
	})
	return up, down
}

// TestDrainAtLeast: as long as others may still send clients here, they are told to
// connect again, also where nothing is left to finish; and the server stays ready, as its
// passive ports go with that.
func TestDrainAtLeast(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Limits.DrainTimeout, c.Limits.DrainAtLeast = time.Hour, time.Hour
		c.Admin.Listen = fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0].Listen)
		trusting(config.ProxyOptional, "127.0.0.1/32")(c) // some come by way of a balancer
	})
	s.start()
	s.signal(syscall.SIGTERM)
	s.log.wait(t, "Draining", nil)
	for range 3 {
		_ = s.dial(t, 421).conn.Close()
		_ = s.dialAfter(t, "PROXY TCP4 203.0.113.7 198.51.100.1 40000 21\r\n", 421).conn.Close()
	}
	for _, path := range []string{"/readyz", "/healthz"} {
		r, err := http.Get("http://" + s.cfg.Admin.Listen + path)
		must(t, err)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s is answered %s", path, r.Status)
		}
	}
	s.signal(syscall.SIGTERM)
	s.waitExit(drained)
}

// TestSecondSignal: who asks twice does not want to wait.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	c := s.login(t, "alice", password)
	c.command(200, "TYPE I")
	_ = c.data()
	c.command(150, "STOR never-ends")
	s.signal(syscall.SIGTERM)
	s.log.wait(t, "Draining", nil)
	s.signal(syscall.SIGTERM)
	if code := s.waitExit(drained); code == 0 {
		t.Error("exit code 0, though sessions were cut")
	}
	if exists(s.home("alice", "never-ends")) {
		t.Error("an unfinished upload is visible")
	}
}

// TestDrainTimeout: a drain has an end.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Limits.DrainTimeout = time.Second })
	s.start()
	c := s.login(t, "alice", password)
	c.command(200, "TYPE I")
	_ = c.data()
	c.command(150, "STOR never-ends")
	s.signal(syscall.SIGTERM)
	c.expect(426)
	c.expect(421)
	s.log.wait(t, "Time to drain is over: what still runs is cut", nil)
	if code := s.waitExit(drained); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if exists(s.home("alice", "never-ends")) {
		t.Error("an unfinished upload is visible")
	}
}

package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/accept"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/test/freeport"
)

// newTestProcess is a process that has opened its ports, and serves nobody yet.
func newTestProcess(t *testing.T, edit func(*config.Config)) *process {
	t.Helper()
	ports, err := freeport.Take(1)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Listen:  "127.0.0.1:0",
		Passive: config.Passive{Ports: []config.PassivePort{{Listen: ports[0]}}},
		Storage: config.Storage{Root: t.TempDir()},
		Admin:   config.Admin{Listen: "127.0.0.1:0"},
	}
	edit(c)
	data, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	source, err := live.Open(file, config.Strict, log)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProcess(source, 0, filepath.Dir(file), log, new(slog.LevelVar))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.closeControl()
		p.broker.Close()
		p.server.Close()
		p.stapler.Close()
		p.xferlog.Close()
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pipes is a listener that hands out one connection after the other.
type pipes struct {
	net.Listener
	conns chan net.Conn
}

func (l pipes) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// stick has a loop of the process stuck until the returned function is called.
func (p *process) stick(name string) (release func()) {
	blocked, ended := make(chan struct{}), make(chan struct{})
	l := pipes{conns: make(chan net.Conn)}
	go func() {
		p.watch.All(l, name, p.log, func(net.Conn) { <-blocked })
		close(ended)
	}()
	l.conns <- nil
	for len(p.watch.Stuck()) == 0 { // it may not have gone away from Accept yet
		p.watch.Beat()
	}
	return func() { close(blocked); close(l.conns); <-ended }
}

// TestProbes: a loop that is stuck has the process replaced, and new clients sent
// elsewhere, but for a process that drains: its sessions need its passive ports.
func TestProbes(t *testing.T) {
	p := newTestProcess(t, func(c *config.Config) { c.Limits.DrainTimeout = 5 * time.Minute })
	ended := make(chan error, 1)
	go func() { ended <- p.admin.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	probed := func(path, code, says string) {
		t.Helper()
		r, err := http.Get("http://" + p.admin.Addrs().Public + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || !strings.HasPrefix(r.Status, code) || !strings.Contains(string(body), says) {
			t.Errorf("%s: %s %s, %v", path, r.Status, body, err)
		}
	}
	for range 2 * accept.StuckAfter {
		p.watch.Beat() // nobody comes: nothing is wrong
	}
	probed("/healthz", "200", "ok")
	probed("/readyz", "200", "ok")
	probed(config.SessionsPath, "503", "nodes may not lead to its passive ports yet")
	p.reached = reached{since: time.Now().Add(-nodesFollow)}
	probed(config.SessionsPath, "200", "ok")
	if got := p.drainTimeout(); got != 5*time.Minute {
		t.Errorf("it drains for %s", got)
	}
	release := p.stick("control 0.0.0.0:2121")
	probed("/healthz", "503", "control 0.0.0.0:2121")
	probed("/readyz", "503", "control 0.0.0.0:2121")
	probed(config.SessionsPath, "503", "control 0.0.0.0:2121")
	if got := p.drainTimeout(); got != config.DefaultDrainTimeout {
		t.Errorf("stuck, it drains for %s", got)
	}
	p.server.Drain(t.Context())
	probed("/healthz", "503", "control 0.0.0.0:2121")
	probed("/readyz", "200", "ok")
	probed(config.SessionsPath, "503", "draining")
	release()
	probed("/healthz", "200", "ok")
	probed("/metrics", "200", "ftpserver_passive_ports 1\n")
}

// TestDrainLasts as long as it is to, where nobody is there.
func TestDrainLasts(t *testing.T) {
	for _, want := range []time.Duration{0, 3 * time.Second} {
		p := newTestProcess(t, func(c *config.Config) { c.Limits.DrainAtLeast = want })
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			p.drain()
			if took := time.Since(began); took != want {
				t.Errorf("took %s, want %s", took, want)
			}
		})
	}
}

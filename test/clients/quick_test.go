package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestQuickTry: two flags are a server. Its password is on standard output, and
// nowhere in the log.
func TestQuickTry(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSDisabled, nil)
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	must(t, err)
	defer func() { _ = stdout.Close() }()
	port := s.cfg.Passive.Ports[0].Listen
	s.stdout, s.args = stdout, []string{"serve", "--root", s.root, "--user", "bob", "--listen", "127.0.0.1:0",
		"--passive-ports", fmt.Sprint(port), "--tls-cert", filepath.Join(s.dir, "tls.crt"), "--tls-key", filepath.Join(s.dir, "tls.key")}
	s.start()
	printed, err := os.ReadFile(stdout.Name())
	must(t, err)
	secret := strings.TrimSpace(strings.TrimPrefix(string(printed), "Password of bob: "))

	local := randomFile(t, 1<<20)
	for _, tls := range everyTLS {
		target := s.target()
		target.User, target.Password, target.TLS = "bob", secret, tls
		client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}
		must(t, client.Upload(soon(t), local, "/file"))
		sameContent(t, filepath.Join(s.root, "file"), local)
	}
	if strings.Contains(s.log.text(), secret) {
		t.Error("the password is in the log")
	}
	s.signal(syscall.SIGINT)
	if code := s.waitExit(drained); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestHangup: SIGHUP, which ends programs that do not know better, reloads.
func TestHangup(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	c := s.login(t, "alice", password)
	s.cfg.Users = append(s.cfg.Users, user(t, "bob"))
	s.writeConfig()
	s.signal(syscall.SIGHUP)
	eventually(t, reloadTime, "the new user logs in", func() bool { return s.accepts(t, "bob", password) })
	c.command(200, "NOOP")
}

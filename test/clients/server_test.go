package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/freeport"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// password holds what clients and configurations must quote.
const password = `pa"ss\w %o#rd:é`

var passwordHash = sync.OnceValues(func() (string, error) { return passhash.New(password) })

// server is the program with a directory, ports and a configuration of its own.
type server struct {
	t    *testing.T
	dir  string // of the configuration, certificates included
	root string // of the files
	cfg  config.Config
	// inDirectory: the program is given the directory, as the operator does.
	inDirectory bool
	// wrap is put in front of the program's command.
	wrap []string
	// look, if set, sees each line of the log and says whether it is kept.
	look func(line string, e entry) bool
	// issuer signs the certificates.
	issuer *issuer

	cmd    *exec.Cmd
	log    *serverLog
	port   int
	exited chan struct{}
	err    error // of the exit; there when exited is closed
}

// newServer prepares a server with the user alice; edit may change its
// configuration before start.
func newServer(t *testing.T, mode config.TLSMode, edit func(*config.Config)) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), root: t.TempDir()}
	s.issuer = pki(t, s.dir)
	s.cfg = config.Config{
		Listen:  "127.0.0.1:0",
		Passive: config.Passive{Ports: freePorts(t, 16)},
		TLS:     config.TLS{Mode: mode, Certificates: []config.Certificate{{CertFile: "tls.crt", KeyFile: "tls.key"}}},
		Storage: config.Storage{Root: s.root},
		Users:   []config.User{user(t, "alice")},
		Log:     config.Log{Level: "Debug"},
	}
	if mode == config.TLSDisabled {
		s.cfg.TLS.Certificates = nil
	}
	if edit != nil {
		edit(&s.cfg)
	}
	s.writeConfig()
	return s
}

func user(t *testing.T, name string) config.User {
	t.Helper()
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	return config.User{Name: name, PasswordHash: hash}
}

// freePorts returns ports that nobody listens on now.
func freePorts(t *testing.T, n int) []config.PassivePort {
	t.Helper()
	numbers, err := freeport.Take(n)
	must(t, err)
	var ports []config.PassivePort
	for _, number := range numbers {
		ports = append(ports, config.PassivePort{Listen: number})
	}
	return ports
}

func (s *server) configPath() string { return filepath.Join(s.dir, config.FileName) }

// writeConfig replaces the configuration as a person's editor does, by rename.
func (s *server) writeConfig() {
	s.t.Helper()
	writeByRename(s.t, s.configPath(), &s.cfg)
}

func writeByRename(t *testing.T, path string, v any) {
	t.Helper()
	data, err := config.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// start runs the program and waits until it serves.
func (s *server) start() {
	s.t.Helper()
	path := s.configPath()
	if s.inDirectory {
		path = s.dir
	}
	args := append(append([]string{}, s.wrap...), program, "serve", "--config", path)
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.log, s.exited = collect(stderr, s.look), make(chan struct{})
	go func(cmd *exec.Cmd, log *serverLog, exited chan struct{}) {
		<-log.ended
		s.err = cmd.Wait()
		close(exited)
	}(s.cmd, s.log, s.exited)
	s.t.Cleanup(s.cleanup(s.log, s.exited))
	address := s.log.wait(s.t, "Serving", nil).text("address")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Sscan(port, &s.port); err != nil {
		s.t.Fatal(err)
	}
}

// cleanup ends this run of the program, and fails the test if it has written
// what is no log, or a secret.
func (s *server) cleanup(log *serverLog, exited chan struct{}) func() {
	pid := s.cmd.Process.Pid
	return func() {
		select {
		case <-exited:
		default:
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			<-exited
		}
		for _, line := range log.foreign {
			s.t.Errorf("not a line of the log: %s", line)
		}
		for _, secret := range secrets() {
			if strings.Contains(log.text(), secret) {
				s.t.Error("a password or its hash is in the log")
			}
		}
		if s.t.Failed() {
			s.t.Logf("log of the server:\n%s", tail(log.text(), 12000))
		}
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the server as a crash would, and returns when it is gone.
func (s *server) kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	s.waitExit(time.Minute)
}

// waitExit returns the exit code; -1 of a process that a signal has ended.
func (s *server) waitExit(within time.Duration) int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(within):
		s.t.Fatalf("the server did not end within %s", within)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(s.err, &exit):
		return exit.ExitCode()
	case s.err != nil:
		s.t.Fatal(s.err)
	}
	return 0
}

// target is this server as alice sees it.
func (s *server) target() ftpclient.Target {
	return ftpclient.Target{
		Host: "127.0.0.1", Port: s.port, User: "alice", Password: password,
		CAFile: filepath.Join(s.dir, "ca.crt"),
	}
}

// home is a file of a user on the disk.
func (s *server) home(name string, path ...string) string {
	return filepath.Join(append([]string{s.root, name}, path...)...)
}

// soon bounds what a client may take.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// longer bounds what a client does that has much to do.
func longer(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

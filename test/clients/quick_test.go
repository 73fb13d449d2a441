package clients

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestQuickTry: with a directory and a name alone, the program prints a password
// and serves the directory; with a certificate, clients may use TLS.
func TestQuickTry(t *testing.T) {
	t.Parallel()
	root, dir := t.TempDir(), t.TempDir()
	pki(t, dir)
	port, passive := freePorts(t, 1)[0].Listen, freePorts(t, 1)[0].Listen
	cmd := exec.Command(program, "serve", "--root", root, "--user", "alice",
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--passive-ports", fmt.Sprintf("%d-%d", passive, passive),
		"--tls-cert", filepath.Join(dir, "tls.crt"), "--tls-key", filepath.Join(dir, "tls.key"))
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	made, found := strings.CutPrefix(strings.TrimSpace(line), "Password of alice: ")
	if !found || len(made) < 20 {
		t.Fatalf("it printed %q", line)
	}
	eventually(t, 2*time.Minute, "the control port", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	local := randomFile(t, 100_000)
	for _, version := range []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13} {
		c := ftpclient.Connection{Client: ftpclient.Curl{}, Target: ftpclient.Target{
			Host: "127.0.0.1", Port: port, User: "alice", Password: made, TLS: version, CAFile: filepath.Join(dir, "ca.crt"),
		}}
		must(t, c.Upload(soon(t), local, "/"+string(version)))
		sameContent(t, filepath.Join(root, string(version)), local)
	}
}

// TestBadFlags: what can't work is refused at once, with what to do.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"neither":     {nil, "give either --config FILE or --root DIR"},
		"both":        {[]string{"--config", "x", "--root", root, "--user", "a"}, "give either --config FILE or --root DIR"},
		"no effect":   {[]string{"--config", "x.yaml", "--listen", ":21"}, "--listen is for a quick try"},
		"no user":     {[]string{"--root", root}, "--root needs --user"},
		"no root":     {[]string{"--root", root + "/missing", "--user", "a"}, root + "/missing"},
		"durability":  {[]string{"--root", root, "--user", "a", "--durability", "some"}, "give full or none"},
		"half a pair": {[]string{"--root", root, "--user", "a", "--tls-cert", "x"}, "go together"},
		"ports":       {[]string{"--root", root, "--user", "a", "--passive-ports", "9-1"}, "passive.range"},
		"no config":   {[]string{"--config", root + "/missing.yaml"}, "missing.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program, append([]string{"serve"}, c.args...)...)
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("exit %v, and it says %q, want %q", err, out, c.says)
			}
		})
	}
}

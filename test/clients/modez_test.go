package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// packingLFTP is lftp with MODE Z, given a script.
func packingLFTP(t *testing.T, s *server, secured bool, lines ...string) *exec.Cmd {
	t.Helper()
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + `"`
	script := append([]string{
		"set cmd:fail-exit yes", "set net:max-retries 1", "set net:timeout 20", "set ftp:use-mode-z yes",
		fmt.Sprintf("set ftp:ssl-allow %t", secured), fmt.Sprintf("set ftp:ssl-force %t", secured), "set ftp:ssl-protect-data yes",
		"set ssl:check-hostname no", "set ssl:ca-file " + filepath.Join(s.dir, "ca.crt"),
		fmt.Sprintf("open -p %d 127.0.0.1", s.port), "user alice " + quoted,
	}, lines...)
	cmd := exec.CommandContext(soon(t), "lftp", "--norc")
	cmd.Stdin = strings.NewReader(strings.Join(script, "\n") + "\n")
	return cmd
}

// TestModeZWithLFTP: a real client's compressed transfers, in clear and over TLS.
func TestModeZWithLFTP(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.ModeZ = config.ModeZAllow })
	s.start()
	text := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(text, []byte(strings.Repeat("A line as there are many of.\r\n", 200_000)), 0o600))
	for _, secured := range []bool{false, true} {
		for name, local := range map[string]string{"text": text, "random": randomFile(t, 3_000_000), "empty": randomFile(t, 0)} {
			back := filepath.Join(t.TempDir(), "back")
			out, err := packingLFTP(t, s, secured, "put "+local+" -o "+name, "ls", "get "+name+" -o "+back, "rm "+name).CombinedOutput()
			if err != nil || !strings.Contains(string(out), name) {
				t.Fatalf("%s, TLS %t: %v\n%s", name, secured, err, out)
			}
			sameContent(t, back, local)
		}
	}
	packed := s.log.find("Transfer", func(e entry) bool { return e["mode"] == "Z" && e["path"] == "/text" })
	if len(packed) != 4 {
		t.Errorf("%d transfers of the text were compressed", len(packed))
	}
	for _, e := range packed {
		if e["bytes"].(float64) > e["plainBytes"].(float64)/10 {
			t.Errorf("%v bytes of %v went over the wire", e["bytes"], e["plainBytes"])
		}
	}
}

// TestModeZUploaderKilled: of a compressed upload whose client is killed, nothing
// is ever taken for the file.
func TestModeZUploaderKilled(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.ModeZ = config.ModeZAllow })
	s.start()
	old, local := randomFile(t, 10_000), randomFile(t, 20<<20)
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	data, err := os.ReadFile(old)
	must(t, err)
	must(t, os.WriteFile(s.home("alice", "file"), data, 0o644))
	for i := range 6 {
		cmd := packingLFTP(t, s, i%2 == 1, "set net:limit-rate 4M", "put "+local+" -o file")
		must(t, cmd.Start())
		eventually(t, 2*time.Minute, "a part of the upload", func() bool { return arrived(t, s.root) > int64(200_000*(i+1)) })
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		s.log.wait(t, "Transfer", func(e entry) bool { return e["mode"] == "Z" && e["verb"] == "STOR" && e["outcome"] != "complete" })
		sameContent(t, s.home("alice", "file"), old)
		eventually(t, 2*time.Minute, "the end of the session", func() bool {
			return len(s.log.find("Session closed", nil)) >= i+1
		})
		for _, part := range hidden(t, s.root) {
			must(t, os.Remove(part))
		}
	}
	sameContent(t, s.home("alice", "file"), old)
}

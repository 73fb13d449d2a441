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

// TestMirror: lftp's mirror carries times and permissions over, both ways, and
// finds nothing to do the second time: what it uploaded is what it asks for.
func TestMirror(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("lftp"); err != nil {
		t.Skip("lftp is not installed")
	}
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	local, back := t.TempDir(), filepath.Join(t.TempDir(), "back")
	files := map[string]os.FileMode{"a": 0o644, "dir/b": 0o640, "dir/deeper/two words": 0o755, "dir/empty": 0o600}
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for name, mode := range files {
		path := filepath.Join(local, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(strings.Repeat(name, len(name)%3*1000)), 0o644))
		must(t, os.Chmod(path, mode))
		must(t, os.Chtimes(path, when, when))
	}
	lftp := func(command string) string {
		t.Helper()
		script := fmt.Sprintf("set cmd:fail-exit yes\nset net:max-retries 1\nset net:timeout 20\nset ssl:ca-file %q\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\n"+
			"open -p %d 127.0.0.1\nuser alice \"%s\"\n%s\n", filepath.Join(s.dir, "ca.crt"), s.port, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password), command)
		cmd := exec.CommandContext(soon(t), "lftp", "--norc")
		cmd.Stdin, cmd.Env = strings.NewReader(script), append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("lftp: %v\n%s", err, out)
		}
		return string(out)
	}
	lftp("mirror -R " + local + " /up")
	lftp("mirror /up " + back)
	for name, mode := range files {
		for _, path := range []string{s.home("alice", "up", name), filepath.Join(back, name)} {
			st, err := os.Stat(path)
			must(t, err)
			if !st.ModTime().Equal(when) || st.Mode() != mode {
				t.Errorf("%s has %v of %v, want %v of %v", path, st.Mode(), st.ModTime().UTC(), mode, when)
			}
			sameContent(t, path, filepath.Join(local, name))
		}
	}
	if out := lftp("mirror -R -v " + local + " /up"); strings.Contains(out, "Transferring") {
		t.Errorf("the second time there is something to do: %s", out)
	}
}

// TestCurlTellsTimes: curl asks MDTM, and takes the time for its own file.
func TestCurlTellsTimes(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSDisabled, nil)
	s.start()
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	must(t, os.WriteFile(s.home("alice", "file"), []byte("content\n"), 0o644))
	to := filepath.Join(t.TempDir(), "file")
	url := fmt.Sprintf("ftp://127.0.0.1:%d/file", s.port)
	cmd := exec.CommandContext(soon(t), "curl", "--silent", "--show-error", "--user", "alice:"+password, "--remote-time", "--output", to,
		"--quote", "MFMT 20010203040506 file", "--quote", "SITE CHMOD 600 file", "--quote", "HASH file", url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, out)
	}
	st, err := os.Stat(to)
	must(t, err)
	if !st.ModTime().Equal(when) {
		t.Errorf("the file came with %v", st.ModTime())
	}
}

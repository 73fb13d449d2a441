package clients

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// onePort is a server with one passive port, and so many users beside alice.
func onePort(t *testing.T, users int, edit func(*config.Config)) *server {
	t.Helper()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		c.Passive.Ports = freePorts(t, 1)
		c.Log.Level = "Info"
		for i := range users {
			c.Users = append(c.Users, user(t, fmt.Sprint("user-", i)))
		}
		if edit != nil {
			edit(c)
		}
	})
	s.start()
	return s
}

func hiddenAddresses(c *config.Config) { c.Passive.ClientAddresses = config.ClientAddressesHidden }

// crowdOfClients is how many client programs are at work at once, and how many files each
// stores and fetches. A user has two of them.
func crowdOfClients() (sessions, rounds int) {
	if full() {
		return 64, 10
	}
	return 16, 2
}

// TestOnePortOfClients: client programs, two of each user, store and fetch files of mixed
// size through one passive port, all from one address. None fails, none is told to try
// again, and each file is its owner's.
func TestOnePortOfClients(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*config.Config){"addresses known": nil, "addresses hidden": hiddenAddresses} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sessions, rounds := crowdOfClients()
			s := onePort(t, sessions/2, edit)
			var all sync.WaitGroup
			for i := range sessions {
				// These resume TLS sessions, which is what proves whose a connection is.
				client := []ftpclient.Client{ftpclient.Curl{}, ftpclient.LFTP{}}[i/2%2]
				all.Go(func() {
					s.storeAndFetch(t, client, fmt.Sprint("user-", i%(sessions/2)), fmt.Sprint("session-", i), rounds)
				})
			}
			all.Wait()
			s.nobodyWasRefused(t)
		})
	}
}

// storeAndFetch runs a client as a user.
func (s *server) storeAndFetch(t *testing.T, client ftpclient.Client, name, mark string, rounds int) {
	target := s.target()
	target.User, target.TLS = name, ftpclient.TLS13
	c, dir := ftpclient.Connection{Client: client, Target: target}, t.TempDir()
	for round := range rounds {
		remote := fmt.Sprintf("/%s-%d", mark, round)
		content := owned(name, mark, round)
		local, back := filepath.Join(dir, "local"), filepath.Join(dir, "back")
		if err := os.WriteFile(local, content, 0o600); err != nil {
			t.Error(err)
			return
		}
		if _, err := c.Session(longer(t), ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: remote},
			ftpclient.Operation{Kind: ftpclient.Download, Local: back, Remote: remote}); err != nil {
			t.Errorf("%s as %s: %v", client.Name(), name, err)
			return
		}
		for what, file := range map[string]string{"stored": s.home(name, remote), "fetched": back} {
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s %s: %d bytes, beginning %.60q, %v", remote, what, len(got), got, err)
			}
		}
	}
}

// owned is the content of a file that tells throughout whose it is, of a size that goes
// round with the rounds.
func owned(name, mark string, round int) []byte {
	sizes := []int{900, 300_000, 40_000, 1, 3_000_000}
	line := []byte(fmt.Sprintf("%s %s %d\n", name, mark, round))
	n := sizes[(round+len(mark))%len(sizes)]
	return bytes.Repeat(line, n/len(line)+1)[:n]
}

func (s *server) nobodyWasRefused(t *testing.T) {
	t.Helper()
	for _, message := range []string{"No passive port for a session", "No data connection was taken", "Data connection rejected"} {
		if lines := s.log.find(message, nil); len(lines) > 0 {
			t.Errorf("the log has %d lines %q, such as %v", len(lines), message, lines[0])
		}
	}
}

// TestOnePortOfOneClient: curl with eight transfers at once has a control connection for
// each, and one cache of TLS sessions for all of them. It uses a ticket once, and so has
// none for some of its data connections: where addresses are hidden, nothing would tell
// whose those are.
func TestOnePortOfOneClient(t *testing.T) {
	t.Parallel()
	s, dir := onePort(t, 0, nil), t.TempDir()
	const files = 24
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	for i := range files {
		must(t, os.WriteFile(s.home("alice", fmt.Sprint("down-", i)), owned("alice", fmt.Sprint("down-", i), i), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("up-", i)), owned("alice", fmt.Sprint("up-", i), i), 0o600))
	}
	s.curlParallel(t, files, func(i int) string {
		return fmt.Sprintf("output = %q\n", filepath.Join(dir, fmt.Sprint("down-", i)))
	}, "down-")
	s.curlParallel(t, files, func(i int) string {
		return fmt.Sprintf("upload-file = %q\n", filepath.Join(dir, fmt.Sprint("up-", i)))
	}, "up-")
	for i := range files {
		for mark, file := range map[string]string{
			fmt.Sprint("down-", i): filepath.Join(dir, fmt.Sprint("down-", i)),
			fmt.Sprint("up-", i):   s.home("alice", fmt.Sprint("up-", i)),
		} {
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, owned("alice", mark, i)) {
				t.Errorf("%s: %d bytes, beginning %.60q, %v", file, len(got), got, err)
			}
		}
	}
	s.nobodyWasRefused(t)
}

// curlParallel has curl transfer files, eight at once.
func (s *server) curlParallel(t *testing.T, files int, what func(i int) string, remote string) {
	t.Helper()
	must(t, ftpclient.Missing(ftpclient.Curl{}))
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var options strings.Builder
	fmt.Fprintf(&options, "silent\nshow-error\nfail-early\nparallel\nparallel-immediate\nparallel-max = 8\nssl-reqd\ntlsv1.3\ncacert = \"%s\"\nuser = \"alice:%s\"\n",
		filepath.Join(s.dir, "ca.crt"), quote.Replace(password))
	for i := range files {
		fmt.Fprintf(&options, "url = \"ftp://127.0.0.1:%d/%s%d\"\n%s", s.port, remote, i, what(i))
	}
	cmd := exec.CommandContext(soon(t), "curl", "-q", "--config", "-")
	cmd.Stdin = strings.NewReader(options.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("curl: %v\n%s", err, out)
	}
}

// TestOnePortCarries tells how many small files go through one passive port, and how long
// sessions wait for it: figures, of which only a 425 with 64 sessions is a failure.
func TestOnePortCarries(t *testing.T) {
	if !full() {
		t.Skip("set FTP_TEST_FULL=1 to measure what one passive port carries")
	}
	for _, test := range []struct {
		name    string
		version uint16
		edit    func(*config.Config)
	}{
		{"in clear", 0, nil},
		{"TLS 1.2", tls.VersionTLS12, nil},
		{"TLS 1.3", tls.VersionTLS13, nil},
		{"hidden, TLS 1.2", tls.VersionTLS12, hiddenAddresses},
		{"hidden, TLS 1.3", tls.VersionTLS13, hiddenAddresses},
	} {
		for _, sessions := range []int{1, 8, 64, 256} {
			t.Run(fmt.Sprintf("%s, %d sessions", test.name, sessions), func(t *testing.T) {
				s := onePort(t, (sessions+1)/2, test.edit)
				p := &portLoad{s: s, version: test.version, trust: s.trust(t), until: time.Now().Add(portLoadTime)}
				p.run(t, sessions)
				if p.busy > 0 && sessions <= 64 {
					t.Errorf("%d requests were told to try again", p.busy)
				}
			})
		}
	}
}

// trust is what a client in this process needs for TLS.
func (s *server) trust(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(s.dir, "ca.crt"))
	must(t, err)
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: serverName}
	c.RootCAs.AppendCertsFromPEM(pem)
	return c
}

// portLoadTime is how long each measurement takes.
const portLoadTime = 5 * time.Second

// portLoad is what sessions do with a port.
type portLoad struct {
	s       *server
	version uint16
	trust   *tls.Config
	until   time.Time // sessions begin nothing after it

	mu    sync.Mutex
	waits figures.Durations
	done  int
	busy  int // answers 425 to EPSV
}

func (p *portLoad) run(t *testing.T, sessions int) {
	t.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			if err := p.session(fmt.Sprint("user-", i/2), fmt.Sprint("file-", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	p.waits.Record(t, fmt.Sprintf("%d transfers, %.0f a second; %d requests were told to try again; EPSV took",
		p.done, float64(p.done)/time.Since(began).Seconds(), p.busy))
}

// session stores a file of 1 KiB again and again.
func (p *portLoad) session(name, file string) error {
	loopback := net.IPv4(127, 0, 0, 1)
	w, err := soakDial(fmt.Sprintf("127.0.0.1:%d", p.s.port), loopback)
	if err != nil {
		return err
	}
	defer func() { _ = w.raw.Close() }()
	if _, _, err := w.read(soakPatience); err != nil {
		return err
	}
	if p.version != 0 {
		if err := w.secure(p.trust, p.version, true); err != nil {
			return err
		}
	}
	if _, err := w.login(name, password); err != nil {
		return err
	}
	for time.Now().Before(p.until) {
		if err := p.transfer(w, file); err != nil {
			return err
		}
	}
	return w.quit()
}

func (p *portLoad) transfer(w *soakWire, file string) error {
	asked := time.Now()
	d, err := w.data("EPSV")
	took := time.Since(asked)
	var refused *replyError
	if errors.As(err, &refused) && refused.code == 425 {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.busy++
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	if _, err := w.do("STOR "+file, 150); err != nil {
		return err
	}
	c, err := d.open()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c, strings.Repeat("x", 1<<10)); err != nil {
		return err
	}
	d.end()
	if _, _, err := w.expect("STOR", 226); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.waits.Add("EPSV", took)
	return nil
}

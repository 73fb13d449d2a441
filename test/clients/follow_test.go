package clients

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestFollowDirect: whoever follows a Direct upload with tail -f sees what a
// client has sent long before it ends, in clear and over TLS.
func TestFollowDirect(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Storage.Uploads = config.UploadsDirect })
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	s.start()
	for name, one := range map[string]struct {
		client ftpclient.Client
		follow func(t *testing.T, s *server, c ftpclient.Connection, remote string)
	}{
		"curl":      {ftpclient.Curl{}, followPipe},
		"ftplib":    {ftpclient.FTPLib{}, followPipe},
		"curl-slow": {ftpclient.Curl{}, followSlow},
		"lftp-slow": {ftpclient.LFTP{}, followSlow}, // over TLS it holds back what a pipe has given
	} {
		for _, version := range []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13} {
			t.Run(name+"-"+string(version), func(t *testing.T) {
				t.Parallel()
				target := s.target()
				target.TLS = version
				one.follow(t, s, ftpclient.Connection{Client: one.client, Target: target}, "/"+name+string(version))
			})
		}
	}
}

// followSlow follows a client that sends slowly.
func followSlow(t *testing.T, s *server, c ftpclient.Connection, remote string) {
	t.Helper()
	local := randomFile(t, resumeSize)
	p, err := c.Start(longer(t), ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: remote, Rate: slowly})
	must(t, err)
	eventually(t, time.Minute, "the file", func() bool { return size(s.home("alice", remote)) > 0 })
	seen := tailOf(t, s.home("alice", remote))
	eventually(t, time.Minute, "in tail what was sent", func() bool { return seen.Len() > enough })
	if len(s.log.find("Transfer", field("path", remote))) > 0 {
		t.Error("the upload had ended before anything was seen of it")
	}
	_, err = p.Wait()
	must(t, err)
	eventually(t, time.Minute, "in tail all that was sent", func() bool { return seen.Len() >= resumeSize })
	want, err := os.ReadFile(local)
	must(t, err)
	if seen.String() != string(want) {
		t.Error("tail has shown other content than was sent")
	}
}

// followPipe follows a client that reads from a pipe, which goes on only when
// tail has shown all so far: nothing depends on how quick anything is.
func followPipe(t *testing.T, s *server, c ftpclient.Connection, remote string) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	p, err := c.Start(longer(t), ftpclient.Operation{Kind: ftpclient.Upload, Local: pipe, Remote: remote, Rate: 64 << 20}) // by which ftplib sends small blocks
	must(t, err)
	ended := make(chan error, 1)
	go func() { _, err := p.Wait(); ended <- err }()
	in, err := os.OpenFile(pipe, os.O_RDWR, 0) // which does not wait for the client
	must(t, err)
	var sent bytes.Buffer
	say := func(n int) {
		for range n {
			line := fmt.Sprintf("line at byte %d of the log of %s\n", sent.Len(), c.Client.Name())
			sent.WriteString(line)
			_, err := io.WriteString(in, line)
			must(t, err)
		}
	}
	say(2000)
	eventually(t, time.Minute, "the file", func() bool { return size(s.home("alice", remote)) > 0 })
	seen := tailOf(t, s.home("alice", remote))
	for range 3 {
		// ftplib sends blocks of 8 KiB: the last one may be under way.
		eventually(t, time.Minute, "in tail what was sent", func() bool { return seen.Len() > sent.Len()-(16<<10) })
		select {
		case err := <-ended:
			t.Fatalf("the client has ended before its input has: %v", err)
		default:
		}
		say(1000)
	}
	must(t, in.Close())
	must(t, <-ended)
	eventually(t, time.Minute, "in tail all that was sent", func() bool { return seen.Len() >= sent.Len() })
	if seen.String() != sent.String() {
		t.Error("tail has shown other content than was sent")
	}
}

// output is what a program has printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Len()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// tailOf runs tail -f on a file until the test ends.
func tailOf(t *testing.T, path string) *output {
	t.Helper()
	seen := &output{}
	cmd := exec.Command("tail", "-c", "+1", "-f", path)
	cmd.Stdout, cmd.Stderr = seen, os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return seen
}

package e2e

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// The slow transfers of our own client move a little at a time until they are
// told to come to an end. That is often enough for the server not to take them
// for stalled.
const (
	slowBytes = 12 << 10
	slowEvery = 100 * time.Millisecond
)

// noise is the same endless content each time.
func noise() io.Reader { return rand.NewChaCha8([32]byte{1}) }

// slowTransfers begins a download and an upload that go on until the function
// it returns is called. That ends them, and fails where one was cut or has lost
// a byte. So both were under way during all that happened in between.
func (s *stage) slowTransfers() (finish func()) {
	s.t.Helper()
	size := int64(64 << 20) // some nine minutes
	if full {
		size = 512 << 20
	}
	must(s.t, s.login(s.bystander).store("/slow-down", io.LimitReader(noise(), size)))
	down, up := s.login(s.bystander), s.login(s.bystander)
	hurry := make(chan struct{})
	results := make(chan error, 2)
	got, want := sha256.New(), sha256.New()
	go func() {
		n, err := down.retrieve("/slow-down", slowly{got, hurry})
		if err == nil && n != size {
			err = fmt.Errorf("it has %d of %d bytes", n, size)
		}
		results <- prefixed("the slow download", err)
	}()
	sent := &counted{r: noise(), h: want}
	go func() { results <- prefixed("the slow upload", up.store("/slow-up", pacedReader{sent, hurry})) }()
	return func() {
		s.t.Helper()
		select {
		case err := <-results:
			s.t.Fatalf("A slow transfer was over before its time: %v", err)
		default:
		}
		close(hurry)
		must(s.t, <-results)
		must(s.t, <-results)
		whole := sha256.New()
		_, _ = io.CopyN(whole, noise(), size)
		sameSum(s, "slow download", got, whole)
		back := sha256.New()
		n, err := s.login(s.bystander).retrieve("/slow-up", back)
		must(s.t, err)
		if n != sent.n {
			s.t.Errorf("The slow upload has left %d of %d bytes", n, sent.n)
		}
		sameSum(s, "slow upload", back, want)
	}
}

func sameSum(s *stage, what string, a, b hash.Hash) {
	s.t.Helper()
	if string(a.Sum(nil)) != string(b.Sum(nil)) {
		s.t.Errorf("The content of the %s is another one", what)
	}
}

func prefixed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// slowly writes a little at a time until hurry is closed.
type slowly struct {
	w     io.Writer
	hurry <-chan struct{}
}

func (p slowly) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), slowBytes)
		if !pause(p.hurry) {
			n = len(rest)
		}
		if _, err := p.w.Write(rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// pacedReader gives a little at a time, and its end once hurry is closed.
type pacedReader struct {
	r     io.Reader
	hurry <-chan struct{}
}

func (p pacedReader) Read(b []byte) (int, error) {
	if !pause(p.hurry) {
		return 0, io.EOF
	}
	return p.r.Read(b[:min(len(b), slowBytes)])
}

// pause takes its time, and tells whether that is still wanted.
func pause(hurry <-chan struct{}) bool {
	select {
	case <-hurry:
		return false
	case <-time.After(slowEvery):
		return true
	}
}

// counted knows how much was read, and its hash.
type counted struct {
	r io.Reader
	h hash.Hash
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.h.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// curlTransfers begins, in the first round, a download and an upload of half a
// minute by a real client; the function that it returns waits for them, and
// fails where one was cut.
func (s *stage) curlTransfers(i int) (wait func()) {
	s.t.Helper()
	if i > 0 {
		return func() {}
	}
	dave := newUser(s.server.Namespace, "dave", s.server.Name)
	create(s.t, dave)
	ready(s.t, dave)
	curl := connection(s.t, ftpclient.Curl{}, s.server, dave)
	local, down := randomFile(s.t, 4<<20), filepath.Join(s.t.TempDir(), "down")
	must(s.t, curl.Upload(soon(s.t), local, "/down"))
	rate := 128 << 10 // bytes per second: 32 s
	var running []*ftpclient.Process
	for _, op := range []ftpclient.Operation{
		{Kind: ftpclient.Download, Remote: "/down", Local: down, Rate: rate},
		{Kind: ftpclient.Upload, Remote: "/up", Local: local, Rate: rate},
	} {
		p, err := curl.Start(s.t.Context(), op)
		must(s.t, err)
		running = append(running, p)
	}
	// Both must be in before the limits change.
	eventually(s.t, func() string {
		if n := s.log.lines(`"msg":"Login"`, `"user":"dave"`); n < 3 {
			return fmt.Sprintf("%d of 3 logins are logged", n)
		}
		return ""
	})
	return func() {
		s.t.Helper()
		for _, p := range running {
			_, err := p.Wait()
			must(s.t, err)
		}
		same(s.t, local, down)
		curl.Target.CAFile = caFile(s.t, s.server) // it may be another by now
		holds(s.t, curl, "/up", local)
	}
}

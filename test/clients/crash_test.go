package clients

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// oneUpload is one of many at the time of a crash.
type oneUpload struct {
	local, remote string
	acknowledged  bool
}

// TestServerKilled: whatever moment a server dies at, an acknowledged upload is
// whole, and no name shows less than a whole file: the new one, or the old one.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	const count, before = 50, 20
	old := randomFile(t, 10<<10)
	uploads := prepareUploads(t, s, count, old)
	running := s.endless(t, old)

	var acknowledged atomic.Int32
	crashed := make(chan struct{})
	var workers sync.WaitGroup
	next := make(chan int, count)
	for i := range count {
		next <- i
	}
	close(next)
	for range 8 {
		workers.Go(func() {
			for i := range next {
				u := &uploads[i]
				u.acknowledged = s.curl(i).runs(t, u) == nil
				if u.acknowledged && acknowledged.Add(1) == before {
					close(crashed)
				}
			}
		})
	}
	select {
	case <-crashed:
	case <-time.After(5 * time.Minute):
		t.Fatal("too few uploads")
	}
	s.kill()
	workers.Wait()
	if _, err := running.Wait(); err == nil {
		t.Error("an upload ended well though the server had died")
	}
	if n := len(hidden(t, s.root)); n == 0 {
		t.Error("no upload was running when the server was killed: the test shows nothing")
	}
	sameContent(t, s.home("alice", "endless"), old)
	judgeUploads(t, s, uploads, old)

	s.start()
	eventually(t, 2*time.Minute, "a sweep", func() bool { return len(hidden(t, s.root)) == 0 })
	judgeUploads(t, s, uploads, old)
}

// endless begins an upload over an older file that lasts longer than the test, and
// returns when some of it is there: whenever the server dies, one is running.
func (s *server) endless(t *testing.T, old string) *ftpclient.Process {
	t.Helper()
	must(t, exec.Command("cp", old, s.home("alice", "endless")).Run())
	op := ftpclient.Operation{Kind: ftpclient.Upload, Local: randomFile(t, 32<<20), Remote: "/endless", Rate: 32 << 10}
	p, err := s.curl(0).Start(t.Context(), op)
	must(t, err)
	eventually(t, 2*time.Minute, "some of the endless upload", func() bool { return arrived(t, s.root) > 0 })
	return p
}

// prepareUploads makes the files to send; every third replaces an older one.
func prepareUploads(t *testing.T, s *server, count int, old string) []oneUpload {
	t.Helper()
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	data, err := os.ReadFile(old)
	must(t, err)
	uploads := make([]oneUpload, count)
	for i := range uploads {
		uploads[i] = oneUpload{local: randomFile(t, int64(100+i*20)<<10), remote: fmt.Sprintf("/file-%d", i)}
		if i%3 == 0 {
			must(t, os.WriteFile(s.home("alice", uploads[i].remote), data, 0o644))
		}
	}
	return uploads
}

// curl is curl, in clear or over TLS by turns.
func (s *server) curl(i int) slowCurl {
	target := s.target()
	target.TLS = []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13, ftpclient.TLS12}[i%3]
	return slowCurl{ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}}
}

type slowCurl struct{ ftpclient.Connection }

func (c slowCurl) runs(t *testing.T, u *oneUpload) error {
	_, err := c.Do(t.Context(), ftpclient.Operation{Kind: ftpclient.Upload, Local: u.local, Remote: u.remote, Rate: 4 << 20})
	return err
}

// judgeUploads: a file whose 226 was on its way when the server died may be
// there, but then it is whole.
func judgeUploads(t *testing.T, s *server, uploads []oneUpload, old string) {
	t.Helper()
	published := 0
	for i, u := range uploads {
		path := s.home("alice", u.remote)
		switch {
		case exists(path) && checksum(t, path) == checksum(t, u.local):
			if !u.acknowledged {
				published++
			}
		case u.acknowledged:
			t.Errorf("%s was acknowledged and is not whole", u.remote)
		case i%3 == 0:
			sameContent(t, path, old)
		case exists(path):
			t.Errorf("%s is visible, not acknowledged and not whole", u.remote)
		}
	}
	if published > 8 {
		t.Errorf("%d files are there without a 226: more than were being sent", published)
	}
}

// kills is how many clients die in TestClientKilled.
const kills = 50

// TestClientKilled: a client that dies ends its connections as if it had
// finished. The good file under the name must stay, whichever client it is, in
// clear and over TLS. By what the server told the deaths is recorded.
func TestClientKilled(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	good, local := randomFile(t, 100<<10), randomFile(t, 16<<20)
	var mu sync.Mutex
	told := map[string]int{}
	t.Run("kill", func(t *testing.T) {
		for i := range kills {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				by := s.killOne(t, i, good, local)
				mu.Lock()
				defer mu.Unlock()
				told[fmt.Sprintf("TLS %s: %s", s.mortal(i).Target.TLS, by)]++
			})
		}
	})
	text := fmt.Sprintf("how %d clients killed in uploads over an older file were told from a normal end", kills)
	for _, by := range slices.Sorted(maps.Keys(told)) {
		text += fmt.Sprintf("\n%4d  %s", told[by], by)
	}
	figures.Record(t, text)
}

// mortal is one of the clients, in clear or over TLS by turns.
func (s *server) mortal(i int) ftpclient.Connection {
	all := ftpclient.All()
	target := s.target()
	target.TLS = everyTLS[i/len(all)%len(everyTLS)]
	return ftpclient.Connection{Client: all[i%len(all)], Target: target}
}

// killOne kills a client in the middle of an upload over a good file, and returns
// by what the server told that from the end of the file.
func (s *server) killOne(t *testing.T, i int, good, local string) string {
	t.Helper()
	dir := fmt.Sprintf("dir-%d", i)
	must(t, os.MkdirAll(s.home("alice", dir), 0o755))
	must(t, exec.Command("cp", good, s.home("alice", dir, "good")).Run())
	client := s.mortal(i)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	p, err := client.Start(ctx, ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: "/" + dir + "/good", Rate: 4 << 20})
	must(t, err)
	// At another moment each: from the first bytes to a fifth of the file.
	eventually(t, 2*time.Minute, "some of the upload", func() bool { return temporaries(t, s.home("alice", dir)) > int64(i)<<16 })
	must(t, p.Kill())
	_, _ = p.Wait()
	e := s.log.wait(t, "Transfer", field("path", "/"+dir+"/good"))
	if e.text("outcome") != "complete" {
		sameContent(t, s.home("alice", dir, "good"), good)
		return strings.TrimSpace(e.text("error")[strings.LastIndex(e.text("error"), ": ")+1:])
	}
	t.Errorf("%s: an upload of a killed %s was acknowledged: %v", dir, client.Client.Name(), e)
	return "not at all"
}

// temporaries is how much the uploads that run now have brought; what earlier
// ones have left to be resumed does not count.
func temporaries(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, path := range hidden(t, dir) {
		if strings.HasPrefix(filepath.Base(path), hiddenPrefix+"tmp-") {
			n += max(0, size(path))
		}
	}
	return n
}

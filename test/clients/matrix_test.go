package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// combination is one way in which a client may work.
type combination struct {
	client ftpclient.Client
	tls    ftpclient.TLS
	mode   ftpclient.Mode
}

// user is the login of the combination, so that its sessions can be told from
// others in the log.
func (c combination) user() string {
	return strings.ReplaceAll(fmt.Sprintf("%s-%s-%s", c.client.Name(), c.tls, c.mode), ".", "")
}

func combinations(tls []ftpclient.TLS, modes []ftpclient.Mode) []combination {
	var all []combination
	for _, client := range ftpclient.All() {
		for _, version := range tls {
			for _, mode := range modes {
				all = append(all, combination{client, version, mode})
			}
		}
	}
	return all
}

// bench is a combination at work.
type bench struct {
	combination
	ftpclient.Connection
	server *server
}

// forEach runs f for every combination, on one server.
func forEach(t *testing.T, mode config.TLSMode, all []combination, f func(t *testing.T, b *bench)) {
	t.Helper()
	s := newServer(t, mode, func(c *config.Config) {
		c.Active = true
		for _, one := range all {
			c.Users = append(c.Users, user(t, one.user()))
		}
	})
	s.start()
	t.Run("client", func(t *testing.T) {
		for _, one := range all {
			t.Run(one.user(), func(t *testing.T) {
				t.Parallel()
				target := s.target()
				target.User, target.TLS, target.Mode = one.user(), one.tls, one.mode
				f(t, &bench{one, ftpclient.Connection{Client: one.client, Target: target}, s})
			})
		}
	})
}

var (
	everyTLS  = []ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS12, ftpclient.TLS13}
	everyMode = []ftpclient.Mode{ftpclient.PASV, ftpclient.EPSV}
)

// disk is a remote path on the server's disk.
func (b *bench) disk(remote string) string { return b.server.home(b.user(), remote) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDailyWork: every client, in every mode, over every protection, can do a
// day's work.
func TestDailyWork(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, combinations(everyTLS, everyMode), func(t *testing.T, b *bench) {
		b.transfer(t, "/file.bin", 3<<20+17)
		b.transfer(t, "/empty", 0)
		b.manage(t)
		b.oddNames(t)
		b.checkLog(t)
	})
}

// TestActive: the server connects to clients that ask for it.
func TestActive(t *testing.T) {
	t.Parallel()
	every := combinations([]ftpclient.TLS{ftpclient.TLSNone, ftpclient.TLS13}, []ftpclient.Mode{ftpclient.Active})
	every = slices.DeleteFunc(every, func(c combination) bool {
		// curl 7.88 sends in clear on active connections, PROT P or not.
		return c.client.Name() == "curl" && c.tls != ftpclient.TLSNone
	})
	forEach(t, config.TLSOptional, every, func(t *testing.T, b *bench) {
		b.transfer(t, "/file.bin", 1<<20+1)
		b.transfer(t, "/empty", 0)
		b.checkLog(t)
	})
}

// transfer sends a file up and down again.
func (b *bench) transfer(t *testing.T, remote string, length int64) {
	t.Helper()
	local, back := randomFile(t, length), filepath.Join(t.TempDir(), "back")
	must(t, b.Upload(soon(t), local, remote))
	sameContent(t, b.disk(remote), local)
	must(t, b.Download(soon(t), remote, back))
	if length == 0 && !exists(back) {
		return // some clients create no file for nothing
	}
	sameContent(t, back, local)
}

// manage makes, lists, renames and removes.
func (b *bench) manage(t *testing.T) {
	t.Helper()
	local := randomFile(t, 100)
	must(t, b.Mkdir(soon(t), "/dir"))
	must(t, b.Upload(soon(t), local, "/dir/one"))
	must(t, b.Mkdir(soon(t), "/dir/sub"))
	b.lists(t, "/dir", "one", "sub")
	must(t, b.Rename(soon(t), "/dir/one", "/dir/sub/two"))
	sameContent(t, b.disk("/dir/sub/two"), local)
	b.lists(t, "/dir/sub", "two")
	if err := b.Rmdir(soon(t), "/dir/sub"); err == nil {
		t.Fatal("a directory with a file in it was removed")
	}
	must(t, b.Delete(soon(t), "/dir/sub/two"))
	must(t, b.Rmdir(soon(t), "/dir/sub"))
	must(t, b.Rmdir(soon(t), "/dir"))
	if exists(b.disk("/dir")) {
		t.Fatal("the directory is still there")
	}
	if err := b.Delete(soon(t), "/dir"); err == nil {
		t.Fatal("what does not exist was deleted")
	}
}

// lists holds a listing against the names, in any order.
func (b *bench) lists(t *testing.T, dir string, want ...string) {
	t.Helper()
	if !b.kind(ftpclient.List) {
		return
	}
	names, err := b.List(soon(t), dir)
	must(t, err)
	for i := range names {
		names[i] = strings.TrimSuffix(filepath.Base(names[i]), "/") // lftp marks directories, NLST tells paths
	}
	slices.Sort(names)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(names, want) {
		t.Fatalf("listing of %s is %q, want %q", dir, names, want)
	}
}

var oddNames = []string{
	"two words", "Überraschung 日本語 🦊", `quo"te"d 'single'`, "100%25#1", "a&b;c=d+e?f", `back\slash`, "[x]{y}*",
	strings.Repeat("long", 63),
}

// oddNames are uploaded, listed, downloaded, renamed and deleted.
func (b *bench) oddNames(t *testing.T) {
	t.Helper()
	local := randomFile(t, 300)
	must(t, b.Mkdir(soon(t), `/odd "dir" ü`))
	for _, name := range oddNames {
		remote, back := `/odd "dir" ü/`+name, filepath.Join(t.TempDir(), "back")
		must(t, b.Upload(soon(t), local, remote))
		sameContent(t, b.disk(remote), local)
		must(t, b.Download(soon(t), remote, back))
		sameContent(t, back, local)
	}
	b.lists(t, `/odd "dir" ü`, oddNames...)
	for _, name := range oddNames {
		must(t, b.Rename(soon(t), `/odd "dir" ü/`+name, "/"+name))
		must(t, b.Delete(soon(t), "/"+name))
	}
	left, err := os.ReadDir(b.disk(`/odd "dir" ü`))
	must(t, err)
	if len(left) > 0 {
		t.Fatalf("left over: %v", left)
	}
}

// checkLog holds the combination's sessions against what the test was meant to
// do: a client that falls back to another mode must not pass.
func (b *bench) checkLog(t *testing.T) {
	t.Helper()
	sessions := map[float64]bool{}
	for _, e := range b.server.log.find("Login", field("user", b.user())) {
		sessions[e["session"].(float64)] = true
	}
	own := func(e entry) bool { return sessions[e["session"].(float64)] }
	asked := map[string]int{}
	for _, e := range b.server.log.find("Command", own) {
		asked[e.text("verb")]++
	}
	for verb, mode := range map[string]ftpclient.Mode{"PASV": ftpclient.PASV, "EPSV": ftpclient.EPSV, "PORT": ftpclient.Active, "EPRT": ftpclient.Active} {
		if b.mode != ftpclient.Default && mode != b.mode && asked[verb] > 0 {
			t.Errorf("%s was sent %d times", verb, asked[verb])
		}
	}
	for _, e := range b.server.log.find("Transfer", own) {
		if e["tls"] != (b.tls != ftpclient.TLSNone) {
			t.Errorf("transfer not as asked: %v", e)
		}
	}
	for _, e := range b.server.log.find("Control connection secured", own) {
		if e.text("version") != "TLS "+string(b.tls) {
			t.Errorf("session over %s, want TLS %s", e.text("version"), b.tls)
		}
	}
}

// TestResume: a client is killed in the middle of a transfer; its own way of
// going on makes the file whole, and moves only what was missing.
func TestResume(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, combinations(everyTLS, everyMode), func(t *testing.T, b *bench) {
		t.Run("upload", b.resumeUpload)
		t.Run("download", b.resumeDownload)
	})
}

const (
	// resumeSize takes 16 seconds at that rate: also on a busy machine, the client
	// is killed in the middle.
	resumeSize = 16 << 20
	slowly     = 1 << 20 // bytes per second
	enough     = 500 << 10
)

func (b *bench) resumeUpload(t *testing.T) {
	local := randomFile(t, resumeSize)
	slow := ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: "/up", Rate: slowly}
	p, err := b.first(slow).Start(soon(t), slow)
	must(t, err)
	eventually(t, 2*time.Minute, "half of the upload", func() bool { return arrived(t, b.disk("/")) > enough })
	must(t, p.Kill())
	_, _ = p.Wait()
	b.lastTransfer(t, "/up", "") // the server has seen that the client is gone
	if exists(b.disk("/up")) {
		t.Fatal("an interrupted upload is visible")
	}
	must(t, b.ResumeUpload(soon(t), local, "/up"))
	sameContent(t, b.disk("/up"), local)
	resumed := b.lastTransfer(t, "/up", "complete")
	if n := resumed.number("bytes"); n > resumeSize-enough {
		t.Fatalf("the resumed upload moved %d bytes, so it began anew", n)
	}
	if by := resumed.text("verb"); (by == "APPE") != slices.Contains(appends, b.Client.Name()) {
		t.Errorf("what was interrupted went on by %s", by)
	}
	if left := hidden(t, b.disk("/")); len(left) > 0 {
		t.Fatalf("left over: %v", left)
	}
}

func (b *bench) resumeDownload(t *testing.T) {
	remote, local := randomFile(t, resumeSize), filepath.Join(t.TempDir(), "down")
	data, err := os.ReadFile(remote)
	must(t, err)
	must(t, os.WriteFile(b.disk("/down"), data, 0o600))
	p, err := b.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Local: local, Remote: "/down", Rate: slowly})
	must(t, err)
	eventually(t, 2*time.Minute, "half of the download", func() bool { return size(local) > enough })
	must(t, p.Kill())
	_, _ = p.Wait()
	if size(local) == resumeSize {
		must(t, os.Truncate(local, enough)) // the client was quicker than the kill
	}
	b.lastTransfer(t, "/down", "") // complete, where all of it was in the kernel's buffers
	must(t, b.ResumeDownload(soon(t), "/down", local))
	sameContent(t, local, remote)
	eventually(t, 2*time.Minute, "the line of the resumed download", func() bool { return len(b.transfers("/down", "")) == 2 })
	if n := b.lastTransfer(t, "/down", "complete").number("bytes"); n > resumeSize-enough {
		t.Fatalf("the resumed download moved %d bytes, so it began anew", n)
	}
}

// transfers are the lines of the log for a path; an outcome of "" is any.
func (b *bench) transfers(path, outcome string) []entry {
	return b.server.log.find("Transfer", func(e entry) bool {
		return e.text("user") == b.user() && e.text("path") == path && (outcome == "" || e.text("outcome") == outcome)
	})
}

func (b *bench) lastTransfer(t *testing.T, path, outcome string) entry {
	t.Helper()
	var all []entry
	eventually(t, 2*time.Minute, "the line of a transfer of "+path, func() bool {
		all = b.transfers(path, outcome)
		return len(all) > 0
	})
	return all[len(all)-1]
}

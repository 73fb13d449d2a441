package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// appends are clients that go on with an upload by APPE, which the server
// refuses where there is a file besides what was interrupted: it can't know
// which of the two is meant.
var appends = []string{"curl", "curl-current", "basic-ftp"}

// TestDroppedLargerUpload: a larger upload over an older file drops. Until it is
// done, the older file is there; and however the client goes on, from where it
// was or anew, the result is the source and no mixture of the two.
func TestDroppedLargerUpload(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, firstWays(everyClient()), func(t *testing.T, b *bench) {
		if !b.can(ftpclient.Operation{Kind: ftpclient.Upload}) {
			t.Skipf("%s uploads nothing", b.Client.Name())
		}
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		old, source := randomFile(t, 1<<20), randomFile(t, resumeSize)
		b.put(t, old, "/file")
		upload := ftpclient.Operation{Kind: ftpclient.Upload, Local: source, Remote: "/file", Rate: slowly}
		p, err := b.first(upload).Start(soon(t), upload)
		must(t, err)
		eventually(t, 2*time.Minute, "more of the upload than the older file has", func() bool { return arrived(t, b.disk("/")) > 3<<19 })
		must(t, p.Kill())
		_, _ = p.Wait()
		b.lastTransfer(t, "/file", "")
		sameContent(t, b.disk("/file"), old)
		switch {
		case slices.Contains(appends, b.Client.Name()):
			if err := b.ResumeUpload(soon(t), source, "/file"); err == nil {
				sameContent(t, b.disk("/file"), source)
				return
			}
			sameContent(t, b.disk("/file"), old)
			must(t, b.Upload(soon(t), source, "/file"))
		case b.kind(ftpclient.ResumeUpload):
			must(t, b.ResumeUpload(soon(t), source, "/file"))
		default:
			must(t, b.Upload(soon(t), source, "/file"))
		}
		sameContent(t, b.disk("/file"), source)
		b.nothingLeft(t)
	})
}

// TestUploadThenRename: a client uploads under another name and renames that
// over an older file.
func TestUploadThenRename(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, firstWays(everyClient()), func(t *testing.T, b *bench) {
		up := ftpclient.Operation{Kind: ftpclient.Upload, Local: randomFile(t, 1<<20), Remote: "/file.part"}
		rename := ftpclient.Operation{Kind: ftpclient.Rename, Remote: "/file.part", To: "/file"}
		if !b.can(up) || !b.can(rename) {
			t.Skipf("%s does not upload and rename", b.Client.Name())
		}
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		if b.Client.Name() != "rclone" { // which removes the older file first
			b.put(t, randomFile(t, 1000), "/file")
		}
		b.inTurn(t, []ftpclient.Operation{up, rename})
		sameContent(t, b.disk("/file"), up.Local)
		if exists(b.disk("/file.part")) {
			t.Error("the former name is still there")
		}
	})
}

// TestDropBoxRace: several clients bring a file of one name into a drop box at
// the same time. One gets it in whole, and the others are told that they did not.
func TestDropBoxRace(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		box := user(t, "box")
		box.Role = config.RoleWriteOnly
		c.Users = append(c.Users, box)
	})
	must(t, os.MkdirAll(s.home("box"), 0o755))
	s.start()
	const each = 3
	for round := range 3 {
		name := fmt.Sprintf("file-%d", round)
		var sources sync.Map
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range each * len(ftpclient.All()) {
			local := randomFile(t, int64(200+i)<<10)
			all.Go(func() {
				target := s.target()
				target.User, target.TLS = "box", everyTLS[i%len(everyTLS)]
				client := ftpclient.Connection{Client: ftpclient.All()[i/each], Target: target}
				if client.Upload(soon(t), local, "/"+name) == nil {
					won.Add(1)
					sources.Store(local, true)
				}
			})
		}
		all.Wait()
		if n := won.Load(); n != 1 {
			t.Errorf("%s: %d clients were told that their file is there, want 1", name, n)
		}
		sources.Range(func(local, _ any) bool {
			sameContent(t, s.home("box", name), local.(string))
			return true
		})
	}
}

// TestOver4GiB: a file that no 32 bits count, up and down, with every client. It
// is sparse, so it costs little disk on this side; it takes minutes, so it runs
// with FTP_TEST_FULL=1 only.
func TestOver4GiB(t *testing.T) {
	if !full() {
		t.Skip("set FTP_TEST_FULL=1 to move a file of more than 4 GiB with every client")
	}
	const length = 4<<30 + 4097
	dir := t.TempDir()
	local, back := filepath.Join(dir, "local"), filepath.Join(dir, "back")
	must(t, exec.Command("cp", randomFile(t, 1<<20), local).Run())
	must(t, os.Truncate(local, length))
	s := newServer(t, config.TLSOptional, nil)
	must(t, os.MkdirAll(s.home("alice"), 0o755))
	s.start()
	for _, way := range firstWays(everyClient()) {
		t.Run(way.user(), func(t *testing.T) {
			target := s.target()
			target.TLS, target.Mode = way.tls, way.mode
			client := ftpclient.Connection{Client: way.client, Target: target}
			up := ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: "/large"}
			if way.client.Can(target, up) == nil {
				_, err := client.Do(longer(t), up)
				must(t, err)
				sameBytes(t, s.home("alice", "large"), local)
			} else {
				must(t, exec.Command("cp", "--sparse=always", local, s.home("alice", "large")).Run())
			}
			must(t, client.Download(longer(t), "/large", back))
			sameBytes(t, back, local)
			must(t, os.Remove(back))
			must(t, os.Remove(s.home("alice", "large")))
		})
	}
}

// sameBytes compares large files more quickly than by checksums.
func sameBytes(t *testing.T, got, want string) {
	t.Helper()
	if out, err := exec.Command("cmp", got, want).CombinedOutput(); err != nil {
		t.Fatalf("%s and %s differ: %s", got, want, out)
	}
}

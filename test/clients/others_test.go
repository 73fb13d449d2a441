package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

func full() bool { return os.Getenv("FTP_TEST_FULL") == "1" }

// everyClient are all of them; a current curl only where it is installed for
// the full tests.
func everyClient() []ftpclient.Client {
	all := append(ftpclient.All(), ftpclient.Others()...)
	if full() {
		all = append(all, ftpclient.Curl{Current: true})
	}
	return all
}

// ways are the combinations of a client that it can do: in the full tests all of
// them, else the safest that it knows, as it likes best to transfer.
func ways(client ftpclient.Client) []combination {
	var all []combination
	for _, version := range []ftpclient.TLS{ftpclient.TLS13, ftpclient.TLS12, ftpclient.TLSNone} {
		for _, mode := range []ftpclient.Mode{ftpclient.Default, ftpclient.PASV, ftpclient.EPSV} {
			target := ftpclient.Target{Host: "127.0.0.1", TLS: version, Mode: mode}
			if client.Can(target, ftpclient.Operation{Kind: ftpclient.Download}) != nil {
				continue
			}
			if all = append(all, combination{client, version, mode}); !full() {
				return all
			}
		}
	}
	return all
}

func everyWay(clients []ftpclient.Client) []combination {
	var all []combination
	for _, client := range clients {
		all = append(all, ways(client)...)
	}
	return all
}

// can tells whether the client of this bench can do an operation.
func (b *bench) can(ops ...ftpclient.Operation) bool { return b.Client.Can(b.Target, ops...) == nil }

func (b *bench) kind(kind ftpclient.Kind) bool {
	return b.can(ftpclient.Operation{Kind: kind, Local: "/x", Remote: "/x"})
}

// put lays a file onto the server's disk.
func (b *bench) put(t *testing.T, local, remote string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(b.disk(remote)), 0o755))
	must(t, exec.Command("cp", local, b.disk(remote)).Run())
}

// TestOtherClients: the clients that know less than a day's work, at what they
// know.
func TestOtherClients(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, everyWay(ftpclient.Others()), func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		b.whatItCan(t, "/file.bin", 2<<20+17)
		b.whatItCan(t, "/empty", 0)
		b.whatItCan(t, "/two words", 3000)
		if b.can(ftpclient.Operation{Kind: ftpclient.Rename}) {
			b.manage(t)
		}
		b.oddNamesItKnows(t)
		b.mirrors(t)
		b.checkLog(t)
	})
}

// whatItCan sends a file up, or lays it there, and fetches it.
func (b *bench) whatItCan(t *testing.T, remote string, length int64) {
	t.Helper()
	local, back := randomFile(t, length), filepath.Join(t.TempDir(), "back")
	if b.can(ftpclient.Operation{Kind: ftpclient.Upload}) {
		must(t, b.Upload(soon(t), local, remote))
		sameContent(t, b.disk(remote), local)
	} else {
		b.put(t, local, remote)
	}
	must(t, b.Download(soon(t), remote, back))
	if length > 0 || exists(back) {
		sameContent(t, back, local)
	}
}

// strange are names that some client can't write.
var strange = map[string][]string{
	// Its lines are split at what it takes for patterns and quotes.
	"tnftp": {`[x]{y}*`, `back\slash`, `quo"te"d 'single'`},
	"ncftp": {`[x]{y}*`, `back\slash`, `quo"te"d 'single'`, "Überraschung 日本語 🦊", `100%25#1`},
	// It saves such names under others.
	"wget": {`[x]{y}*`, "a&b;c=d+e?f", "100%25#1", strings.Repeat("long", 63)},
}

// oddNamesItKnows are uploaded (or laid there) and downloaded, in one session
// where the client can.
func (b *bench) oddNamesItKnows(t *testing.T) {
	t.Helper()
	local, dir := randomFile(t, 300), t.TempDir()
	var ops []ftpclient.Operation
	for i, name := range oddNames {
		if slices.Contains(strange[b.Client.Name()], name) {
			continue
		}
		up := ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: "/" + name}
		if b.can(up) {
			ops = append(ops, up)
		} else {
			b.put(t, local, up.Remote)
		}
		ops = append(ops, ftpclient.Operation{Kind: ftpclient.Download, Local: filepath.Join(dir, fmt.Sprint(i)), Remote: up.Remote})
	}
	b.inTurn(t, ops)
	for _, op := range ops {
		sameContent(t, op.Local, local)
		sameContent(t, b.disk(op.Remote), local)
	}
}

// inTurn carries out operations in one session where the client can.
func (b *bench) inTurn(t *testing.T, ops []ftpclient.Operation) {
	t.Helper()
	if b.can(ops...) {
		_, err := b.Session(longer(t), ops...)
		must(t, err)
		return
	}
	for _, op := range ops {
		_, err := b.Do(soon(t), op)
		must(t, err)
	}
}

// tree makes a directory called tree with files of several sizes in it.
func tree(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "tree")
	for i, name := range []string{"one", "two words", "sub/three", "sub/deeper/four", "sub/ü"} {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, exec.Command("cp", randomFile(t, int64(i)*50_000), path).Run())
	}
	return root
}

// mirrors copies a tree both ways, and once more over itself.
func (b *bench) mirrors(t *testing.T) {
	t.Helper()
	source := tree(t)
	if b.kind(ftpclient.MirrorUp) {
		must(t, b.MirrorUp(soon(t), source, "/tree"))
		must(t, b.MirrorUp(soon(t), source, "/tree"))
		sameTree(t, b.disk("/tree"), source)
	} else {
		must(t, exec.Command("cp", "-r", source, b.disk("/tree")).Run())
	}
	if b.kind(ftpclient.MirrorDown) {
		back := filepath.Join(t.TempDir(), "tree")
		must(t, b.MirrorDown(soon(t), "/tree", back))
		must(t, b.MirrorDown(soon(t), "/tree", back))
		sameTree(t, back, source)
	}
}

// TestMirrors: lftp's, both ways; those of the others are in TestOtherClients.
func TestMirrors(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, everyWay([]ftpclient.Client{ftpclient.LFTP{}}), func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		b.mirrors(t)
	})
}

// TestOtherClientsResume: each goes on with what was interrupted, as far as it
// can. Where a client can't be slowed down, curl was interrupted before.
func TestOtherClientsResume(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, everyWay(ftpclient.Others()), func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		if b.kind(ftpclient.ResumeUpload) {
			t.Run("upload", b.resumeUpload)
		}
		if b.kind(ftpclient.ResumeDownload) {
			t.Run("download", b.resumeHalf)
		}
	})
}

// first is who is to be interrupted: the client of the bench, or curl.
func (b *bench) first(op ftpclient.Operation) ftpclient.Connection {
	if b.can(op) {
		return b.Connection
	}
	curl := b.Connection
	curl.Client = ftpclient.Curl{}
	return curl
}

// resumeHalf goes on with the half of a file.
func (b *bench) resumeHalf(t *testing.T) {
	remote, local := randomFile(t, resumeSize), filepath.Join(t.TempDir(), "down")
	b.put(t, remote, "/down")
	must(t, exec.Command("cp", remote, local).Run())
	must(t, os.Truncate(local, resumeSize/2))
	must(t, b.ResumeDownload(soon(t), "/down", local))
	sameContent(t, local, remote)
	if n := b.lastTransfer(t, "/down", "complete").number("bytes"); n != resumeSize/2 {
		t.Fatalf("the resumed download moved %d bytes, want %d", n, resumeSize/2)
	}
}

// TestManyFiles: 300 files in a row in one session, or as many sessions as the
// client makes of them. In the gate it is a sample.
func TestManyFiles(t *testing.T) {
	t.Parallel()
	count := 30
	if full() {
		count = 300
	}
	forEach(t, config.TLSOptional, firstWays(everyClient()), func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		local := randomFile(t, 2000)
		ups := make([]ftpclient.Operation, count)
		for i := range ups {
			ups[i] = ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: fmt.Sprintf("/file-%d", i)}
		}
		if !b.can(ups...) {
			t.Skipf("%s uploads no files in a row in one run", b.Client.Name())
		}
		_, err := b.Session(longer(t), ups...)
		must(t, err)
		for _, up := range ups {
			sameContent(t, b.disk(up.Remote), local)
		}
	})
}

// firstWays is one combination of each client.
func firstWays(clients []ftpclient.Client) []combination {
	var all []combination
	for _, client := range clients {
		all = append(all, ways(client)[0])
	}
	return all
}

// TestAbortAndGoOn: a client is killed in the middle of a transfer, and the next
// run of it finds nothing in its way.
func TestAbortAndGoOn(t *testing.T) {
	t.Parallel()
	forEach(t, config.TLSOptional, firstWays(everyClient()), func(t *testing.T, b *bench) {
		must(t, os.MkdirAll(b.disk("/"), 0o755))
		local := randomFile(t, resumeSize)
		op := ftpclient.Operation{Kind: ftpclient.Upload, Local: local, Remote: "/up", Rate: slowly}
		if b.can(op) {
			p, err := b.Start(soon(t), op)
			must(t, err)
			eventually(t, 2*time.Minute, "some of the upload", func() bool { return arrived(t, b.disk("/")) > 0 })
			must(t, p.Kill())
			_, _ = p.Wait()
			must(t, b.Upload(soon(t), local, "/up"))
			sameContent(t, b.disk("/up"), local)
			b.nothingLeft(t)
		}
		b.put(t, local, "/down")
		back := filepath.Join(t.TempDir(), "back")
		op = ftpclient.Operation{Kind: ftpclient.Download, Local: back, Remote: "/down", Rate: slowly}
		if b.can(op) {
			p, err := b.Start(soon(t), op)
			must(t, err)
			eventually(t, 2*time.Minute, "the download's command", func() bool {
				return len(b.server.log.find("Command", func(e entry) bool { return e.text("verb") == "RETR" && strings.HasSuffix(e.text("argument"), "down") })) > 0
			})
			must(t, p.Kill())
			_, _ = p.Wait()
		}
		must(t, b.Download(soon(t), "/down", back))
		sameContent(t, back, local)
	})
}

// nothingLeft of an interrupted upload that was done anew.
func (b *bench) nothingLeft(t *testing.T) {
	t.Helper()
	eventually(t, 2*time.Minute, "an end of what was interrupted", func() bool { return len(hidden(t, b.disk("/"))) == 0 })
}

package ftp

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func direct(c *config.Config) { c.Storage.Uploads = config.UploadsDirect }

// whenThere waits until a file holds something.
func (b *bench) whenThere(name, want string) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s holds %q", name, want), func() bool {
		got, err := os.ReadFile(filepath.Join(b.home, name))
		return err == nil && string(got) == want
	})
}

// TestDirectIsSeenAsItComes: what tail -f shows, in every mode, although the
// client goes on for long.
func TestDirectIsSeenAsItComes(t *testing.T) {
	inBoth(t, direct, func(t *testing.T, b *bench, c *client) {
		for _, mode := range []string{"I", "A"} {
			name := "log." + mode
			b.file(name, "old\n")
			c.do("TYPE "+mode, "200")
			conn := c.begin("APPE " + name)
			_, err := io.WriteString(conn, "one\n")
			must(t, err)
			b.whenThere(name, "old\none\n")
			_, err = io.WriteString(conn, "two\n")
			must(t, err)
			b.whenThere(name, "old\none\ntwo\n")
			must(t, conn.Close())
			c.expect("226")
		}
	})
}

// TestDirectThatBreaksOff: what arrived stays under the name, the reply and the
// log tell, and the client goes on from the file's size.
func TestDirectThatBreaksOff(t *testing.T) {
	inBoth(t, direct, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		c.cutDirect("cam.jpg", "begin", "begin")
		if !b.log.logged("Upload broke off and stays incomplete under its name", "path=/cam.jpg") {
			t.Error("the log does not tell")
		}
		c.do("SIZE cam.jpg", "213 5")
		c.do("REST 6", "350")
		_ = c.open()
		c.do("STOR cam.jpg", "554")
		c.do("REST 5", "350")
		if got := c.upload("STOR cam.jpg", "+end"); !strings.HasPrefix(got, "226") {
			t.Errorf("the resumed upload: %s", got)
		}
		if got := b.content("cam.jpg"); got != "begin+end" {
			t.Errorf("the file holds %q", got)
		}
	})
}

// TestDirectTextThatBreaksOff: a CR stays away whose LF may have been on its way.
func TestDirectTextThatBreaksOff(t *testing.T) {
	inBoth(t, direct, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE A", "200")
		c.cutDirect("cam.log", "one\r\ntwo\r", "one\ntwo")
	})
}

// cutDirect uploads the beginning of a file directly and aborts; stored is in the
// file before and after that.
func (c *client) cutDirect(name, content, stored string) {
	c.t.Helper()
	conn := c.begin("STOR " + name)
	_, err := io.WriteString(conn, content)
	must(c.t, err)
	c.bench.whenThere(name, stored)
	c.do("ABOR", "426")
	c.expect("226")
	_ = conn.Close()
	c.bench.whenThere(name, stored)
}

// TestDirectOfADeadClient: a client that is killed ends both of its connections
// as if all were well. It is not believed.
func TestDirectOfADeadClient(t *testing.T) {
	inBoth(t, direct, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		conn := c.open()
		c.do("STOR cam.jpg", "150")
		secured := c.wrap(conn)
		_, err := io.WriteString(secured, "half")
		must(t, err)
		b.whenThere("cam.jpg", "half")
		must(t, c.raw.CloseWrite()) // as the kernel of the dead does
		must(t, conn.CloseWrite())
		eventually(t, "the log tells", func() bool {
			return b.log.logged("msg=Transfer", "path=/cam.jpg", "reply=426") &&
				b.log.logged("Upload broke off and stays incomplete", "path=/cam.jpg")
		})
		b.whenThere("cam.jpg", "half")
	})
}

// TestDirectThatNeverBegins: nothing is cut or made before the data connection
// is there.
func TestDirectThatNeverBegins(t *testing.T) {
	b := newBench(t, direct)
	b.file("old", "content")
	c := b.login()
	for _, name := range []string{"old", "new"} {
		c.do("EPSV", "229")
		c.do("STOR "+name, "150")
		c.do("ABOR", "426")
		c.expect("226")
	}
	if got := b.content("old"); got != "content" {
		t.Errorf("the file holds %q", got)
	}
	if _, err := os.Stat(filepath.Join(b.home, "new")); !os.IsNotExist(err) {
		t.Errorf("there is a new file: %v", err)
	}
}

// TestDirectByTwo: the second session is told to try again, and has cut nothing.
func TestDirectByTwo(t *testing.T) {
	b := newBench(t, direct)
	c, other := b.login(), b.login()
	conn := c.begin("STOR a")
	_, err := io.WriteString(conn, "first")
	must(t, err)
	b.whenThere("a", "first")
	if got := other.upload("STOR a", "second"); !strings.HasPrefix(got, "450 Another session") {
		t.Errorf("the second: %s", got)
	}
	must(t, conn.Close())
	c.expect("226")
	if got := b.content("a"); got != "first" {
		t.Errorf("the file holds %q", got)
	}
}

// TestDropBoxUnderARace has 50 clients store under one name at once, all of them
// in the middle of it before the first ends: exactly one is acknowledged, and the
// file is that one's.
func TestDropBoxUnderARace(t *testing.T) {
	for _, uploads := range []config.Uploads{config.UploadsAtomic, config.UploadsDirect} {
		t.Run(string(uploads), func(t *testing.T) {
			const clients, half = 50, 50_000
			b := newBench(t, func(c *config.Config) {
				c.Users[0].Role, c.Storage.Uploads = config.RoleWriteOnly, uploads
				c.Passive.Ports = freePorts(t, 2*clients+4) // a user may hold half of them
			})
			conns, sessions := make([]net.Conn, clients), make([]*client, clients)
			for i := range clients {
				sessions[i] = b.login()
				conns[i] = sessions[i].open()
			}
			for _, c := range sessions {
				c.send("STOR box")
			}
			for i, c := range sessions {
				r := c.reply()
				if !strings.HasPrefix(r, "150") {
					conns[i] = nil // the name was taken before the data
				}
				if r[:3] != "150" && r[:3] != "553" {
					t.Errorf("STOR: %s", r)
				}
			}
			content := func(i int) string { return strings.Repeat(string(rune('A'+i)), half) }
			for i, conn := range conns {
				if conn != nil {
					_, _ = io.WriteString(conn, content(i)) // who has lost already may be cut
				}
			}
			replies := make([]string, clients)
			var wg sync.WaitGroup
			for i, conn := range conns {
				if conn == nil {
					continue
				}
				wg.Go(func() {
					_, _ = io.WriteString(conn, content(i))
					_ = conn.Close()
					replies[i] = sessions[i].reply()
				})
			}
			wg.Wait()
			winner := -1
			for i, r := range replies {
				switch {
				case strings.HasPrefix(r, "226") && winner < 0:
					winner = i
				case strings.HasPrefix(r, "226"):
					t.Errorf("both %d and %d are acknowledged", winner, i)
				case r != "" && !strings.HasPrefix(r, "553"):
					t.Errorf("client %d: %s", i, r)
				}
			}
			if winner < 0 {
				t.Fatal("nobody is acknowledged")
			}
			if got := b.content("box"); got != content(winner)+content(winner) {
				t.Errorf("the file holds %d bytes that are not the winner's", len(got))
			}
			names, err := os.ReadDir(b.home)
			must(t, err)
			for _, n := range names {
				if !strings.HasPrefix(n.Name(), ".ftpserver-part-") && n.Name() != "box" {
					t.Errorf("left over: %s", n.Name())
				}
			}
		})
	}
}

// TestOverwriteDenied: refused before any data, whichever way is tried.
func TestOverwriteDenied(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Storage.Overwrite = config.OverwriteDeny })
	b.file("old", "content")
	b.file("other", "x")
	c := b.login()
	const refused = "553 There is a file of that name, and it may not be overwritten"
	_ = c.open()
	c.do("STOR old", refused)
	c.do("REST 3", "350")
	_ = c.open()
	c.do("STOR old", refused)
	c.do("RNFR other", "350")
	c.do("RNTO old", refused)
	if facts := c.do("MLST old", "250-"); !strings.Contains(facts, "perm=adfr;") {
		t.Errorf("facts are %s", facts)
	}
	if got := c.upload("APPE old", "+"); !strings.HasPrefix(got, "226") {
		t.Errorf("APPE: %s", got)
	}
	if got := b.content("old"); got != "content+" {
		t.Errorf("the file holds %q", got)
	}
	b.reload(func(c *config.Config) { c.Storage.Overwrite = config.OverwriteAllow })
	if got := c.upload("STOR old", "new"); !strings.HasPrefix(got, "226") {
		t.Errorf("once it is allowed again: %s", got)
	}
}

// TestNameRules: the reply says which kind of rule it was, before any data; a
// change of the rules holds from the next command on.
func TestNameRules(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Storage.Names = config.Names{Allowed: []string{"*.pdf"}, Denied: []string{"*.exe*"}}
	})
	c := b.login()
	for _, line := range []string{"STOR a.exe.pdf", "APPE a.exe", "MKD dir.exe"} {
		_ = c.open()
		c.do(line, "553 File name not allowed: this server takes no names like it")
	}
	_ = c.open()
	c.do("STOR a.txt", "553 File name not allowed: it is not like any that this server takes")
	if got := c.upload("STOR a.pdf", "x"); !strings.HasPrefix(got, "226") {
		t.Errorf("a name that is allowed: %s", got)
	}
	c.do("RNFR a.pdf", "350")
	c.do("RNTO a.exe", "553")
	c.do("RNFR a.pdf", "350")
	c.do("RNTO a.pdf.txt", "553")
	c.do("MKD dir", "257")
	b.reload(func(c *config.Config) { c.Storage.Names = config.Names{} })
	c.do("RNFR a.pdf", "350")
	c.do("RNTO a.exe", "250")
}

// TestHiddenFiles: no listing shows them, and who knows their names can use them.
func TestHiddenFiles(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Storage.HiddenFiles = config.HiddenFilesHide })
	b.file("seen", "x")
	b.file(".profile", "hidden")
	c := b.login()
	for _, command := range []string{"LIST", "LIST -a", "NLST", "NLST .*", "MLSD"} {
		if got, _ := c.download(command); strings.Contains(got, ".profile") || (command != "NLST .*") != strings.Contains(got, "seen") {
			t.Errorf("%s: %q", command, got)
		}
	}
	if got := c.do("STAT /", "212-"); strings.Contains(got, ".profile") {
		t.Errorf("STAT: %s", got)
	}
	if got, _ := c.download("RETR .profile"); got != "hidden" {
		t.Errorf("RETR: %q", got)
	}
}

// TestResumeNeverMixes: an old file, an upload of a larger one that drops, and a
// client that goes on in one of the ways that clients have. Whatever the sizes,
// the file is the old one or the source, and the source if that is acknowledged.
func TestResumeNeverMixes(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	const size = 50_000
	source := strings.Repeat("n", size)
	resumes := map[string]func(name string, from int) string{
		"reput":  func(name string, from int) string { return c.resume("STOR", name, source, from) },
		"append": func(name string, from int) string { return c.resume("APPE", name, source, from) },
		"retry":  func(name string, _ int) string { return c.resume("STOR", name, source, 0) },
	}
	acknowledged := 0
	for i := range 30 {
		old := strings.Repeat("o", []int{0, 1, 10_000, 29_999, 30_000, 30_001, size, size + 1}[rand.IntN(8)])
		for how, resume := range resumes {
			name := fmt.Sprintf("%s%d", how, i)
			if old != "" {
				b.file(name, old)
			}
			c.cut("STOR "+name, source[:30_000])
			from := 0
			if c.send("SIZE " + name); true {
				_, _ = fmt.Sscanf(c.reply(), "213 %d", &from)
			}
			if from > size {
				continue // no client resumes what is larger than its own file
			}
			reply := resume(name, from)
			got := b.content(name)
			switch done := strings.HasPrefix(reply, "226"); {
			case done && got != source:
				t.Errorf("%s with an old file of %d bytes: %s, and the file is another (%d bytes, %d old)", how, len(old), reply, len(got), strings.Count(got, "o"))
			case !done && old != "" && got != old:
				t.Errorf("%s with an old file of %d bytes: %s, and the file is not the old one", how, len(old), reply)
			case done:
				acknowledged++
			}
			if got := c.resume("STOR", name, source, 0); !strings.HasPrefix(got, "226") || b.content(name) != source {
				t.Errorf("%s: the whole file is no way out: %s", how, got)
			}
		}
	}
	if acknowledged < 30 {
		t.Errorf("%d resumes only are acknowledged", acknowledged)
	}
}

// resume goes on with an upload as clients do.
func (c *client) resume(verb, name, source string, from int) string {
	c.t.Helper()
	if verb == "STOR" && from > 0 {
		c.do(fmt.Sprintf("REST %d", from), "350")
	}
	conn := c.open()
	c.send(verb + " " + name)
	if r := c.reply(); !strings.HasPrefix(r, "150") {
		_ = conn.Close()
		return r
	}
	_, err := io.WriteString(conn, source[from:])
	must(c.t, err)
	must(c.t, conn.Close())
	return c.reply()
}

// TestUploadThenRename: what waits of an interrupted upload to the name is not
// mixed with what was renamed onto it.
func TestUploadThenRename(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	c.cut("STOR report", "interrupted")
	if got := c.upload("STOR report.part", "whole"); !strings.HasPrefix(got, "226") {
		t.Fatal(got)
	}
	c.do("RNFR report.part", "350")
	c.do("RNTO report", "250")
	if got := c.upload("APPE report", "+"); !strings.HasPrefix(got, "226") {
		t.Errorf("APPE: %s", got)
	}
	if got := b.content("report"); got != "whole+" {
		t.Errorf("the file holds %q", got)
	}
}

package ftp

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestWelcome(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Welcome = "Hello\n230 not the end\n\nAsk Größe\n" })
	c := b.connect()
	c.do("USER alice", "331")
	c.send("PASS " + password)
	if got, want := c.reply(), "230-Hello\n 230 not the end\n \n Ask Größe\n230 Logged in"; got != want {
		t.Errorf("reply %q, want %q", got, want)
	}
	b.reload(func(c *config.Config) { c.Welcome = "One" }) // holds from the next login on
	c = b.connect()
	c.do("USER alice", "331")
	c.send("PASS " + password)
	if got, want := c.reply(), "230-One\n230 Logged in"; got != want {
		t.Errorf("reply %q, want %q", got, want)
	}
}

// TestDirectoryMessages: once in a session, of files that the user may read, and
// nothing that could harm a terminal or a client that reads replies.
func TestDirectoryMessages(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.DirectoryMessage = ".message"
		with(c, "box", func(u *config.User) { u.Home, u.Role = "/alice", config.RoleWriteOnly })
	})
	b.file("dir/.message", "Read this\r\n250 not the end\n\tesc\x1b[2J \x7f\u009b\xff\n")
	b.file("long/.message", strings.Repeat("0123456789\n", 1000))
	b.file("wide/.message", strings.Repeat("x", 10_000))
	b.file("empty/.message", "\n")
	must(t, os.Mkdir(strings.TrimSuffix(b.file("is/x", ""), "x")+".message", 0o755))
	must(t, os.Symlink("/etc/passwd", strings.TrimSuffix(b.file("out/x", ""), "x")+".message"))
	c := b.login()
	enter := func(c *client, dir, want string) {
		t.Helper()
		c.send("CWD /" + dir)
		if got := c.reply(); got != want+fmt.Sprintf("250 Directory is now %q", "/"+dir) {
			t.Errorf("%s: %q", dir, got)
		}
	}
	const message = "250-Read this\n 250 not the end\n  esc?[2J ???\n"
	enter(c, "dir", message)
	enter(c, "dir", "")
	for _, dir := range []string{"", "empty", "is", "out"} {
		enter(c, dir, "")
	}
	enter(c, "wide", "250-"+strings.Repeat("x", maxMessage)+"\n")
	c.send("CWD /long")
	if got := strings.Split(c.reply(), "\n"); len(got) != maxMessageLines+1 || got[1] != " 0123456789" {
		t.Errorf("a long one has %d lines: %q", len(got), got)
	}
	c.relogin(t, "alice")
	enter(c, "dir", message) // another login begins anew
	c.relogin(t, "alice")
	b.file("dir/sub/x", "")
	enter(c, "dir/sub", "")
	c.send("CDUP")
	if got, want := c.reply(), message+`250 Directory is now "/dir"`; got != want {
		t.Errorf("from below: %q, want %q", got, want)
	}
	enter(b.loginAs("box"), "dir", "")
	b.reload(func(c *config.Config) { c.DirectoryMessage = "" })
	enter(b.login(), "dir", "")
}

func (c *client) relogin(t *testing.T, name string) {
	t.Helper()
	c.do("USER "+name, "331")
	c.do("PASS "+password, "230")
}

// TestMessagesAreBounded: a session remembers so many directories and no more.
func TestMessagesAreBounded(t *testing.T) {
	var s told
	for i := range 2 * maxMessages {
		if s.first(fmt.Sprint(i)) != (i < maxMessages) {
			t.Errorf("directory %d", i)
		}
	}
	if s.first("0") || len(s.dirs) != maxMessages {
		t.Errorf("%d are remembered", len(s.dirs))
	}
}

// FuzzMessage: whatever a message holds, the reply has one last line, and no
// byte that controls anything.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "\n", "a\r\nb", "250 end\n", "\x1b[2J\x00", "\xff", "a\n\n\nb", "\u009b", strings.Repeat("x\n", 80)} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut bool) {
		if len(text) == 0 {
			cut = false
		}
		lines := messageLines(text, cut)
		if len(lines) > maxMessageLines {
			t.Fatalf("%d lines", len(lines))
		}
		for _, l := range lines {
			if !utf8.ValidString(l) || strings.ContainsFunc(l, func(r rune) bool { return r != printable(r) && r != '?' }) {
				t.Fatalf("%q of %q", l, text)
			}
		}
		if len(lines) == 0 {
			return
		}
		var b bytes.Buffer
		for i, l := range lines {
			if i == 0 {
				fmt.Fprintf(&b, "250-%s\r\n", oneLine(l))
				continue
			}
			fmt.Fprintf(&b, " %s\r\n", oneLine(l))
		}
		for scan := bufio.NewScanner(&b); scan.Scan(); {
			if strings.HasPrefix(scan.Text(), "250 ") {
				t.Fatalf("%q ends the reply", scan.Text())
			}
		}
	})
}

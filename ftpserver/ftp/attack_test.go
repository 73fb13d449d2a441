package ftp

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// The tests named TestAttack… are a catalogue: each is a class of attacks, and
// tells what the attacker gets. They end with goesOn or servesOn.

// goesOn fails unless the server serves who comes after an attack, over TLS and,
// where it may, in clear.
func (b *bench) goesOn() {
	b.t.Helper()
	secured, _ := b.keepingAs("alice", tls.VersionTLS13)
	b.serves(secured)
	if b.config.TLS.Mode != config.TLSRequired && b.config.Passive.ClientAddresses != config.ClientAddressesHidden {
		b.serves(b.login())
	}
	b.nothingHidden()
}

func (b *bench) serves(c *client) {
	b.t.Helper()
	if got := c.upload("STOR goes-on", "content"); !strings.HasPrefix(got, "226") {
		b.t.Errorf("afterwards, an upload is answered %q", got)
	}
	if got, reply := c.download("RETR goes-on"); got != "content" {
		b.t.Errorf("afterwards, a download is %q, %s", got, reply)
	}
	c.do("DELE goes-on", "250")
	c.leave()
}

// leave takes leave, and closes the connection, as the server waits for that.
func (c *client) leave() {
	c.t.Helper()
	c.do("QUIT", "221")
	c.ended()
	_ = c.raw.Close()
}

// servesOn fails unless somebody can still log in, store a file and fetch it, and
// nothing of what was tried is left in the storage under a hidden name.
func (b *bench) servesOn(user string) {
	b.t.Helper()
	b.serves(b.loginAs(user))
	b.nothingHidden()
}

// nothingHidden fails where the storage holds what no user sees.
func (b *bench) nothingHidden() {
	b.t.Helper()
	must(b.t, filepath.WalkDir(b.root, func(p string, _ fs.DirEntry, err error) error {
		if err == nil && config.ReservedName(filepath.Base(p)) {
			b.t.Errorf("left behind: %s", p)
		}
		return err
	}))
}

// addUsers adds logins with the password of all.
func addUsers(c *config.Config, users ...config.User) {
	for _, u := range users {
		u.PasswordHash = c.Users[0].PasswordHash
		c.Users = append(c.Users, u)
	}
}

// state is everything below a directory but one, with what can be told of it.
func state(t *testing.T, dir, but string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == but {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %v %d %v", p, fi.Mode(), fi.Size(), fi.ModTime())
		switch {
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			must(t, err)
			fmt.Fprintf(&out, " %s", config.Hash(data))
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			must(t, err)
			out.WriteString(" " + to)
		}
		out.WriteByte('\n')
		return nil
	}))
	return out.String()
}

// ask carries a command out, and returns all that came: replies and data.
func (c *client) ask(data bool, line string) (reply, content string) {
	c.t.Helper()
	if !data {
		c.send(line)
		return c.reply(), ""
	}
	conn := c.open()
	defer func() { _ = conn.Close() }()
	c.send(line)
	if reply = c.reply(); !strings.HasPrefix(reply, "150") {
		return reply, ""
	}
	if sends(line) {
		_, _ = conn.Write([]byte("more"))
		_ = conn.CloseWrite()
	}
	received, err := io.ReadAll(conn)
	if !sends(line) { // an upload that is refused may end in a reset
		must(c.t, err)
	}
	return reply + "\n" + c.reply(), string(received)
}

// sends tells whether it is the client that sends the data of a command.
func sends(line string) bool {
	verb, _, _ := strings.Cut(line, " ")
	return verb == "STOR" || verb == "STOU" || verb == "APPE"
}

// loggedEventually fails unless the log comes to have a line with these words.
func (b *bench) loggedEventually(words ...string) {
	b.t.Helper()
	eventually(b.t, "the log has "+strings.Join(words, ", "), func() bool { return b.log.logged(words...) })
}

// lines counts the lines of the log that hold a word.
func (l *logBuffer) lines(word string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, word) {
			n++
		}
	}
	return n
}

// dialFrom connects from an address of loopback, and reads nothing.
func (b *bench) dialFrom(from, to string) *net.TCPConn {
	b.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := d.Dial("tcp", to)
	must(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// says sends something to an address and returns all that comes until the server
// closes the connection; it fails where that stays open.
func (b *bench) says(to, sent string) string {
	b.t.Helper()
	conn := b.dialFrom("127.0.0.1", to)
	_, err := io.WriteString(conn, sent)
	must(b.t, err)
	answer, err := io.ReadAll(conn)
	if isTimeout(err) {
		b.t.Fatalf("the connection is still open; %q came", answer)
	}
	return string(answer)
}

// over has commands typed on a connection that is there.
func (b *bench) over(conn *net.TCPConn) *client {
	return &client{t: b.t, bench: b, raw: conn, conn: conn, text: textproto.NewConn(conn)}
}

// sends types as it stands.
func (c *client) sends(t *testing.T, raw string) {
	t.Helper()
	_, err := io.WriteString(c.conn, raw)
	must(t, err)
}

package ftp

import (
	"crypto/tls"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

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

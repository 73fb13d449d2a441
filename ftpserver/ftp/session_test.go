package ftp

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestLines: what a command line may hold, and how the session goes on after
// one that it may not.
func TestLines(t *testing.T) {
	b := newBench(t, nil)
	long := strings.Repeat("a", 200)
	deep := "CWD " + strings.Repeat("/"+long, 20)
	for _, test := range []struct{ name, sent, begins string }{
		{"LF alone", "NOOP\n", "200"},
		{"lower case", "nOOp\r\n", "200"},
		{"longest path", deep + "\r\n", "550"},
		{"longest line", "HELP " + strings.Repeat("x", maxLine-7) + "\r\n", "502"},
		{"too long by one", "HELP " + strings.Repeat("x", maxLine-6) + "\r\n", "500 Command line longer"},
		{"far too long", "STOR " + strings.Repeat("x", 100_000) + "\r\n", "500 Command line longer"},
		{"NUL", "STOR a\x00b\r\n", "501 CR and NUL"},
		{"CR inside", "STOR a\rb\r\n", "501 CR and NUL"},
		{"two CR", "NOOP\r\r\n", "501 CR and NUL"},
		{"Telnet will echo", "\xff\xfb\x01NOOP\r\n", "\xff\xfe\x01200"},
		{"Telnet do", "NO\xff\xfd\x03OP\r\n", "\xff\xfc\x03200"},
		{"Telnet won't and don't", "\xff\xfc\x01\xff\xfe\x01NOOP\r\n", "200"},
		{"Telnet subnegotiation", "\xff\xfa\x18\x01xterm\xff\xf0NOOP\r\n", "200"},
		{"Telnet subnegotiation without end", "NOOP\xff\xfa\x18\x01xterm\r\n", "200"},
		{"a byte 255 alone", "MKD a\xffb\r\n", "257 \"/a\xffb\""},
		{"a byte 255 doubled", "MKD x\xff\xffb\r\n", "257 \"/x\xffb\""},
		{"Telnet between", "NO\xff\xf1OP\r\n", "200"},
		{"Telnet doubled", "HELP \xff\xff\r\n", "502"},
		{"Telnet cut short", "NOOP\xff\r\n", "200"},
		{"Telnet IP and DM", "\xff\xf4\xff\xf2NOOP\r\n", "200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := b.login()
			_, err := io.WriteString(c.conn, test.sent)
			must(t, err)
			c.expect(test.begins)
			c.do("PWD", `257 "/"`)
		})
	}
}

// TestSlowTyping: a command may come byte by byte.
func TestSlowTyping(t *testing.T) {
	c := newBench(t, nil).login()
	for _, one := range "SIZE missing\r\n" {
		_, err := io.WriteString(c.conn, string(one))
		must(t, err)
	}
	c.expect("550")
}

// TestPipelining: commands that come at once are answered in order, also behind
// one that starts a transfer.
func TestPipelining(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "content")
	for name, login := range map[string]func() *client{"plain": b.login, "TLS": b.loginTLS} {
		t.Run(name, func(t *testing.T) {
			c := login()
			_, err := io.WriteString(c.conn, "PWD\r\nSYST\r\nMKD x\r\nRMD x\r\nNOOP\r\n")
			must(t, err)
			for _, begins := range []string{"257", "215", "257", "250", "200"} {
				c.expect(begins)
			}
			data := c.open()
			_, err = io.WriteString(c.conn, "STOR up\r\nSIZE up\r\nRNFR up\r\nRNTO there\r\nQUIT\r\n")
			must(t, err)
			c.expect("150")
			conn := c.wrap(data)
			_, err = io.WriteString(conn, "12345")
			must(t, err)
			must(t, conn.Close())
			for _, begins := range []string{"226", "213 5", "350", "250", "221"} {
				c.expect(begins)
			}
			c.ended()
			if got := b.content("there"); got != "12345" {
				t.Errorf("the file holds %q", got)
			}
		})
	}
}

// TestTimeouts: sessions that say nothing are told why they end.
func TestTimeouts(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Limits.IdleTimeout, c.Limits.LoginTimeout = time.Second, time.Second
	})
	t.Run("login", func(t *testing.T) {
		c := b.connect()
		c.do("USER alice", "331")
		c.expect("421 No login")
		c.ended()
	})
	t.Run("idle", func(t *testing.T) {
		for _, c := range []*client{b.login(), b.loginTLS()} {
			c.expect("421 No command")
			c.ended()
		}
	})
	t.Run("second login", func(t *testing.T) {
		c := b.login()
		for start := time.Now(); time.Since(start) < 1100*time.Millisecond; {
			c.do("NOOP", "200")
		}
		c.do("USER alice", "331") // a wait that begins anew
		c.do("PASS "+password, "230")
	})
	t.Run("transfer", func(t *testing.T) {
		c := b.login()
		data := c.begin("STOR slow")
		for start := time.Now(); time.Since(start) < 1500*time.Millisecond; {
			_, err := data.Write([]byte("x"))
			must(t, err)
		}
		must(t, data.Close())
		c.expect("226") // whoever transfers is not idle
	})
}

// TestSessionLimits: whoever is too many is told 421.
func TestSessionLimits(t *testing.T) {
	for name, limits := range map[string]config.Limits{
		"sessions": {Sessions: 2}, "sessions of an address": {SessionsPerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { c.Limits = limits })
			first := b.login()
			b.login()
			conn, err := net.Dial("tcp", b.address)
			must(t, err)
			defer func() { _ = conn.Close() }()
			answer, err := io.ReadAll(conn)
			must(t, err)
			if !strings.HasPrefix(string(answer), "421 Too many sessions") {
				t.Fatalf("answer %q", answer)
			}
			first.do("QUIT", "221")
			first.ended()
			eventually(t, "there is room again", func() bool { return len(b.server.all()) == 1 })
			b.login()
		})
	}
}

// TestLimitsFollow: new limits hold for those who are there, as far as they end
// nobody for being too many, and for those who come.
func TestLimitsFollow(t *testing.T) {
	b := newBench(t, nil)
	idle, asked := b.login(), b.connect()
	asked.do("USER alice", "331")
	b.reload(func(c *config.Config) { c.Limits.Sessions = 1 })
	idle.do("NOOP", "200")
	conn, err := net.Dial("tcp", b.address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "421 Too many sessions") {
		t.Errorf("answer %q", answer)
	}
	b.reload(func(c *config.Config) { c.Limits.IdleTimeout = time.Second })
	idle.expect("421 No command for too long")
	b.reload(func(c *config.Config) { c.Limits.LoginTimeout = time.Second })
	asked.expect("421 No login in time")
}

// TestUrgentAbort: ABOR as RFC 959 §4.1.3 wants it sent, with Telnet's
// interrupt and its synch as urgent data.
func TestUrgentAbort(t *testing.T) {
	c := newBench(t, nil).login()
	c.open()
	c.do("STOR never", "150")
	_, err := c.conn.Write([]byte{0xff, 0xf4})
	must(t, err)
	c.sendUrgent([]byte{0xff, 0xf2})
	c.do("ABOR", "426")
	c.expect("226")
}

// TestWholeCommandUrgent: some clients send all of it as urgent data.
func TestWholeCommandUrgent(t *testing.T) {
	c := newBench(t, nil).login()
	c.open()
	c.do("STOR never", "150")
	c.sendUrgent([]byte("ABOR\r\n"))
	c.expect("426")
	c.expect("226")
}

func (c *client) sendUrgent(b []byte) {
	c.t.Helper()
	raw, err := c.raw.SyscallConn()
	must(c.t, err)
	must(c.t, raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), b, unix.MSG_OOB, nil) }))
	must(c.t, err)
}

// TestAddressesOfIPv6: whoever has one address of a site has them all, so that
// they count as one.
func TestAddressesOfIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	_ = l.Close()
	b := newBench(t, func(c *config.Config) {
		c.Listen = "[::1]:0"
		c.Limits.SessionsPerAddress = 2
	})
	b.server.mu.Lock()
	b.server.addresses[source{origin: netip.MustParsePrefix("::/64")}] = 1 // somebody at ::2
	b.server.mu.Unlock()
	b.connect()
	conn, err := net.Dial("tcp", b.address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	if answer, _ := io.ReadAll(conn); !strings.HasPrefix(string(answer), "421 Too many sessions from your address") {
		t.Errorf("answer %q", answer)
	}
}

// TestIPv6: PASV can't tell an address of IPv6, EPSV needs none.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	_ = l.Close()
	c := newBench(t, func(c *config.Config) { c.Listen = "[::1]:0" }).login()
	before := descriptors(t)
	c.do("PASV", "522 PASV is for IPv4 only: use EPSV")
	c.do("PORT 127,0,0,1,200,200", "522 PORT is for IPv4 only")
	c.do("EPRT |1|127.0.0.1|40000|", "522 Network protocol not supported on this connection, use (2)")
	c.do("EPRT |2|::1|40000|", "502")
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors became %d", before, after)
	}
	c.do("EPSV 1", "522 Network protocol not supported on this connection, use (2)")
	c.do("EPSV 3", "522 Network protocol not supported on this connection, use (2)")
	c.do("EPSV", "229")
	c.do("EPSV 2", "229")
}

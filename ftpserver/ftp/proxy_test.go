package ftp

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
)

// Two clients behind a balancer.
const (
	farClient, otherClient = "203.0.113.7", "203.0.113.8"
	// balanced is the address that they connect to.
	balanced = "198.51.100.1"
)

// header is what a balancer sends first, by version.
func header(version byte, client string) string {
	b, err := proxyproto.HeaderProxyFromAddrs(version,
		&net.TCPAddr{IP: net.ParseIP(client), Port: 40000}, &net.TCPAddr{IP: net.ParseIP(balanced), Port: 21}).Format()
	if err != nil {
		panic(err) // of the test
	}
	return string(b)
}

// localHeader is what a balancer sends for itself.
func localHeader() string {
	b, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}).Format()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// trusting believes who connects from these networks.
func trusting(mode config.ProxyMode, cidrs ...string) func(*config.Config) {
	return func(c *config.Config) {
		c.ProxyProtocol.Trusted = nil
		for _, cidr := range cidrs {
			c.ProxyProtocol.Trusted = append(c.ProxyProtocol.Trusted, config.ProxySource{CIDR: cidr, Mode: mode})
		}
	}
}

// newProxied is a bench that waits as long as it may take where there need be no header.
func newProxied(t *testing.T, mode config.ProxyMode, edit func(*config.Config)) *bench {
	t.Helper()
	return newBenchWith(t, parts{proxySilence: patience}, func(c *config.Config) {
		trusting(mode, "127.0.0.1/32")(c)
		if edit != nil {
			edit(c)
		}
	})
}

// by is a client behind a balancer, before anything is read.
func (b *bench) by(header, to string) *client {
	b.t.Helper()
	c := b.over(b.dialFrom("127.0.0.1", to))
	c.header = header
	c.sends(b.t, header)
	return c
}

// connectBy is connect, by way of a balancer.
func (b *bench) connectBy(header string) *client {
	b.t.Helper()
	c := b.by(header, b.address)
	c.expect("220")
	return c
}

func (b *bench) loginBy(header string) *client {
	b.t.Helper()
	c := b.connectBy(header)
	c.login()
	return c
}

// TestProxyTellsTheClient: with either version, in clear and over TLS, the address of
// the client is that in the header, wherever it is told.
func TestProxyTellsTheClient(t *testing.T) {
	transfers := xferlog.New(nil, func() { t.Error("a line of the log of transfers is lost") })
	path := filepath.Join(t.TempDir(), "xferlog")
	transfers.SetPath(path)
	b := newBenchWith(t, parts{xferlog: transfers}, func(c *config.Config) {
		implicit(c)
		trusting(config.ProxyRequired, "127.0.0.0/8")(c)
	})
	logins := map[string]func(header string) *client{
		"clear": b.loginBy,
		"explicit TLS": func(header string) *client {
			c := b.connectBy(header)
			c.secure()
			c.login()
			return c
		},
		"implicit TLS": func(header string) *client {
			c := b.by(header, b.implicit)
			c.protect = true
			c.handshake()
			c.expect("220")
			c.login()
			return c
		},
	}
	for version := byte(1); version <= 2; version++ {
		for name, login := range logins {
			t.Run(fmt.Sprintf("v%d %s", version, name), func(t *testing.T) {
				mark := b.log.mark()
				c := login(header(version, farClient))
				if got := c.upload("STOR file", name); !strings.HasPrefix(got, "226") {
					t.Fatal(got)
				}
				if got, reply := c.download("RETR file"); got != name || !strings.HasPrefix(reply, "226") {
					t.Errorf("%q, %s", got, reply)
				}
				if got := b.server.Sessions(9); len(got) != 1 || got[0].Client != farClient+":40000" {
					t.Errorf("%+v", got)
				}
				c.leave()
				eventually(t, "the session is over", func() bool { return len(b.server.all()) == 0 })
				logged := b.log.since(mark)
				if !strings.Contains(logged, "client="+farClient+":40000 proxy=127.0.0.1:") || strings.Contains(logged, "client=127") {
					t.Error(logged)
				}
			})
		}
	}
	transfers.Close()
	lines, err := os.ReadFile(path)
	must(t, err)
	if n := strings.Count(string(lines), " "+farClient+" "); n != 12 || strings.Contains(string(lines), "127.0.0.1") {
		t.Errorf("%d of 12 lines: %s", n, lines)
	}
}

// TestProxySplit: a header may come in pieces, and a command in the same piece as its
// end; a second header is a command as any other.
func TestProxySplit(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	for version := byte(1); version <= 2; version++ {
		whole := header(version, farClient)
		for _, at := range []int{1, 5, 6, 12, 13, 16, len(whole) - 1} {
			c := b.over(b.dialFrom("127.0.0.1", b.address))
			c.sends(t, whole[:at])
			c.sends(t, whole[at:]+"USER alice\r\nPASS "+password+"\r\nSYST\r\n")
			for _, begins := range []string{"220", "331", "230", "215"} {
				c.expect(begins)
			}
			c.leave()
		}
	}
	c := b.by(header(1, farClient)+header(1, otherClient), b.address)
	c.expect("220")
	c.expect("421 This is an FTP server")
	c.ended()
	if b.log.logged("client=" + otherClient) {
		t.Error("a second header was believed")
	}
}

// TestProxyData: the data connection of a client behind a balancer is the one whose
// header tells its address; one without a header, or with another, reaches nobody.
func TestProxyData(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, func(c *config.Config) { c.Passive.Ports = freePorts(t, 1) })
	b.file("file", "content")
	for version := byte(1); version <= 2; version++ {
		far, near := b.loginBy(header(version, farClient)), b.connectFrom("127.0.0.2")
		near.login()
		port, _ := portOf(far.do("EPSV", "229"))
		own, _ := portOf(near.do("EPSV", "229"))
		if own != port {
			t.Fatal("there is one port only")
		}
		far.header = header(version, otherClient)
		notServed(t, "of another client", far.dial(port))
		far.header = localHeader()
		notServed(t, "of the balancer", far.dial(port))
		near.header = ""
		notServed(t, "without a header, of the balancer's address", near.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}, port))
		near.header = header(version, farClient)
		notServed(t, "with a header, of one who is not believed", near.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}, port))
		near.header, far.header = "", header(version, farClient)
		for c, conn := range map[*client]net.Conn{far: far.dial(port), near: near.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}, port)} {
			c.do("RETR file", "150")
			if got, err := io.ReadAll(conn); err != nil || string(got) != "content" {
				t.Errorf("%q, %v", got, err)
			}
			_ = conn.Close()
			c.expect("226")
			c.leave()
		}
	}
}

// uploadOn is upload on a connection that is there.
func (c *client) uploadOn(conn *net.TCPConn, command, content string) string {
	c.t.Helper()
	c.do(command, "150")
	data := c.wrap(conn)
	_, err := io.WriteString(data, content)
	must(c.t, err)
	must(c.t, data.Close())
	return c.reply()
}

package ftp

import (
	"errors"
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

// TestProxyWhereAddressesAreHidden: who comes by way of a balancer is known, and has
// all that goes by addresses; who comes otherwise is not.
func TestProxyWhereAddressesAreHidden(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, func(c *config.Config) {
		hidden(c)
		c.Limits.SessionsPerAddress = 1
		c.Users[0].AllowedCIDRs = []string{"203.0.113.0/24"}
		addUsers(c, config.User{Name: "bob"})
		c.Passive.Ports = freePorts(t, 1)
	})
	must(t, os.Mkdir(filepath.Join(b.root, "bob"), 0o755))
	if b.log.logged("limits.sessionsPerAddress does not count") {
		t.Error("it counts for those who are known")
	}
	far := b.loginBy(header(2, farClient))
	tooMany := b.by(header(2, farClient), b.address)
	tooMany.expect("421 Too many sessions from your address")
	if got := far.upload("STOR file", "content"); !strings.HasPrefix(got, "226") { // in clear
		t.Error(got)
	}
	near, again := b.connectFrom("127.0.0.2"), b.connectFrom("127.0.0.2") // who is not counted
	near.try("alice", password, "530")
	again.try("bob", password, "230")
	again.do("EPSV", "425 Nothing would tell whose")
	bob, _ := b.hiddenBob()
	port, _ := portOf(bob.do("EPSV", "229"))
	farPort, _ := portOf(far.do("EPSV", "229"))
	if port != farPort {
		t.Fatal("there is one port only")
	}
	data := far.dial(port)
	if got := bob.uploadOn(bob.dialWith(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.9")}}, port), "STOR theirs", "bob's"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	if got := far.uploadOn(data, "STOR mine", "alice's"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	stored, _ := os.ReadFile(filepath.Join(b.root, "bob", "theirs"))
	if string(stored) != "bob's" || b.content("mine") != "alice's" {
		t.Errorf("%q, %q", stored, b.content("mine"))
	}
}

// hiddenBob is bob, from an address of which nothing is known, with a client that resumes.
func (b *bench) hiddenBob() (*client, *keeper) {
	b.t.Helper()
	cache := &keeper{}
	c := b.connectFrom("127.0.0.4")
	c.tls = b.clientTLS()
	c.tls.ClientSessionCache = cache
	c.secure()
	c.try("bob", password, "230")
	c.do("TYPE I", "200")
	return c, cache
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

// TestProxyLimits: sessions are counted by the address that a header tells, beside
// those that come from there themselves.
func TestProxyLimits(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Limits.SessionsPerAddress = 2 })
	first := b.loginBy(header(1, farClient))
	b.loginBy(header(2, farClient))
	third := b.by(header(2, farClient), b.address)
	third.expect("421 Too many sessions from your address")
	third.ended()
	if !b.log.logged("Connection refused", "client="+farClient+":40000") {
		t.Error("the log does not tell who was refused")
	}
	b.loginBy(header(2, otherClient))
	first.leave()
	eventually(t, "one has left", func() bool { return len(b.server.all()) == 2 })
	b.loginBy(header(1, farClient))

	b.connectFrom("127.0.0.2").login()
	b.loginBy(header(1, "127.0.0.2"))
	if got := heard(b.dialFrom("127.0.0.2", b.address)); !strings.HasPrefix(got, "421 Too many sessions from your address") {
		t.Errorf("%q", got)
	}
}

// TestProxyLockout: failed logins are counted by the address that a header tells.
func TestProxyLockout(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, guessing)
	c := b.connectBy(header(1, farClient))
	for range 3 {
		c.try("alice", "wrong", "530")
	}
	c.ended()
	b.connectBy(header(2, farClient)).try("alice", password, "530")
	if !b.log.logged("Login refused", "client="+farClient, "locked out") {
		t.Error("the log does not tell why")
	}
	b.loginBy(header(2, otherClient))
}

// TestProxyAllowedCIDRs: it is the address in the header that must be allowed, not
// the balancer's.
func TestProxyAllowedCIDRs(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Users[0].AllowedCIDRs = []string{farClient + "/32", "127.0.0.2/32"} })
	there := b.loginBy(header(1, farClient))
	b.connectBy(header(1, otherClient)).try("alice", password, "530")
	b.connectBy(localHeader()).try("alice", password, "530")
	b.reload(func(c *config.Config) { c.Users[0].AllowedCIDRs = []string{"127.0.0.0/8"} })
	there.expect("421")
	b.connectBy(localHeader()).try("alice", password, "230")
}

// TestProxyPassiveAddress: PASV tells what is configured for the client's network,
// else the address that the client has connected to.
func TestProxyPassiveAddress(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Passive.Ports = freePorts(t, 12) })
	c := b.loginBy(header(1, farClient))
	c.do("PASV", "227 Entering passive mode (198,51,100,1,")
	nowhere := b.loginBy("PROXY TCP4 " + farClient + " 0.0.0.0 40000 21\r\n")
	nowhere.do("PASV", "227 Entering passive mode (127,0,0,1,")
	six := b.loginBy("PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n")
	six.do("PASV", "522")
	six.do("EPSV 2", "229")
	mixed := b.loginBy("PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 40000 21\r\n")
	mixed.do("PASV", "425 PASV can't be answered: this server knows no address of IPv4")
	mixed.do("EPSV 1", "229")
	b.reload(func(c *config.Config) {
		c.Passive.Addresses = []config.PassiveAddress{{Address: "192.0.2.1", ClientCIDRs: []string{"127.0.0.0/8"}}, {Address: "192.0.2.2", ClientCIDRs: []string{"203.0.113.0/24"}}}
	})
	c.do("PASV", "227 Entering passive mode (192,0,2,2,")
	local := b.loginBy(localHeader())
	local.do("PASV", "227 Entering passive mode (192,0,2,1,")
}

// TestProxyHost: the address that the client has connected to is the server's.
func TestProxyHost(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	b.connectBy(header(2, farClient)).do("HOST "+balanced, "220")
	b.connectBy(localHeader()).do("HOST "+balanced, "504")
}

// TestProxyActive: whoever a balancer speaks for is not connected to, as an address
// that is only told could be anybody's.
func TestProxyActive(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, func(c *config.Config) { c.Active = true })
	b.loginBy(header(1, farClient)).do("PORT 203,0,113,7,200,1", "502")
	b.loginBy(header(1, "127.0.0.1")).do("EPRT |1|127.0.0.1|40000|", "502")
	l, err := net.Listen("tcp", "127.0.0.2:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	near := b.connectFrom("127.0.0.2")
	near.login()
	near.do(fmt.Sprintf("EPRT |1|127.0.0.2|%d|", l.Addr().(*net.TCPAddr).Port), "200")
}

// TestProxyOptional: where clients come from the same network, those who speak first
// and those who wait for the greeting are served as themselves, and what they have
// sent is not lost: commands, a TLS handshake, and the data of an upload.
func TestProxyOptional(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		b := newBench(t, trusting(config.ProxyOptional, "127.0.0.0/8"))
		b.file("file", "content")
		c := b.login()
		if got, reply := c.download("RETR file"); got != "content" || !strings.HasPrefix(reply, "226") {
			t.Errorf("%q, %s", got, reply)
		}
		if !b.log.logged("client=127.0.0.1:") || b.log.logged("proxy=") {
			t.Error("it was taken for somebody else")
		}
	})
	t.Run("eager", func(t *testing.T) {
		b := newProxied(t, config.ProxyOptional, func(c *config.Config) { implicit(c); c.Passive.Ports = freePorts(t, 1) })
		c := b.over(b.dialFrom("127.0.0.1", b.address))
		c.sends(t, "USER alice\r\nPASS "+password+"\r\nTYPE I\r\n")
		for _, begins := range []string{"220", "331", "230", "200"} {
			c.expect(begins)
		}
		port, _ := portOf(c.do("EPSV", "229"))
		conn := c.dial(port)
		_, err := io.WriteString(conn, "PR content") // almost as a header begins
		must(t, err)
		must(t, conn.CloseWrite())
		c.do("STOR file", "150")
		c.expect("226")
		if got := b.content("file"); got != "PR content" {
			t.Errorf("%q", got)
		}
		c = b.connectImplicit() // whose hello comes first
		c.login()
		if got := c.upload("STOR file", "over TLS"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
		c = b.loginBy(header(2, farClient))
		if got := c.upload("STOR file", "balanced"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
	})
}

// TestProxyRequired: a connection without a header is closed, and the log says what
// to do, for control and data connections.
func TestProxyRequired(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, implicit)
	for _, to := range []string{b.address, b.implicit} {
		if got := b.says(to, "USER alice\r\n"); got != "" {
			t.Errorf("%q", got)
		}
	}
	b.loggedEventually("level=WARN", "Connection closed for its PROXY header", "source=127.0.0.1:", "port=control", "have the load balancer speak the PROXY protocol")
	c := b.loginBy(header(1, farClient))
	port, _ := portOf(c.do("EPSV", "229"))
	c.header = "content"
	notServed(t, "without a header", c.dial(port))
	b.loggedEventually("level=WARN", "Connection closed for its PROXY header", "port=data")
	c.header = header(1, farClient)
	if got := c.uploadOn(c.dial(port), "STOR file", "content"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	b.connectFrom("127.0.0.2").login() // from elsewhere
}

// TestProxyHealthChecks: a balancer that opens a connection to see whether it can, or
// says that it is for itself, leaves nothing in the log.
func TestProxyHealthChecks(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, implicit)
	for range 3 {
		for _, to := range []string{b.address, b.implicit} {
			must(t, b.dialFrom("127.0.0.1", to).Close())
			conn := b.dialFrom("127.0.0.1", to)
			must(t, errors.Join(conn.SetLinger(0), conn.Close()))
		}
		c := b.connectBy(localHeader())
		must(t, c.raw.Close())
	}
	eventually(t, "all are gone", func() bool { return len(b.server.all()) == 0 })
	if text := b.log.String(); strings.Contains(text, "127.0.0.1") {
		t.Error(text)
	}
}

// TestProxyReload: connections go by the newest configuration, and sessions that are
// there go on as they began.
func TestProxyReload(t *testing.T) {
	b := newBench(t, nil)
	before := b.login()
	b.reload(trusting(config.ProxyRequired, "127.0.0.1/32"))
	far := b.loginBy(header(1, farClient))
	before.do("PWD", "257")
	b.reload(trusting(config.ProxyRequired))
	far.do("PWD", "257")
	b.login()
	if b.log.logged("Connection closed for its PROXY header") {
		t.Error("a header was missed")
	}
}

// TestProxyNotTrusted: a balancer that nobody has told of gets nothing done, and the
// log tells what is the matter.
func TestProxyNotTrusted(t *testing.T) {
	b := newBench(t, func(c *config.Config) { implicit(c); trusting(config.ProxyRequired, "192.0.2.0/24")(c) })
	for name, sent := range map[string]string{"v1": header(1, farClient), "v2": header(2, farClient)} {
		t.Run(name, func(t *testing.T) {
			mark := b.log.mark()
			if got := b.says(b.address, sent+"USER alice\r\nPASS "+password+"\r\n"); !strings.HasSuffix(got, "421 This is an FTP server\r\n") || strings.Contains(got, "331") {
				t.Errorf("%q", got)
			}
			eventually(t, "the log tells why", func() bool { return strings.Contains(b.log.since(mark), "proxyProtocol.trusted") })
			mark = b.log.mark()
			_ = b.says(b.implicit, sent)
			eventually(t, "the log tells why", func() bool {
				logged := b.log.since(mark)
				return strings.Contains(logged, "TLS handshake failed") && strings.Contains(logged, "proxyProtocol.trusted")
			})
			if b.log.logged("client=" + farClient) {
				t.Error("it was believed")
			}
		})
	}
	c := b.login() // after a login it may be a slip
	c.do("PROXY", "500")
	c.do("\x00", "501")
	c.do("PWD", "257")
}

// TestProxyKilled: a balancer that dies in the middle of a header, or of a transfer
// that it carries, leaves nothing.
func TestProxyKilled(t *testing.T) {
	b := newProxied(t, config.ProxyRequired, nil)
	before := descriptors(t)
	for _, whole := range []string{header(1, farClient), header(2, farClient)} {
		for _, at := range []int{0, 1, 14, len(whole) - 1} {
			conn := b.dialFrom("127.0.0.1", b.address)
			_, err := io.WriteString(conn, whole[:at])
			must(t, err)
			must(t, errors.Join(conn.SetLinger(0), conn.Close()))
		}
		c := b.loginBy(whole)
		conn := c.begin("STOR half")
		_, err := io.WriteString(conn, "content")
		must(t, err)
		must(t, errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close(), c.raw.SetLinger(0), c.raw.Close()))
	}
	eventually(t, "all are gone", func() bool { return len(b.server.all()) == 0 && descriptors(t) <= before })
	if b.content("half") != "" {
		t.Error("a part was published")
	}
	c := b.loginBy(header(1, farClient))
	c.do("PWD", "257")
}

// TestProxyDoesNotHoldUpOthers: whoever waits for a header, on the control port or a
// passive one, has nobody else wait.
func TestProxyDoesNotHoldUpOthers(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, func(c *config.Config) { c.Passive.Ports = freePorts(t, 1) })
	for range 20 {
		b.dialFrom("127.0.0.1", b.address)
		b.dialFrom("127.0.0.1", fmt.Sprintf("127.0.0.1:%d", b.config.Passive.Ports[0].Listen))
	}
	for range 3 {
		c := b.loginBy(header(2, farClient))
		if got := c.upload("STOR file", "content"); !strings.HasPrefix(got, "226") {
			t.Error(got)
		}
		near := b.connectFrom("127.0.0.2")
		near.login()
		near.leave()
		c.leave()
	}
}

// TestProxyDrain: who waits for a header when the server ends is sent away.
func TestProxyDrain(t *testing.T) {
	b := newProxied(t, config.ProxyOptional, nil)
	silent := b.dialFrom("127.0.0.1", b.address)
	eventually(t, "it is there", func() bool { return b.server.controlFrom.Waiting() == 1 })
	b.server.Drain(t.Context())
	if got := heard(silent); strings.Contains(got, "220") {
		t.Errorf("%q", got)
	}
}

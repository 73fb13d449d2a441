package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

// withBob adds a second user.
func withBob(edit func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		addUsers(c, config.User{Name: "bob"})
		if edit != nil {
			edit(c)
		}
	}
}

func hidden(c *config.Config) { c.Passive.ClientAddresses = config.ClientAddressesHidden }

// keeping is a client that resumes TLS sessions out of a cache of its own.
func (b *bench) keeping(version uint16) (*client, *keeper) {
	b.t.Helper()
	cache := &keeper{}
	c := b.connect()
	c.tls = b.clientTLS()
	c.tls.ClientSessionCache, c.tls.MinVersion, c.tls.MaxVersion = cache, version, version
	c.secure()
	return c, cache
}

func (b *bench) keepingAs(user string, version uint16) (*client, *keeper) {
	b.t.Helper()
	must(b.t, os.MkdirAll(filepath.Join(b.root, user), 0o755))
	c, cache := b.keeping(version)
	c.do("USER "+user, "331")
	c.do("PASS "+password, "230")
	c.do("TYPE I", "200")
	return c, cache
}

// wrapWith does the handshake on a data connection with another cache than the
// client's own.
func (c *client) wrapWith(conn *net.TCPConn, cache *keeper) (*tls.Conn, error) {
	cfg := c.tls.Clone()
	cfg.ClientSessionCache = nil
	if cache != nil {
		cfg.ClientSessionCache = cache
	}
	secured := tls.Client(conn, cfg)
	return secured, secured.Handshake()
}

// notServed fails if a data connection gets anything but its end.
func notServed(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
		t.Fatalf("%s: %d bytes came, %v", what, n, err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

var tlsVersions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// TestDataSessions: whose TLS session a data connection may resume. One that is
// turned away keeps nobody from coming with the right one.
func TestDataSessions(t *testing.T) {
	const auto, required, optional = config.DataSessionsAuto, config.DataSessionsRequired, config.DataSessionsOptional
	for _, policy := range []config.DataSessions{auto, required, optional} {
		for _, addresses := range []config.ClientAddresses{config.ClientAddressesPreserved, config.ClientAddressesHidden} {
			for _, version := range tlsVersions {
				judged := policy != optional
				unproven := policy == required || policy == auto && addresses == config.ClientAddressesHidden
				t.Run(fmt.Sprintf("%s, %s, %s", policy, addresses, tls.VersionName(version)), func(t *testing.T) {
					b := newBench(t, withBob(func(c *config.Config) {
						c.TLS.DataSessions, c.Passive.ClientAddresses = policy, addresses
						c.Passive.Ports = freePorts(t, 8)
					}))
					b.file("secret", "alice's")
					_, sibling := b.keepingAs("alice", version)
					bob, bobs := b.keepingAs("bob", version)
					_, nobodys := b.keeping(version)
					gone, ofGone := b.keepingAs("alice", version)
					gone.do("QUIT", "221")
					gone.ended()
					c, own := b.keepingAs("alice", version)
					for _, test := range []struct {
						name    string
						cache   *keeper
						refused bool
					}{
						{"own", own, false}, {"sibling's", sibling, false}, {"of one that has ended", ofGone, false},
						{"none", nil, unproven}, {"nobody's", nobodys, unproven}, {"another user's", bobs, judged},
						{"stolen", own.thief(t, bobs), true},
					} {
						c.takes(test.name, test.cache, test.refused, own)
					}
					bob.do("NOOP", "200")
				})
			}
		}
	}
}

// proves tells whether connections are matched by proof alone.
func (b *bench) proves() bool {
	hidden := b.config.Passive.ClientAddresses == config.ClientAddressesHidden
	policy := b.config.TLS.DataSessions
	return policy == config.DataSessionsRequired || hidden && policy != config.DataSessionsOptional
}

// takes tries a download with this cache, and if that is refused, with its own.
func (c *client) takes(what string, cache *keeper, refused bool, own *keeper) {
	c.t.Helper()
	port, _ := portOf(c.do("EPSV", "229"))
	conn := c.dial(port)
	c.do("RETR secret", "150")
	secured, err := c.wrapWith(conn, cache)
	if refused {
		if err == nil {
			notServed(c.t, what, secured)
		}
		if err != nil && !c.bench.proves() {
			c.expect("425 The data connection could not be secured") // matched by its address, and then broken
			return
		}
		secured, err = c.wrapWith(c.dial(port), own)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	content, err := io.ReadAll(secured)
	must(c.t, err)
	if string(content) != "alice's" {
		c.t.Fatalf("%s: %q came", what, content)
	}
	_ = secured.Close()
	c.expect("226")
}

// TestClientLeavesUnproven: clients that are turned away leave before they are told
// why, so the log has to tell.
func TestClientLeavesUnproven(t *testing.T) {
	b := newBench(t, hidden)
	b.file("secret", "alice's")
	c, _ := b.keepingAs("alice", tls.VersionTLS12)
	port, _ := portOf(c.do("EPSV", "229"))
	conn := c.dial(port)
	c.do("RETR secret", "150")
	secured, err := c.wrapWith(conn, nil)
	must(t, err)
	notServed(t, "without resumption", secured)
	_ = c.raw.Close()
	eventually(t, "the log tells", func() bool {
		return b.log.logged("No data connection was taken", "did not show whose it is", "user=alice", "clientSoftware")
	})
}

// TestHiddenInClear: where addresses tell nothing, a data connection in clear is
// nobody's, unless that was allowed.
func TestHiddenInClear(t *testing.T) {
	b := newBench(t, hidden)
	b.file("file", "content")
	c := b.login()
	c.do("EPSV", "425 Nothing would tell whose")
	c.do("PASV", "425 Nothing would tell whose")
	c.do("RETR file", "425 Send PASV or EPSV first")
	secured, _ := b.keepingAs("alice", tls.VersionTLS13)
	secured.do("PROT C", "200")
	secured.do("EPSV", "425 Nothing would tell whose")
	secured.do("PROT P", "200")
	if got, reply := secured.download("RETR file"); got != "content" {
		t.Fatalf("%q came, %s", got, reply)
	}
	b.reload(func(c *config.Config) { c.Passive.UnverifiedData = config.UnverifiedDataAllow })
	if got, reply := c.download("RETR file"); got != "content" {
		t.Fatalf("%q came, %s", got, reply)
	}
}

// TestActiveDataSessions: an active connection is judged as a passive one, and
// answered at once, as there is only one.
func TestActiveDataSessions(t *testing.T) {
	b := newBench(t, withBob(func(c *config.Config) { c.Active, c.TLS.DataSessions = true, config.DataSessionsRequired }))
	b.file("secret", "alice's")
	_, bobs := b.keepingAs("bob", tls.VersionTLS13)
	c, own := b.keepingAs("alice", tls.VersionTLS13)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	for _, test := range []struct {
		cache *keeper
		reply string
	}{{own, "226"}, {nil, "522 The data connection must resume"}, {bobs, "522 A data connection came with"}} {
		c.do(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port), "200")
		c.do("RETR secret", "150")
		conn, err := l.Accept()
		must(t, err)
		_ = conn.SetDeadline(time.Now().Add(patience))
		secured, err := c.wrapWith(conn.(*net.TCPConn), test.cache)
		must(t, err)
		content, _ := io.ReadAll(secured)
		_ = secured.Close()
		c.expect(test.reply)
		if (string(content) == "alice's") != (test.cache == own) {
			t.Errorf("%q came, and %s", content, test.reply)
		}
	}
}

// TestRevokedTickets: what was proven by a session that had to end is forgotten
// with it, and what the others proved is remembered.
func TestRevokedTickets(t *testing.T) {
	b := newBench(t, withBob(nil))
	for _, user := range []string{"alice", "bob"} {
		c, _ := b.keepingAs(user, tls.VersionTLS13)
		if user == "alice" {
			b.reload(func(c *config.Config) { c.Users[0].Login = config.LoginSuspended })
		} else {
			c.do("QUIT", "221")
		}
		eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
	}
	if b.server.known.isKnown(1) || !b.server.known.isKnown(2) {
		t.Error("the wrong session is remembered")
	}
}

// TestTwoPlacesForOneConnection: a data connection with the TLS session of
// somebody else ends the transfer where others have its place by now.
func TestTwoPlacesForOneConnection(t *testing.T) {
	b := newBench(t, withBob(func(c *config.Config) { c.Passive.Ports = freePorts(t, 1) }))
	b.file("secret", "alice's")
	_, bobs := b.keepingAs("bob", tls.VersionTLS13)
	c, own := b.keepingAs("alice", tls.VersionTLS13)
	port, _ := portOf(c.do("EPSV", "229"))
	conn := c.dial(port)
	next, _ := b.keepingAs("alice", tls.VersionTLS13)
	next.do("EPSV", "229")
	c.do("RETR secret", "150")
	secured, err := c.wrapWith(conn, bobs)
	must(t, err)
	notServed(t, "another user's", secured)
	c.expect("522 A data connection came with the TLS session of another user")
	if !b.log.logged("Data connection rejected", "another user", "user=alice") {
		t.Error("the log does not tell why")
	}
	next.do("ABOR", "226")
	c.do("NOOP", "200")
	_ = own
}

// TestNextAfterNoResumption: a session whose client does not resume any more gets
// ports of its own again.
func TestNextAfterNoResumption(t *testing.T) {
	b := newBench(t, nil)
	b.file("secret", "alice's")
	c, own := b.keepingAs("alice", tls.VersionTLS13)
	s := b.server.all()[0]
	for _, cache := range []*keeper{own, nil, own} {
		c.takes("a download", cache, false, own)
		eventually(t, "it is known what the client does", func() bool { return s.resumes.Load() == (cache != nil) })
	}
}

// TestUploadEnds: what an upload over TLS without close_notify is worth.
func TestUploadEnds(t *testing.T) {
	const refused, taken = "426 The data connection ended without TLS close_notify", "226"
	for policy, want := range map[config.UploadEnd][2]string{ // before and after the client has sent one
		config.UploadEndAuto: {taken, refused}, config.UploadEndStrict: {refused, refused}, config.UploadEndLenient: {taken, taken},
	} {
		t.Run(string(policy), func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { c.TLS.UploadEnd = policy })
			c := b.loginTLS()
			b.file("kept", "old")
			cut := func() string {
				conn := c.begin("STOR kept")
				_, err := io.WriteString(conn, "new")
				must(t, err)
				must(t, tcpOf(conn).CloseWrite())
				defer func() { _ = tcpOf(conn).Close() }()
				return c.reply()
			}
			for i, begins := range want {
				b.file("kept", "old")
				if got := cut(); got[:min(len(got), len(begins))] != begins {
					t.Errorf("upload %d: %s", i, got)
				}
				if got := b.content("kept"); (got == "new") != (begins == taken) {
					t.Errorf("upload %d: the file holds %q", i, got)
				}
				c.upload("STOR other", "with close_notify")
			}
			if !b.log.logged("Upload over TLS ended without close_notify", "user=alice", "clientSoftware") {
				t.Error("the log does not name the client")
			}
			b.file("kept", "old")
			for range 5 { // with each of them, the client must stay
				data := c.begin("STOR kept")
				_, err := io.WriteString(data, "half")
				must(t, err)
				_ = tcpOf(data).Close() // as the kernel does for a process that dies
				_ = c.raw.Close()
				eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
				if got := b.content("kept"); got != "old" {
					t.Fatalf("of a client that died, the file holds %q", got)
				}
				c = b.loginTLS()
			}
		})
	}
}

// TestUploadEndsBeforeItBegins: a client that gives up in the handshake, when the
// server is done with it, has not said that the file is empty.
func TestUploadEndsBeforeItBegins(t *testing.T) {
	const kept, emptied = "old", ""
	for policy, want := range map[config.UploadEnd]map[uint16]string{
		config.UploadEndAuto:    {tls.VersionTLS12: kept, tls.VersionTLS13: emptied},
		config.UploadEndStrict:  {tls.VersionTLS12: kept, tls.VersionTLS13: kept},
		config.UploadEndLenient: {tls.VersionTLS12: emptied, tls.VersionTLS13: emptied},
	} {
		for version, want := range want {
			b := newBench(t, func(c *config.Config) { c.TLS.UploadEnd = policy })
			c := b.connect()
			c.tls = b.clientTLS()
			c.tls.MaxVersion = version
			c.secure()
			c.login()
			b.file("kept", "old")
			conn := c.begin("STOR kept")
			must(t, tcpOf(conn).CloseWrite())
			reply := c.reply()
			_ = tcpOf(conn).Close()
			if got := b.content("kept"); got != want || strings.HasPrefix(reply, "226") != (want == emptied) {
				t.Errorf("%s, %s: the file holds %q, reply %s", policy, tls.VersionName(version), got, reply)
			}
			if reply := c.upload("STOR kept", ""); !strings.HasPrefix(reply, "226") || b.content("kept") != "" {
				t.Errorf("%s: an empty file with close_notify: %s", policy, reply)
			}
		}
	}
}

// TestPasswordChangeEndsTickets: what was proven with the old password is
// worth nothing to sessions with the new one.
func TestPasswordChangeEndsTickets(t *testing.T) {
	b := newBench(t, hidden)
	before := identity{name: "alice", secret: [32]byte{1}}
	b.server.known.belongs(1000, before)
	b.server.known.end(1000)
	now := identity{name: "alice", secret: [32]byte{2}}
	s := &session{server: b.server, id: 1001}
	if kind := s.kindOf(1000, now); kind != sessionForeign {
		t.Errorf("the old password's session counts as %s", kind)
	}
	if kind := s.kindOf(1000, before); kind != sessionUser {
		t.Errorf("the same password's session counts as %s", kind)
	}
}

// TestRevocationEndsTickets: a session that the server has ended, as its login
// changed, proves nothing any more, also once the login is as it was.
func TestRevocationEndsTickets(t *testing.T) {
	for _, version := range tlsVersions {
		b := newBench(t, hidden)
		b.file("secret", "alice's")
		gone, ofGone := b.keepingAs("alice", version)
		left, ofLeft := b.keepingAs("alice", version)
		left.do("QUIT", "221")
		left.ended()
		b.reload(func(c *config.Config) { c.Users[0].Login = config.LoginSuspended })
		gone.expect("421")
		gone.ended()
		b.reload(func(c *config.Config) { c.Users[0].Login = config.LoginEnabled })
		c, own := b.keepingAs("alice", version)
		c.takes("of one that has left", ofLeft, false, own)
		c.takes("of one that was ended", ofGone, true, own)
	}
}

// TestUnprovenReplies: a client is told what to do.
func TestUnprovenReplies(t *testing.T) {
	for _, err := range []error{passive.ErrForeign, passive.ErrUnproven} {
		if code, text := transferReply(&openError{err}); code != 522 || len(text) < 40 {
			t.Errorf("%v: %d %s", err, code, text)
		}
	}
}

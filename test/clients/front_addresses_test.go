package clients

import (
	"fmt"
	"io"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// A client that is announced to a front, and how.
const (
	frontClient       = "203.0.113.7"
	frontClientHeader = "PROXY TCP4 " + frontClient + " 198.51.100.1 40000 21\r\n"
)

// TestFrontOfBothFamilies: where pods have addresses of both families, clients work
// through the front by each, and the server knows them by the one that they come from.
func TestFrontOfBothFamilies(t *testing.T) {
	t.Parallel()
	f := newFront(t, inCluster, haproxySource, "::1")
	s := f.before(t, 0, func(c *config.Config) {
		c.Listen = fmt.Sprintf("[::]:%d", f.control)
		c.ProxyProtocol.Trusted[0].Data = config.ProxyDataDirect
	})

	for _, by := range []struct {
		host, client string
		mode         ftpclient.Mode
	}{
		{"::1", "[::1]:", ftpclient.EPSV}, {"127.0.0.1", "127.0.0.1:", ftpclient.EPSV}, {"127.0.0.1", "127.0.0.1:", ftpclient.PASV},
	} {
		target := s.target()
		target.Host, target.Port, target.Mode, target.TLS, target.ServerName = by.host, f.port, by.mode, ftpclient.TLS13, serverName
		name := "/" + strings.Trim(by.client, "[]:") + "-" + string(by.mode)
		c := ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}
		must(t, c.Upload(soon(t), randomFile(t, 300<<10), name))
		transfer := s.log.wait(t, "Transfer", func(e entry) bool { return strings.HasSuffix(e.text("path"), name) })
		if client, proxy := transfer.text("client"), transfer.text("proxy"); !strings.HasPrefix(client, by.client) || !strings.HasPrefix(proxy, haproxySource+":") {
			t.Errorf("by %s, the client is %s, by way of %s", by.host, client, proxy)
		}
	}
}

// from connects from an address, and says something before it is greeted.
func (f *front) from(t *testing.T, address, first string) *control {
	t.Helper()
	conn := f.dial(t, address)
	_, err := io.WriteString(conn, first)
	must(t, err)
	c := &control{t: t, conn: conn, text: textproto.NewConn(conn)}
	c.expect(220)
	return c
}

// knownAs has a server that knows by address who may log in as alice.
func (f *front) knownAs(t *testing.T) *server {
	t.Helper()
	return f.before(t, 1, func(c *config.Config) {
		c.Users[0].AllowedCIDRs = []string{frontClient + "/32"}
		c.Users = append(c.Users, user(t, "bob"))
	})
}

// TestFrontTellsNobody: whom a trusted balancer announces, the server knows; a client
// that comes past it is told as nobody, and what it says of itself is a command of its
// session. The front's log has the addresses of both.
func TestFrontTellsNobody(t *testing.T) {
	t.Parallel()
	f := newFront(t, balanced, haproxyAddress)
	s := f.knownAs(t)
	announced := func(e entry) bool { return strings.HasPrefix(e.text("client"), frontClient+":") }

	far := f.from(t, frontBalancer, frontClientHeader)
	far.command(331, "USER alice")
	far.command(230, "PASS "+password)
	far.command(221, "QUIT")
	s.log.wait(t, "Login", announced)

	near := f.from(t, frontNeighbour, "")
	near.command(331, "USER alice")
	near.command(530, "PASS "+password)
	near.command(331, "USER bob")
	near.command(230, "PASS "+password)
	if says := near.command(425, "EPSV"); !strings.Contains(says, "does not see its clients' addresses") {
		t.Errorf("a data connection is refused with %s", says)
	}
	near.command(221, "QUIT")

	liar := f.from(t, frontNeighbour, frontClientHeader)
	liar.expect(421)
	s.log.wait(t, "The client does not speak FTP", field("protocol", "PROXY"))
	if n := len(s.log.find("Session opened", announced)); n != 1 {
		t.Errorf("%d sessions are of the client that was announced: the server believes what another says of itself", n)
	}
	_, _ = far.conn.Close(), near.conn.Close() // the front tells of a session once it has ended
	for _, who := range []string{frontClient + ":40000 [", "\n" + frontNeighbour + ":"} {
		eventually(t, time.Minute, "the front's log has "+who, func() bool { return strings.Contains("\n"+f.said.String(), who) })
	}
}

// TestFrontTellsNobodyOfIPv6, whose connection goes on by IPv4.
func TestFrontTellsNobodyOfIPv6(t *testing.T) {
	t.Parallel()
	f := newFront(t, balanced, "::1")
	s := f.knownAs(t)
	f.from(t, "::1", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n").expect(421)
	c := f.from(t, "::1", "")
	c.command(331, "USER bob")
	c.command(230, "PASS "+password)
	c.command(425, "EPSV")
	s.log.wait(t, "Login", field("user", "bob"))
	if all := s.log.find("Session opened", nil); len(all) != 2 || len(s.log.find("Session opened", func(e entry) bool { return e.text("proxy") != "" })) > 0 {
		t.Errorf("sessions: %v", all)
	}
}

package clients

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Who comes to a front: a balancer that announces this client, and a neighbour of the
// front's that comes past it.
const (
	frontBalancer, frontNeighbour = "127.0.0.9", "127.0.0.3"
	frontClient                   = "203.0.113.7"
	frontClientHeader             = "PROXY TCP4 " + frontClient + " 198.51.100.1 40000 21\r\n"
)

// front is HAProxy with the configuration that the operator writes for a server
// behind a balancer which speaks the PROXY protocol, with one slot.
type front struct {
	host          string
	control, slot int // ports: the front's and the server's, and where the slot tells of itself
	said          *output
}

// newFront has a front for a server that does not run yet, at an address.
func newFront(t *testing.T, host string) *front {
	t.Helper()
	ports := freePorts(t, 2)
	return &front{host: host, control: ports[0].Listen, slot: ports[1].Listen}
}

// before has a server take connections from the front, and the front's header of all
// of them.
func (f *front) before(c *config.Config) {
	c.Listen, c.Admin.Listen = fmt.Sprintf("127.0.0.1:%d", f.control), fmt.Sprintf("127.0.0.1:%d", f.slot)
	trusting(config.ProxyRequired, "127.0.0.1/32")(c)
}

// written is the configuration as the operator writes it, with these addresses and
// ports.
func (f *front) written(t *testing.T) string {
	t.Helper()
	golden, err := os.Open("../../controllers/render/testdata/balanced.yaml")
	must(t, err)
	defer func() { _ = golden.Close() }()
	var text string
	for all := yaml.NewDecoder(golden); text == ""; {
		var object struct {
			Spec struct {
				Template struct {
					Metadata struct{ Annotations map[string]string }
				}
			}
		}
		must(t, all.Decode(&object))
		text = object.Spec.Template.Metadata.Annotations["ftp-operator.io/haproxy.cfg"]
	}
	text = regexp.MustCompile(`(?m)^ *server slot[^1] .*\n`).ReplaceAllString(text, "")
	for what, instead := range map[string]string{
		`server slot1 \S+`: "server slot1 127.0.0.1",
		`{ src .* }`:       "{ src " + frontBalancer + " }",
		`\b2121\b`:         fmt.Sprint(f.control),
		`\b8080\b`:         fmt.Sprint(f.slot),
		`\b2990\b`:         fmt.Sprint(freePorts(t, 1)[0].Listen),
	} {
		found := regexp.MustCompile(what)
		if !found.MatchString(text) {
			t.Fatalf("there is no %s in %s", what, text)
		}
		text = found.ReplaceAllString(text, instead)
	}
	return text
}

// start runs the front until the slot takes sessions from it.
func (f *front) start(t *testing.T) {
	t.Helper()
	program := os.Getenv("FTP_HAPROXY")
	if program == "" {
		program = "haproxy"
	}
	said, exited := runHAProxy(t, program, f.written(t), "POD_IP="+f.host, "POD_IPS="+f.host)
	f.said = said
	ready := "http://" + net.JoinHostPort(f.host, fmt.Sprint(f.slot)) + "/readyz"
	eventually(t, time.Minute, "the front finds the slot", func() bool {
		running(t, said, exited)
		resp, err := http.Get(ready)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// from connects from an address, and says something before it is greeted.
func (f *front) from(t *testing.T, address, first string) *control {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", net.JoinHostPort(f.host, fmt.Sprint(f.control)))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, first)
	must(t, err)
	c := &control{t: t, conn: conn, text: textproto.NewConn(conn)}
	c.expect(220)
	return c
}

// knownAs has a server that knows by address who may log in as alice.
func (f *front) knownAs(t *testing.T) *server {
	t.Helper()
	s := newServer(t, config.TLSOptional, func(c *config.Config) {
		f.before(c)
		c.Users[0].AllowedCIDRs = []string{frontClient + "/32"}
		c.Users = append(c.Users, user(t, "bob"))
	})
	s.start()
	f.start(t)
	return s
}

// TestFrontTellsNobody: whom a trusted balancer announces, the server knows; a client
// that comes past it is told as nobody, and what it says of itself is a command of its
// session. The front's log has the addresses of both.
func TestFrontTellsNobody(t *testing.T) {
	t.Parallel()
	f := newFront(t, haproxyAddress)
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
	f := newFront(t, "::1")
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

package clients

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// control is a control connection that a test holds in its own hands, for what
// no client program would do.
type control struct {
	t    *testing.T
	conn net.Conn
	text *textproto.Conn
}

// dial connects and reads the greeting, which must have this code; 0 leaves it
// to the caller.
func (s *server) dial(t *testing.T, greeting int) *control {
	t.Helper()
	c := s.open(t)
	if greeting != 0 {
		c.expect(greeting)
	}
	return c
}

// dialAfter sends a header of the PROXY protocol first, as a balancer does.
func (s *server) dialAfter(t *testing.T, header string) *control {
	t.Helper()
	c := s.open(t)
	_, err := io.WriteString(c.conn, header)
	must(t, err)
	c.expect(220)
	return c
}

func (s *server) open(t *testing.T) *control {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &control{t: t, conn: conn, text: textproto.NewConn(conn)}
}

// login connects and logs in.
func (s *server) login(t *testing.T, name, password string) *control {
	t.Helper()
	c := s.dial(t, 220)
	c.command(331, "USER "+name)
	c.command(230, "PASS "+password)
	return c
}

// accepts tells whether a login works now.
func (s *server) accepts(t *testing.T, name, password string) bool {
	t.Helper()
	c := s.dial(t, 220)
	defer func() { _ = c.conn.Close() }()
	c.command(331, "USER "+name)
	c.send("PASS " + password)
	code, text := c.read()
	if code != 230 && code != 530 {
		t.Fatalf("PASS: %d %s", code, text)
	}
	return code == 230
}

// secure is AUTH TLS, PBSZ and, if asked for, PROT P.
func (s *server) secure(c *control, protect bool) {
	c.t.Helper()
	c.command(234, "AUTH TLS")
	pem, err := os.ReadFile(filepath.Join(s.dir, "ca.crt"))
	must(c.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn := tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: serverName})
	must(c.t, conn.Handshake())
	c.text = textproto.NewConn(conn)
	c.command(200, "PBSZ 0")
	if protect {
		c.command(200, "PROT P")
	}
}

func (c *control) send(line string) {
	c.t.Helper()
	must(c.t, c.text.PrintfLine("%s", line))
}

// read returns the next reply; 0 is the end of the connection.
func (c *control) read() (code int, text string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	code, text, err := c.text.ReadResponse(0)
	if err != nil && code == 0 && !isEnd(err) {
		c.t.Fatal(err)
	}
	return code, text
}

func isEnd(err error) bool {
	return strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset")
}

func (c *control) expect(code int) string {
	c.t.Helper()
	got, text := c.read()
	if got != code {
		c.t.Fatalf("reply %d %s, want %d", got, text, code)
	}
	return text
}

func (c *control) command(code int, line string) string {
	c.t.Helper()
	c.send(line)
	got, text := c.read()
	if got != code {
		c.t.Fatalf("%s: reply %d %s, want %d", line, got, text, code)
	}
	return text
}

// data opens a passive data connection.
func (c *control) data() *net.TCPConn {
	c.t.Helper()
	var port int
	reply := c.command(229, "EPSV")
	if _, err := fmt.Sscanf(reply[strings.IndexByte(reply, '('):], "(|||%d|)", &port); err != nil {
		c.t.Fatalf("EPSV: %s: %v", reply, err)
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

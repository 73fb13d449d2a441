package ftp

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is the longest that a test waits for the server.
const patience = 15 * time.Second

// client is a control connection that the test types into.
type client struct {
	t       *testing.T
	bench   *bench
	raw     *net.TCPConn
	conn    net.Conn
	text    *textproto.Conn
	protect bool        // data connections
	tls     *tls.Config // nil: the bench's, which resumes nothing
	// header is sent first on each data connection, as a balancer does.
	header string
}

// connect reads the greeting too.
func (b *bench) connect() *client {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.address)
	must(b.t, err)
	c := &client{t: b.t, bench: b, raw: conn.(*net.TCPConn), conn: conn, text: textproto.NewConn(conn)}
	b.t.Cleanup(func() { _ = conn.Close() })
	c.expect("220")
	return c
}

func (b *bench) login() *client {
	b.t.Helper()
	c := b.connect()
	c.login()
	return c
}

// loginTLS is login with everything secured.
func (b *bench) loginTLS() *client {
	b.t.Helper()
	c := b.connect()
	c.secure()
	c.login()
	return c
}

func (c *client) login() {
	c.t.Helper()
	c.do("USER alice", "331")
	c.do("PASS "+password, "230")
	c.do("TYPE I", "200")
}

// loginAs logs in a user whose password is that of all.
func (b *bench) loginAs(name string) *client {
	b.t.Helper()
	c := b.connect()
	c.do("USER "+name, "331")
	c.do("PASS "+password, "230")
	c.do("TYPE I", "200")
	return c
}

// refused fails unless a login is refused as a wrong password is.
func (b *bench) refused(name string) {
	b.t.Helper()
	c := b.connect()
	c.do("USER "+name, "331")
	c.do("PASS "+password, "530 Login incorrect")
	c.do("USER alice", "331") // and the session goes on
}

func (c *client) secure() {
	c.t.Helper()
	c.do("AUTH TLS", "234")
	c.handshake()
	c.do("PBSZ 0", "200")
	c.do("PROT P", "200")
	c.protect = true
}

func (c *client) handshake() {
	c.t.Helper()
	conn := tls.Client(c.raw, c.clientTLS())
	must(c.t, conn.Handshake())
	c.conn, c.text = conn, textproto.NewConn(conn)
}

func (c *client) clientTLS() *tls.Config {
	if c.tls != nil {
		return c.tls
	}
	return c.bench.clientTLS()
}

func (c *client) send(line string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, line+"\r\n")
	must(c.t, err)
}

// reply is the next reply as it came, without the last line's end.
func (c *client) reply() string {
	c.t.Helper()
	_ = c.raw.SetReadDeadline(time.Now().Add(patience))
	first, err := c.text.ReadLine()
	if err != nil {
		c.t.Fatalf("no reply: %v", err)
	}
	lines := []string{first}
	for len(first) > 3 && first[3] == '-' && !strings.HasPrefix(lines[len(lines)-1], first[:3]+" ") {
		line, err := c.text.ReadLine()
		if err != nil {
			c.t.Fatalf("no end of the reply %q: %v", lines, err)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// expect fails unless the next reply begins so.
func (c *client) expect(begins string) string {
	c.t.Helper()
	r := c.reply()
	if !strings.HasPrefix(r, begins) {
		c.t.Fatalf("reply %q, want %q", r, begins)
	}
	return r
}

func (c *client) do(line, begins string) string {
	c.t.Helper()
	c.send(line)
	r := c.reply()
	if !strings.HasPrefix(r, begins) {
		c.t.Fatalf("%s: reply %q, want %q", line, r, begins)
	}
	return r
}

// ended fails unless the server closes the connection now.
func (c *client) ended() {
	c.t.Helper()
	_ = c.raw.SetReadDeadline(time.Now().Add(patience))
	if line, err := c.text.ReadLine(); err == nil {
		c.t.Fatalf("the connection goes on: %q", line)
	} else if n, ok := err.(net.Error); ok && n.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}

// portOf reads the port out of a reply to PASV or EPSV.
func portOf(reply string) (int, bool) {
	_, inside, ok := strings.Cut(reply, "(")
	inside, _, _ = strings.Cut(inside, ")")
	switch {
	case ok && strings.HasPrefix(reply, "229"):
		port, err := strconv.Atoi(strings.Trim(inside, "|"))
		return port, err == nil
	case ok && strings.HasPrefix(reply, "227"):
		fields := strings.Split(inside, ",")
		high, err1 := strconv.Atoi(fields[len(fields)-2])
		low, err2 := strconv.Atoi(fields[len(fields)-1])
		return high<<8 | low, err1 == nil && err2 == nil
	}
	return 0, false
}

// open asks for a passive port and connects to it, without TLS.
func (c *client) open() *net.TCPConn {
	c.t.Helper()
	port, ok := portOf(c.do("EPSV", "229"))
	if !ok {
		c.t.Fatal("no port")
	}
	return c.dial(port)
}

func (c *client) dial(port int) *net.TCPConn {
	c.t.Helper()
	return c.dialWith(&net.Dialer{}, port)
}

func (c *client) dialWith(d *net.Dialer, port int) *net.TCPConn {
	c.t.Helper()
	conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, c.header)
	must(c.t, err)
	return conn.(*net.TCPConn)
}

// begin opens a data connection, starts a transfer on it and secures it if the
// session is.
func (c *client) begin(command string) net.Conn {
	c.t.Helper()
	conn := c.open()
	c.do(command, "150")
	return c.wrap(conn)
}

func (c *client) wrap(conn *net.TCPConn) net.Conn {
	c.t.Helper()
	if !c.protect {
		return conn
	}
	secured := tls.Client(conn, c.clientTLS())
	must(c.t, secured.Handshake())
	return secured
}

// upload sends the content and returns the last reply.
func (c *client) upload(command, content string) string {
	c.t.Helper()
	conn := c.begin(command)
	_, err := io.WriteString(conn, content)
	must(c.t, err)
	must(c.t, conn.Close())
	return c.reply()
}

// download returns what came, and the last reply.
func (c *client) download(command string) (content, reply string) {
	c.t.Helper()
	conn := c.begin(command)
	data, err := io.ReadAll(conn)
	must(c.t, err)
	_ = conn.Close()
	return string(data), c.reply()
}

package clients

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is an FTP server that plays a part: it delays, it refuses, and it
// notes what the client does. It keeps its files in memory and does no more
// than the clients of these tests ask for.
type scripted struct {
	t         *testing.T
	listener  net.Listener
	tlsConfig *tls.Config
	// delay is how long a 150 waits; what the client does meanwhile is noted.
	delay time.Duration
	fault fault

	mu          sync.Mutex
	files       map[string][]byte
	connections int
	faults      int
	commands    []string
	handshakes  []string
}

// fault is a reply that refuses.
type fault struct {
	at    string // greeting, passive, upload (before a 150), uploading (after it)
	reply string
	times int // how often; 0 is always
}

// When a client begins the TLS handshake of a data connection.
const (
	beforeCommand = "before the command"
	before150     = "before the 150"
	after150      = "after the 150"
)

func newScripted(t *testing.T, dir string) *scripted {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return &scripted{
		t: t, listener: l, files: map[string][]byte{},
		tlsConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
}

func (s *scripted) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// serve accepts until the test ends.
func (s *scripted) serve() {
	s.t.Cleanup(func() { _ = s.listener.Close() })
	go func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			go (&scriptedSession{s: s, raw: c, conn: c, in: bufio.NewReader(c)}).run()
		}
	}()
}

func (s *scripted) note(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, command)
}

// fails tells whether the fault is due here, and counts it.
func (s *scripted) fails(at string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault.at != at || s.fault.times > 0 && s.faults >= s.fault.times {
		return false
	}
	s.faults++
	return true
}

// scriptedSession is a control connection of it.
type scriptedSession struct {
	s       *scripted
	raw     net.Conn
	conn    net.Conn
	in      *bufio.Reader
	private bool
	offset  int
	data    *scriptedData
}

func (c *scriptedSession) reply(line string) {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		_ = c.conn.Close()
	}
}

func (c *scriptedSession) run() {
	defer func() { _ = c.raw.Close() }()
	c.s.mu.Lock()
	c.s.connections++
	c.s.mu.Unlock()
	if c.s.fails("greeting") {
		c.reply(c.s.fault.reply)
		return
	}
	c.reply("220 Scripted")
	for {
		_ = c.raw.SetReadDeadline(time.Now().Add(60 * time.Second))
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, arg, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		c.s.note(verb)
		if !c.command(verb, arg) {
			return
		}
	}
}

var scriptedReplies = map[string]string{
	"USER": "331 Password", "PASS": "230 In", "PBSZ": "200 PBSZ=0", "SYST": "215 UNIX Type: L8", "TYPE": "200 Type",
	"PWD": "257 \"/\"", "CWD": "250 Done", "OPTS": "200 Done", "NOOP": "200 Done", "MKD": "257 \"/\" made", "DELE": "250 Done",
	"FEAT": "211-Features:\r\n UTF8\r\n EPSV\r\n PASV\r\n SIZE\r\n REST STREAM\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n MLST type*;size*;modify*;\r\n211 End",
}

// command answers one, and tells whether the session goes on.
func (c *scriptedSession) command(verb, arg string) bool {
	if reply, ok := scriptedReplies[verb]; ok {
		c.reply(reply)
		return true
	}
	switch verb {
	case "AUTH":
		c.reply("234 Go on")
		secured := tls.Server(c.raw, c.s.tlsConfig)
		c.conn, c.in = secured, bufio.NewReader(secured)
	case "PROT":
		c.private = arg == "P"
		c.reply("200 Done")
	case "REST":
		_, _ = fmt.Sscan(arg, &c.offset)
		c.reply("350 Go on")
	case "SIZE":
		c.size(arg)
	case "EPSV", "PASV":
		return c.passive(verb)
	case "STOR", "APPE":
		return c.upload(arg)
	case "RETR", "MLSD", "LIST", "NLST":
		c.download(verb, arg)
	case "QUIT":
		c.reply("221 Bye")
		return false
	default:
		c.reply("502 Not here")
	}
	return true
}

func (c *scriptedSession) size(name string) {
	c.s.mu.Lock()
	data, ok := c.s.files[path.Base(name)]
	c.s.mu.Unlock()
	if !ok {
		c.reply("550 No such file")
		return
	}
	c.reply(fmt.Sprintf("213 %d", len(data)))
}

// refuse says so; 421 ends the session.
func (c *scriptedSession) refuse() bool {
	c.reply(c.s.fault.reply)
	return !strings.HasPrefix(c.s.fault.reply, "421")
}

func (c *scriptedSession) passive(verb string) bool {
	if c.s.fails("passive") {
		return c.refuse()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.reply("425 " + err.Error())
		return true
	}
	var security *tls.Config
	if c.private {
		security = c.s.tlsConfig
	}
	c.data = newScriptedData(l, security)
	port := l.Addr().(*net.TCPAddr).Port
	if verb == "EPSV" {
		c.reply(fmt.Sprintf("229 Go (|||%d|)", port))
	} else {
		c.reply(fmt.Sprintf("227 Go (127,0,0,1,%d,%d)", port>>8, port&0xff))
	}
	return true
}

func (c *scriptedSession) upload(name string) bool {
	if c.s.fails("upload") {
		c.data.drop()
		return c.refuse()
	}
	fails := c.s.fails("uploading")
	conn, err := c.open()
	if err != nil {
		c.reply("425 " + err.Error())
		return true
	}
	if fails {
		_ = conn.Close()
		return c.refuse()
	}
	data, err := io.ReadAll(conn)
	_ = conn.Close()
	if err != nil {
		c.reply("426 " + err.Error())
		return true
	}
	c.s.mu.Lock()
	c.s.files[path.Base(name)] = data
	c.s.mu.Unlock()
	c.reply("226 Done")
	return true
}

func (c *scriptedSession) download(verb, name string) {
	content := c.listing(verb)
	if verb == "RETR" {
		c.s.mu.Lock()
		data, ok := c.s.files[path.Base(name)]
		c.s.mu.Unlock()
		if !ok || c.offset > len(data) {
			c.data.drop()
			c.reply("550 No such file")
			return
		}
		content = data[c.offset:]
	}
	c.offset = 0
	conn, err := c.open()
	if err != nil {
		c.reply("425 " + err.Error())
		return
	}
	_, err = conn.Write(content)
	_ = conn.Close()
	if err != nil {
		c.reply("426 " + err.Error())
		return
	}
	c.reply("226 Done")
}

func (c *scriptedSession) listing(verb string) []byte {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var b strings.Builder
	for name, data := range c.s.files {
		switch verb {
		case "MLSD":
			fmt.Fprintf(&b, "type=file;size=%d;modify=20260101000000; %s\r\n", len(data), name)
		case "LIST":
			fmt.Fprintf(&b, "-rw-r--r--   1 ftp      ftp      %d Jan  1 00:00 %s\r\n", len(data), name)
		case "NLST":
			b.WriteString(name + "\r\n")
		}
	}
	return []byte(b.String())
}

var errNoData = errors.New("send PASV or EPSV first")

// open gives the client time to show whether it begins its handshake without a
// 150, sends that, and returns the connection.
func (c *scriptedSession) open() (net.Conn, error) {
	d := c.data
	c.data = nil
	if d == nil {
		return nil, errNoData
	}
	close(d.commanded)
	if d.security != nil && c.s.delay > 0 {
		select {
		case <-d.began:
		case <-time.After(c.s.delay):
		}
	}
	d.mu.Lock()
	when := d.when
	if when == "" {
		when = after150
	}
	d.mu.Unlock()
	c.reply("150 Go")
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		d.drop()
		return nil, errors.New("no data connection")
	}
	if d.security != nil && d.err == nil {
		c.s.mu.Lock()
		c.s.handshakes = append(c.s.handshakes, when)
		c.s.mu.Unlock()
	}
	return d.conn, d.err
}

// scriptedData is a data connection that is awaited.
type scriptedData struct {
	listener  net.Listener
	security  *tls.Config
	commanded chan struct{} // closed when the command is there
	began     chan struct{} // closed when the client has begun its handshake
	done      chan struct{} // closed when conn and err are there
	conn      net.Conn
	err       error

	mu   sync.Mutex
	when string // of its first byte; empty while there is none
}

func newScriptedData(l net.Listener, security *tls.Config) *scriptedData {
	d := &scriptedData{
		listener: l, security: security,
		commanded: make(chan struct{}), began: make(chan struct{}), done: make(chan struct{}),
	}
	go d.accept()
	return d
}

func (d *scriptedData) drop() {
	if d != nil {
		_ = d.listener.Close()
	}
}

// patience is how long a command that a client has sent may be under way.
const patience = 500 * time.Millisecond

func (d *scriptedData) accept() {
	defer close(d.done)
	conn, err := d.listener.Accept()
	_ = d.listener.Close()
	if err != nil {
		d.err = err
		return
	}
	if d.security == nil {
		d.conn = conn
		return
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(conn)
	if _, err := in.Peek(1); err != nil {
		d.err = err
		return
	}
	when := before150
	select {
	case <-d.commanded:
	case <-time.After(patience):
		when = beforeCommand
	}
	d.mu.Lock()
	d.when = when
	d.mu.Unlock()
	close(d.began)
	secured := tls.Server(&buffered{Conn: conn, in: in}, d.security)
	d.conn, d.err = secured, secured.Handshake()
}

// buffered is a connection of which something was read ahead.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestContentTellsItsOwner runs sessions of several users at once against real
// sockets, which download and upload what names them, give up in every way there
// is, and come again, among strangers on all ports. Whatever happens, what a
// session gets and leaves is its own, every command is answered, and the server
// keeps neither goroutines nor descriptors (which the bench looks at).
func TestContentTellsItsOwner(t *testing.T) {
	for _, test := range []struct {
		name    string
		version uint16 // 0: in clear
		edit    func(*config.Config)
	}{
		{"in clear", 0, nil},
		{"TLS 1.2", tls.VersionTLS12, nil},
		{"TLS 1.3", tls.VersionTLS13, nil},
		{"required", tls.VersionTLS13, func(c *config.Config) { c.TLS.DataSessions = config.DataSessionsRequired }},
		{"hidden, TLS 1.2", tls.VersionTLS12, hidden},
		{"hidden, TLS 1.3", tls.VersionTLS13, hidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, withBob(func(c *config.Config) {
				// Who asks for a port and does not come keeps it from others for
				// longer than this test takes.
				c.Passive.Ports = freePorts(t, 40)
				if test.edit != nil {
					test.edit(c)
				}
			}))
			var sessions, strangers sync.WaitGroup
			over := make(chan struct{})
			for i, p := range b.config.Passive.Ports {
				strangers.Go(func() { b.strange(uint64(i), p.Listen, over) })
			}
			rounds := 15
			if testing.Short() {
				rounds = 6
			}
			for i := range 6 {
				o := &owner{b: b, version: test.version, user: []string{"alice", "bob"}[i%2], mark: fmt.Sprintf("session-%d", i), r: rand.New(rand.NewPCG(uint64(i), 7))}
				must(t, os.MkdirAll(filepath.Join(b.root, o.user), 0o755))
				must(t, os.WriteFile(filepath.Join(b.root, o.user, o.mark), []byte(o.content()), 0o600))
				sessions.Go(func() { o.run(rounds) })
			}
			sessions.Wait()
			close(over)
			strangers.Wait()
			eventually(t, "all sessions have ended", func() bool { return len(b.server.all()) == 0 })
		})
	}
}

// strange connects to a port from another address until it is over, says nothing,
// rubbish, or TLS's hello.
func (b *bench) strange(seed uint64, port int, over chan struct{}) {
	r := rand.New(rand.NewPCG(seed, 3))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, Timeout: patience}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(r.IntN(100)) * time.Millisecond): // a pace that leaves the machine to the others
		}
		c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		switch r.IntN(3) {
		case 0:
			_, _ = io.WriteString(c, "rubbish\r\n")
		case 1:
			secured := tls.Client(c, b.clientTLS())
			if n, _ := secured.Read(make([]byte, 1)); n > 0 {
				b.t.Error("a stranger was sent something")
			}
		}
		if open = append(open, c); len(open) > 8 {
			_ = open[0].Close()
			open = open[1:]
		}
	}
}

// owner is somebody with a session at a time. Everything that it sends and should
// get tells of it.
type owner struct {
	b          *bench
	version    uint16
	user, mark string
	r          *rand.Rand

	c     *client
	cache *keeper
	turn  int
}

// content is long enough for several records, and tells its owner throughout.
func (o *owner) content() string { return strings.Repeat(o.user+" "+o.mark+"\n", 3000) }

func (o *owner) run(rounds int) {
	defer func() {
		if o.c != nil {
			_ = o.c.raw.Close()
		}
	}()
	for o.turn = range rounds {
		if o.c == nil {
			o.connect()
		}
		switch n := o.r.IntN(12); {
		case n < 4:
			o.download()
		case n < 7:
			o.upload()
		case n == 7:
			o.refused()
		case n == 8:
			o.abort()
		case n == 9:
			o.late()
		case n == 10:
			o.c.do("QUIT", "221")
			o.c.ended()
			o.c = nil
		default:
			_ = o.c.raw.Close() // as it stands
			o.c = nil
		}
	}
}

func (o *owner) connect() {
	if o.version == 0 {
		o.c = o.b.loginAs(o.user)
		return
	}
	o.c, o.cache = o.b.keepingAs(o.user, o.version)
}

// port asks for one; 0 if there is none in time.
func (o *owner) port() int {
	o.c.send("EPSV")
	reply := o.c.reply()
	if strings.HasPrefix(reply, "425") {
		return 0
	}
	port, ok := portOf(reply)
	if !ok {
		o.b.t.Errorf("%s: EPSV is answered %q", o.mark, reply)
	}
	return port
}

// begin opens a data connection for a command.
func (o *owner) begin(command string) net.Conn {
	port := o.port()
	if port == 0 {
		return nil
	}
	conn := o.c.dial(port)
	o.c.do(command, "150")
	if o.version == 0 {
		return conn
	}
	cache := o.cache
	if !o.b.proves() && o.r.IntN(4) == 0 {
		cache = nil // resumes nothing
	}
	secured, err := o.c.wrapWith(conn, cache)
	if err != nil {
		o.b.t.Errorf("%s: the handshake on a data connection: %v", o.mark, err)
	}
	return secured
}

func (o *owner) download() {
	conn := o.begin("RETR " + o.mark)
	if conn == nil {
		return
	}
	got, err := io.ReadAll(conn)
	_ = conn.Close()
	if reply := o.c.reply(); err != nil || !strings.HasPrefix(reply, "226") || string(got) != o.content() {
		o.b.t.Errorf("%s: %d bytes came, beginning %q, %v, %s", o.mark, len(got), got[:min(len(got), 40)], err, reply)
	}
}

func (o *owner) upload() {
	name := fmt.Sprintf("%s-%d", o.mark, o.turn)
	conn := o.begin("STOR " + name)
	if conn == nil {
		return
	}
	_, err := io.WriteString(conn, o.content())
	err = errors.Join(err, conn.Close())
	if reply := o.c.reply(); err != nil || !strings.HasPrefix(reply, "226") {
		o.b.t.Errorf("%s: an upload: %v, %s", o.mark, err, reply)
	}
	if got, err := os.ReadFile(filepath.Join(o.b.root, o.user, name)); err != nil || string(got) != o.content() {
		o.b.t.Errorf("%s: the upload holds %d bytes, beginning %q, %v", o.mark, len(got), got[:min(len(got), 40)], err)
	}
}

// refused connects for a command that will not be carried out.
func (o *owner) refused() {
	if port := o.port(); port != 0 {
		conn := o.c.dial(port)
		o.c.do("RETR missing", "550")
		_ = conn.Close()
	}
}

// abort gives up while the data connection is awaited, or has come.
func (o *owner) abort() {
	port := o.port()
	if port == 0 {
		return
	}
	if o.r.IntN(2) == 0 {
		defer func(c net.Conn) { _ = c.Close() }(o.c.dial(port))
	}
	o.c.do("STOR aborted", "150")
	o.c.do("ABOR", "426")
	o.c.expect("226")
}

// late asks twice, and connects to the first port when it is given up already.
func (o *owner) late() {
	first := o.port()
	if first == 0 {
		return
	}
	second := o.port()
	conn := o.c.dial(first)
	if second != 0 {
		o.c.do("ABOR", "226")
	}
	_ = conn.Close()
}

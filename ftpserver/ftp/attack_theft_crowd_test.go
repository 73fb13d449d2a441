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
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackTheftByACrowd runs sessions of several users at once against real
// sockets, which download and upload what names them, give up in every way there
// is, and come again, among fifty strangers who go round all ports. Whatever
// happens, what a session gets and leaves is its own, no transfer fails, strangers
// get nothing, and the server keeps neither goroutines nor descriptors (which the
// bench looks at).
func TestAttackTheftByACrowd(t *testing.T) {
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
				with(c, "mallory", func(*config.User) {})
				// Who asks for a port and does not come keeps it from others for
				// longer than this test takes.
				c.Passive.Ports = freePorts(t, 40)
				if test.edit != nil {
					test.edit(c)
				}
			}))
			crowd, leave := b.crowd(test.version)
			var sessions sync.WaitGroup
			rounds := 15
			if testing.Short() {
				rounds = 6
			}
			var moved atomic.Int32
			for i := range 6 {
				o := &owner{b: b, version: test.version, user: []string{"alice", "bob"}[i%2], mark: fmt.Sprintf("session-%d", i), r: rand.New(rand.NewPCG(uint64(i), 7)), moved: &moved}
				must(t, os.MkdirAll(filepath.Join(b.root, o.user), 0o755))
				must(t, os.WriteFile(filepath.Join(b.root, o.user, o.mark), []byte(o.content()), 0o600))
				sessions.Go(func() { o.run(rounds) })
			}
			sessions.Wait()
			leave()
			if came := crowd.Load(); came < 10 || moved.Load() < int32(rounds) {
				t.Errorf("%d strangers came, and %d transfers were made: nothing was tried", came, moved.Load())
			}
			eventually(t, "all sessions have ended", func() bool { return len(b.server.all()) == 0 })
			b.goesOn()
		})
	}
}

// crowd has fifty strangers go round the passive ports until leave is called; it
// counts how often one came. One of them has a login, and a TLS session of it.
func (b *bench) crowd(version uint16) (came *atomic.Int32, leave func()) {
	b.t.Helper()
	mallorys := &keeper{}
	over := make(chan struct{})
	var mallory *client
	if version != 0 {
		mallory, mallorys = b.keepingAs("mallory", version)
	}
	came = &atomic.Int32{}
	var strangers sync.WaitGroup
	for i := range uint64(50) {
		s := &stranger{b: b, r: rand.New(rand.NewPCG(i, 3)), from: "127.0.0.9", cache: mallorys, came: came}
		if version != 0 && b.proves() && i%2 == 0 {
			s.from = "127.0.0.1" // where addresses prove nothing
		}
		strangers.Go(func() { s.run(over) })
	}
	return came, func() {
		close(over)
		strangers.Wait()
		if mallory != nil {
			mallory.do("QUIT", "221")
			mallory.ended()
		}
	}
}

// stranger connects to passive ports that nobody has told it of.
type stranger struct {
	b     *bench
	r     *rand.Rand
	from  string
	cache *keeper // a TLS session of another user
	came  *atomic.Int32
	open  []net.Conn
}

func (s *stranger) run(over chan struct{}) {
	defer func() {
		for _, c := range s.open {
			_ = c.Close()
		}
	}()
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(s.r.IntN(120)) * time.Millisecond): // a pace that leaves the machine to the others
		}
		s.call()
	}
}

// call says nothing, what another protocol says, or TLS's hello, with a ticket of
// another user or without.
func (s *stranger) call() {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(s.from)}, Timeout: patience}
	ports := s.b.config.Passive.Ports
	c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[s.r.IntN(len(ports))].Listen))
	if err != nil {
		return
	}
	s.came.Add(1)
	_ = c.SetDeadline(time.Now().Add(patience))
	if s.open = append(s.open, c); len(s.open) > 8 {
		_ = s.open[0].Close()
		s.open = s.open[1:]
	}
	from := c
	switch s.r.IntN(4) {
	case 0:
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	case 1:
		from = tls.Client(c, s.b.clientTLS())
	case 2:
		cfg := s.b.clientTLS()
		cfg.ClientSessionCache = s.cache
		from = tls.Client(c, cfg)
	default:
		return
	}
	if n, _ := from.Read(make([]byte, 1)); n > 0 {
		s.b.t.Error("a stranger was sent something")
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
	moved *atomic.Int32 // transfers of all that were complete
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
	o.moved.Add(1)
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
	o.moved.Add(1)
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

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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestOnePort: one passive port carries 64 sessions behind one address, which store and
// fetch files of mixed size all the time. No transfer fails or is told to try again, and
// what is in a file proves whose it is. So it is where a client shares one cache of TLS
// sessions among eight control connections. A thief at the same address, who comes to the
// port all the time, gets nothing and leaves nothing, where connections must prove
// themselves.
func TestOnePort(t *testing.T) {
	required := func(c *config.Config) { c.TLS.DataSessions = config.DataSessionsRequired }
	for _, test := range []struct {
		name    string
		version uint16 // 0: in clear
		edit    func(*config.Config)
		users   int  // of all sessions
		shared  bool // all sessions of a user have one cache
		thieves int
		long    bool // in the full tests only
	}{
		{"in clear", 0, nil, 32, false, 0, true},
		{"TLS 1.2", tls.VersionTLS12, nil, 32, false, 0, true},
		{"TLS 1.3", tls.VersionTLS13, nil, 32, false, 0, false},
		{"TLS 1.3, eight share a cache", tls.VersionTLS13, nil, 8, true, 0, false},
		{"hidden", tls.VersionTLS13, hidden, 32, false, 0, true},
		{"hidden, eight share a cache", tls.VersionTLS13, hidden, 8, true, 0, false},
		{"hidden, with thieves", tls.VersionTLS13, hidden, 32, false, 2, false},
		{"required, with thieves", tls.VersionTLS13, required, 32, false, 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.long && !full() {
				t.Skip("set FTP_TEST_FULL=1 for all ways to use one port")
			}
			// How long they wait is for the machine to say: that they are served in turn is
			// what is tried here. That nobody is told to try again within the time that
			// servers give, is for TestOnePortOfClients of test/clients.
			b := newBenchWith(t, parts{queue: onePortPatience}, func(c *config.Config) {
				for i := range test.users {
					addUsers(c, config.User{Name: fmt.Sprint("user-", i)})
				}
				addUsers(c, config.User{Name: "mallory"})
				c.Passive.Ports = freePorts(t, 1)
				if test.edit != nil {
					test.edit(c)
				}
			})
			leave := b.thieves(test.thieves, test.version)
			caches := make([]*keeper, test.users)
			for i := range caches {
				caches[i] = &keeper{}
				must(t, os.Mkdir(filepath.Join(b.root, fmt.Sprint("user-", i)), 0o755))
			}
			var sessions sync.WaitGroup
			var served atomic.Int64
			for i := range onePortSessions {
				v := &visitor{b: b, version: test.version, user: fmt.Sprint("user-", i%test.users), mark: fmt.Sprint("session-", i), cache: &keeper{}, served: &served}
				if test.shared {
					v.cache = caches[i%test.users]
				}
				sessions.Go(func() { v.run(visits()) })
			}
			sessions.Wait()
			leave()
			eventually(t, "all sessions have ended", func() bool { return len(b.server.all()) == 0 })
		})
	}
}

// onePortPatience is for what may take long on a machine that has much else to do.
const onePortPatience = 10 * time.Minute

const onePortSessions = 64

// maxPassed is how many transfers of all sessions may end while one waits for the port:
// those that were under way, those that were in line, and some that could share with them
// while it waited for its own user's. Who is never let in sees all others out.
const maxPassed = 4 * onePortSessions

// visits is how many files each session stores and fetches: at least so many that all
// transfers together, two for each, are twice as many as may pass one.
func visits() int {
	if full() {
		return 50
	}
	return maxPassed / onePortSessions
}

func full() bool { return os.Getenv("FTP_TEST_FULL") == "1" }

// visitor is a session of TestOnePort.
type visitor struct {
	b          *bench
	version    uint16
	user, mark string
	cache      *keeper
	served     *atomic.Int64 // transfers of all
}

// sizes of its files, in bytes: nothing, less than a record of TLS, some records, and more
// than a socket takes at once.
var visitorSizes = []int{0, 1, 900, 40_000, 3_000, 600_000}

// content tells throughout whose it is.
func (v *visitor) content(visit int) string {
	line := fmt.Sprintf("%s %s %d\n", v.user, v.mark, visit)
	n := visitorSizes[(visit+len(v.mark))%len(visitorSizes)]
	return strings.Repeat(line, n/len(line)+1)[:n]
}

func (v *visitor) run(visits int) {
	c := v.login()
	for i := range visits {
		name, content := fmt.Sprintf("%s-%d", v.mark, i), v.content(i)
		data := v.begin(c, "STOR "+name)
		_, err := io.WriteString(data, content)
		if err = errors.Join(err, data.Close()); err != nil {
			v.b.t.Errorf("%s: an upload: %v", name, err)
		}
		if reply := v.ended(c); reply != "226 Transfer complete" {
			v.b.t.Errorf("%s: an upload: %s", name, reply)
		}
		path := filepath.Join(v.b.root, v.user, name)
		if stored, err := os.ReadFile(path); err != nil || string(stored) != content {
			v.b.t.Errorf("%s: the upload holds %d bytes, beginning %.60q, %v", name, len(stored), stored, err)
		}
		data = v.begin(c, "RETR "+name)
		got, err := io.ReadAll(data)
		_ = data.Close()
		if reply := v.ended(c); err != nil || reply != "226 Transfer complete" || string(got) != content {
			v.b.t.Errorf("%s: a download: %d bytes, beginning %.60q, %v, %s", name, len(got), got, err, reply)
		}
		must(v.b.t, os.Remove(path))
	}
	c.leave()
}

// begin is client.begin, and fails where too many were served before.
func (v *visitor) begin(c *client, command string) net.Conn {
	before := v.served.Load()
	port, _ := portOf(c.do("EPSV", "229"))
	if passed := v.served.Load() - before; passed > maxPassed {
		v.b.t.Errorf("%s: while %s waited for the port, %d others were served", v.mark, command, passed)
	}
	conn := c.dial(port)
	c.do(command, "150")
	return c.wrap(conn)
}

func (v *visitor) ended(c *client) (reply string) {
	defer v.served.Add(1)
	return c.reply()
}

func (v *visitor) login() *client {
	if v.version == 0 {
		c := v.b.loginAs(v.user)
		c.wait = onePortPatience
		return c
	}
	c := v.b.connect()
	c.wait = onePortPatience
	c.tls = v.b.clientTLS()
	c.tls.ClientSessionCache, c.tls.MinVersion, c.tls.MaxVersion = v.cache, v.version, v.version
	c.secure()
	c.do("USER "+v.user, "331")
	c.do("PASS "+password, "230")
	c.do("TYPE I", "200")
	return c
}

// thieves come to the only passive port, from the address that all have, until leave is
// called: silent, with another protocol, and with TLS, without a ticket and with those of
// a login of their own.
func (b *bench) thieves(n int, version uint16) (leave func()) {
	b.t.Helper()
	if n == 0 {
		return func() {}
	}
	mallory, cache := b.keepingAs("mallory", version)
	over, came := make(chan struct{}), atomic.Int64{}
	var all sync.WaitGroup
	for range n {
		s := &thief{b: b, client: mallory, cache: cache}
		all.Go(func() {
			for ; ; came.Add(1) {
				select {
				case <-over:
					s.goHome()
					return
				default:
					s.come()
				}
			}
		})
	}
	return func() {
		close(over)
		all.Wait()
		if came.Load() < 10*int64(n) {
			b.t.Errorf("thieves came %d times: nothing was tried", came.Load())
		}
		b.t.Logf("thieves came %d times", came.Load())
		mallory.leave()
	}
}

type thief struct {
	b      *bench
	client *client
	cache  *keeper
	came   int
	silent []net.Conn
}

func (s *thief) come() {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.b.config.Passive.Ports[0].Listen), patience)
	if err != nil {
		s.b.t.Errorf("a thief: %v", err)
		return
	}
	_ = c.SetDeadline(time.Now().Add(onePortPatience))
	s.came++
	switch s.came % 4 {
	case 0: // says nothing, and stays
		if s.silent = append(s.silent, c); len(s.silent) > 4 {
			_ = s.silent[0].Close()
			s.silent = s.silent[1:]
		}
		return
	case 1:
		_, _ = io.WriteString(c, "stolen stolen stolen\r\n")
		s.gets(c)
	case 2:
		s.handshakes(c, nil)
	case 3:
		s.handshakes(c, s.cache)
	}
	_ = c.Close()
}

func (s *thief) handshakes(c net.Conn, cache *keeper) {
	secured, err := s.client.wrapWith(c.(*net.TCPConn), cache)
	if err != nil {
		return
	}
	_, _ = io.WriteString(secured, "stolen stolen stolen\r\n")
	s.gets(secured)
}

// gets reads until the server closes the connection: a record of TLS that tells why is no
// content.
func (s *thief) gets(c net.Conn) {
	got := make([]byte, 64)
	n, err := c.Read(got)
	if _, secured := c.(*tls.Conn); !secured && n > 0 && got[0] == recordAlert {
		n = 0
	}
	if n > 0 {
		s.b.t.Errorf("a thief got %q", got[:n])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.b.t.Error("a thief is kept waiting: its connection is still open")
	}
}

// recordAlert is how a record of TLS begins that tells an alert (RFC 8446 §5.1).
const recordAlert = 21

func (s *thief) goHome() {
	for _, c := range s.silent {
		_ = c.Close()
	}
}

package ftp

import (
	"crypto/tls"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestFaultClockOfTLS sets the clock that TLS goes by, with its tickets, while a
// session is there: its data connections go on, resumed or not, and new sessions
// begin.
func TestFaultClockOfTLS(t *testing.T) {
	const day = 24 * time.Hour
	for _, by := range []time.Duration{day, -day, 365 * day, -365 * day} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s/%s", by, tls.VersionName(version)), func(t *testing.T) {
				b := newBench(t, nil)
				set := b.settableClock()
				c, _ := b.keepingAs("alice", version)
				for range 2 {
					for i := range 3 {
						if got := c.upload("STOR file", "data"); !strings.HasPrefix(got, "226") {
							t.Fatalf("upload %d: %s", i, got)
						}
						if _, got := c.download("RETR file"); !strings.HasPrefix(got, "226") {
							t.Fatalf("download %d: %s", i, got)
						}
					}
					set(by)
				}
				again, _ := b.keepingAs("alice", version)
				if got := again.upload("STOR file", "data"); !strings.HasPrefix(got, "226") {
					t.Errorf("a new session: %s", got)
				}
			})
		}
	}
}

// settableClock puts the bench's TLS, and the keys of its tickets, on a clock that
// can be set by a distance from the true one.
func (b *bench) settableClock() (set func(time.Duration)) {
	var by atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
	whole := b.server.TLS
	b.server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := whole.GetConfigForClient(hello)
		if c != nil {
			c = c.Clone()
			c.Time = now
		}
		return c, err
	}}
	b.server.tickets.keys.Time = now
	return func(d time.Duration) { by.Store(int64(d)) }
}

// TestFaultClockIsSet: what a session waits for is reckoned by the clock that
// nobody can set. A time that has lost its reading of that (Round, UTC, Local)
// would go with the other.
func TestFaultClockIsSet(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	c.do("USER alice", "331") // begins a login anew
	c.do("PASS "+password, "230")
	if got := c.upload("STOR file", "data"); !strings.HasPrefix(got, "226") {
		t.Fatal(got)
	}
	c.do("RNFR file", "350")
	c.do("NOOP", "200")
	for _, s := range b.server.all() {
		s.mu.Lock()
		for name, at := range map[string]time.Time{
			"opened": s.opened, "loginSince": s.loginSince, "lastActivity": s.lastActivity,
			"uploadedAt": s.uploadedAt, "announcedAt": s.announcedAt, "deadline": s.deadline(time.Now()),
		} {
			if !strings.Contains(at.String(), " m=") {
				t.Errorf("%s is %s: it goes with the wall clock", name, at)
			}
		}
		s.mu.Unlock()
	}
	b.server.known.belongs(7, identity{name: "u"})
	b.server.known.end(7)
	if until := b.server.known.ended[0].until; !strings.Contains(until.String(), " m=") {
		t.Errorf("a session is remembered until %s, of the wall clock", until)
	}
}

// TestFaultReloads: a thousand reloads, every other one of a file that is broken,
// while files are transferred. In force is what was good last; nothing grows, no
// transfer notices, and the log has a line for each broken content.
func TestFaultReloads(t *testing.T) {
	const rounds, users, size = 250, 100, 64 << 10
	b := newBench(t, func(c *config.Config) {
		for i := range users { // so that a configuration that stays in memory shows
			u := c.Users[0]
			u.Name = fmt.Sprintf("user%d", i)
			c.Users = append(c.Users, u)
		}
	})
	b.file("file", strings.Repeat("x", size))
	stop, ended := make(chan struct{}), make(chan int)
	for _, c := range []*client{b.login(), b.loginTLS()} {
		go func() {
			n := 0
			defer func() { ended <- n }()
			for ; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if got, reply := c.download("RETR file"); !strings.HasPrefix(reply, "226") || len(got) != size {
					t.Errorf("a download: %s, %d bytes", reply, len(got))
				}
				if reply := c.upload(fmt.Sprintf("STOR new-%t", c.protect), "data"); !strings.HasPrefix(reply, "226") {
					t.Errorf("an upload: %s", reply)
				}
			}
		}()
	}
	var before int64
	var routines int
	for i := range rounds {
		if i == rounds/5 {
			before, routines = heap(), runtime.NumGoroutine()
		}
		banner := fmt.Sprintf("round %d", i)
		b.reload(func(c *config.Config) { c.Banner = banner })
		for range 3 {
			must(t, os.WriteFile(b.configFile, []byte("listen: [ # "+banner), 0o600))
			if b.source.Reload() == nil {
				t.Fatal("a broken file is taken")
			}
		}
		if got := b.source.Current().Config.Banner; got != banner {
			t.Fatalf("in force is %q, want %q", got, banner)
		}
	}
	grown, more := heap()-before, runtime.NumGoroutine()-routines
	close(stop)
	transfers := <-ended + <-ended
	t.Logf("%d reloads, %d rounds of transfers, heap %+d KiB, goroutines %+d", 4*rounds, transfers, grown>>10, more)
	if transfers < 2 {
		t.Errorf("%d rounds of transfers: there was no load", transfers)
	}
	if grown > 6<<20 || more > 20 {
		t.Errorf("the heap has grown by %d KiB, by %d goroutines", grown>>10, more)
	}
	if n := strings.Count(b.log.since(0), `msg="Configuration file refused"`); n != rounds {
		t.Errorf("the log has %d lines of %d broken files", n, rounds)
	}
	b.login().do("NOOP", "200")
}

package ftp

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackConnections: thousands of connections that nobody logs in on, silent,
// half-way into TLS, or refused and in no hurry to leave, pass no limit and keep
// nobody else out.
func TestAttackConnections(t *testing.T) {
	t.Run("silent", silentConnections)
	t.Run("silent, of one address, at the limit", crowdOfOneAddress)
	t.Run("silent, of many addresses, at the limit", crowdOfManyAddresses)
	t.Run("at the limit of an address", crowdOfALimitedAddress)
	t.Run("half-open TLS", halfOpenTLS)
	t.Run("refused", refusedConnections)
	t.Run("refused within TLS", refusedImplicit)
}

// many opens connections from an address and reads nothing.
func (b *bench) many(n int, from, to string) []*net.TCPConn {
	b.t.Helper()
	out := make([]*net.TCPConn, n)
	for i := range out {
		out[i] = b.dialFrom(from, to)
	}
	return out
}

// bounded fails if there are more sessions, or more connections to be turned
// away, than there may be.
func (b *bench) bounded(sessions int) {
	b.t.Helper()
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	if n := len(b.server.sessions); sessions > 0 && n > sessions {
		b.t.Errorf("%d sessions", n)
	}
	if n := b.server.turnedAway; n < 0 || n > maxTurnedAway {
		b.t.Errorf("%d connections are being turned away", n)
	}
}

// heard is all that comes on a connection that was opened some time ago.
func heard(c *net.TCPConn) string {
	_ = c.SetDeadline(time.Now().Add(2 * patience))
	answer, _ := io.ReadAll(c)
	return string(answer)
}

func (b *bench) nobodyTurnedAway() bool {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	return b.server.turnedAway == 0
}

// silentConnections: without any limit, they cost little, and loginTimeout ends
// them.
func silentConnections(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.LoginTimeout = time.Hour })
	const n = 2500
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := b.many(n, "127.0.0.66", b.address)
	eventually(t, "all are there", func() bool { return len(b.server.all()) == n })
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	if each /= n; each > 40<<10 { // both ends are in this process
		t.Errorf("a silent connection takes %d bytes", each)
	}
	t.Logf("a silent connection takes %d bytes", each)
	b.goesOn()
	b.reload(func(c *config.Config) { c.Limits.LoginTimeout = time.Second })
	if answer := heard(conns[n-1]); !strings.HasSuffix(answer, "421 No login in time\r\n") {
		t.Errorf("%q", answer)
	}
	eventually(t, "all have ended", func() bool { return len(b.server.all()) == 0 })
	b.reload(func(c *config.Config) { c.Limits.LoginTimeout = time.Hour })
	b.goesOn()
}

// crowdOfOneAddress: where the limit of sessions is reached, those of the address
// that has most make room for each other, and for all others. Whoever is logged
// in stays, and so does who is about to log in elsewhere.
func crowdOfOneAddress(t *testing.T) {
	const limit = 60
	b := newBench(t, func(c *config.Config) { c.Limits.Sessions, c.Limits.LoginTimeout = limit, time.Hour })
	there, slow := b.login(), b.connectFrom("127.0.0.2")
	slow.do("USER alice", "331")
	conns := b.many(limit-2, "127.0.0.66", b.address)
	eventually(t, "the limit is reached", func() bool { return len(b.server.all()) == limit })
	for range 20 {
		conns = append(conns, b.many(100, "127.0.0.66", b.address)...)
		b.bounded(limit)
		c := b.connectFrom("127.0.0.3")
		c.login()
		c.leave()
	}
	eventually(t, "nobody is left to be turned away", b.nobodyTurnedAway)
	if answer := heard(conns[0]); !strings.HasSuffix(answer, "421 "+tooManySessions+"\r\n") {
		t.Errorf("the first of the crowd is told %q", answer)
	}
	slow.do("PASS "+password, "230")
	there.do("NOOP", "200")
	b.loggedEventually("level=INFO", "Session crowded out", "client=127.0.0.66", "limits.sessions is reached")
	if b.log.logged("Session crowded out", "client=127.0.0.2") {
		t.Error("somebody of another address was crowded out")
	}
	b.goesOn()
}

// crowdOfManyAddresses: where each connection comes from another address, the
// oldest makes room, so that who comes has as long to log in as it takes to
// open that many; and those who are logged in leave room for no more.
func crowdOfManyAddresses(t *testing.T) {
	const limit = 20
	b := newBench(t, func(c *config.Config) { c.Limits.Sessions, c.Limits.LoginTimeout = limit, time.Hour })
	there := b.login()
	from := 0
	crowd := func(n int) {
		for range n {
			from++
			b.dialFrom(fmt.Sprintf("127.1.%d.%d", from/200, 1+from%200), b.address)
		}
	}
	crowd(10 * limit)
	b.bounded(limit)
	for range 5 {
		c := b.connectFrom("127.0.0.2")
		crowd(limit / 2)
		c.login()
		crowd(2 * limit)
		c.do("NOOP", "200")
		b.bounded(limit)
		c.leave()
	}
	there.do("NOOP", "200")
	for len(b.server.all()) < limit {
		crowd(1)
	}
	for range limit - 1 {
		b.login()
	}
	eventually(t, "nobody is left to be turned away", b.nobodyTurnedAway)
	if answer := b.says(b.address, ""); answer != "421 "+tooManySessions+"\r\n" {
		t.Errorf("with %d logged in, one more is told %q", limit, answer)
	}
	there.leave()
	eventually(t, "there is room", func() bool { return len(b.server.all()) < limit })
	b.login()
}

// crowdOfALimitedAddress: with a limit for each address, no more get in at all.
func crowdOfALimitedAddress(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Limits.Sessions, c.Limits.SessionsPerAddress, c.Limits.LoginTimeout = 30, 5, time.Hour
	})
	for range 10 {
		b.many(50, "127.0.0.66", b.address)
		b.bounded(5)
		c := b.connectFrom("127.0.0.2")
		c.login()
		c.leave()
		eventually(t, "that session is over", func() bool { return len(b.server.all()) <= 5 })
	}
	b.loggedEventually("level=INFO", "Connection refused", "client=127.0.0.66", "too many sessions of the address")
	b.goesOn()
}

// halfOpenTLS: silent ones, and those that stop in the middle of their hello, on
// the control port, on that for implicit TLS and on data connections.
func halfOpenTLS(t *testing.T) {
	const limit = 50
	b := newBench(t, func(c *config.Config) {
		implicit(c)
		c.Limits.Handshakes, c.Limits.HandshakeTimeout, c.Limits.LoginTimeout = limit, time.Hour, time.Hour
	})
	session := b.loginTLS()
	data := session.open() // a handshake that no stranger ends
	for i := range 500 {
		conn := b.dialFrom("127.0.0.66", b.implicit)
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
		}
		c := b.over(b.dialFrom("127.0.0.66", b.address))
		c.expect("220")
		c.do("AUTH TLS", "234")
		if i%2 == 0 {
			_, _ = io.WriteString(c.conn, "\x16\x03\x01")
		}
	}
	b.server.handshakes.mu.Lock()
	if n := b.server.handshakes.running.Len(); n > limit {
		t.Errorf("%d handshakes are in progress", n)
	}
	b.server.handshakes.mu.Unlock()
	b.loggedEventually("TLS handshake failed", "limits.handshakes", "client=127.0.0.66")
	session.do("STOR file", "150")
	_ = data.SetDeadline(time.Now().Add(patience)) // it was opened some time ago
	secured := session.wrap(data)
	must(t, secured.Close())
	session.expect("226")
	b.goesOn()
	b.connectImplicit().login()

	b.reload(func(c *config.Config) { c.Limits.HandshakeTimeout = time.Second })
	session.open()
	session.do("STOR file", "150")
	session.expect("425 The data connection could not be secured")
	silent := b.connect()
	silent.do("AUTH TLS", "234")
	silent.ended()
	b.reload(func(c *config.Config) { c.Limits.HandshakeTimeout = time.Hour })
	b.goesOn()
}

// holdsFew fails if the server keeps more connections than it may turn away,
// beside so many descriptors of the test's own.
func (b *bench) holdsFew(own int) {
	b.t.Helper()
	eventually(b.t, "few descriptors are held for refused connections", func() bool { return descriptors(b.t)-own <= maxTurnedAway })
}

// tellOfAll has the log tell of each who is refused, as if a minute were between two.
func (b *bench) tellOfAll() {
	var minutes atomic.Int64
	b.tellOfRefusedBy(func() time.Time { return time.Unix(60*minutes.Add(1), 0) })
}

// tellOfRefusedBy is to be called before anybody is refused.
func (b *bench) tellOfRefusedBy(clock func() time.Time) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock() // which loops pass through before they refuse anybody
	b.server.refusals = newRefusals(clock)
}

// refusedConnections: who is refused is told so, and may take a second to leave.
// More than some of them at once are closed without a word, so that they can't
// hold descriptors of which there is no limit.
func refusedConnections(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.SessionsPerAddress = 2 })
	b.tellOfAll()
	there := b.connectFrom("127.0.0.66")
	there.login()
	b.connectFrom("127.0.0.66")
	before := descriptors(t)
	conns := b.many(500, "127.0.0.66", b.address) // none of which leaves by itself
	eventually(t, "all were refused", func() bool { return b.log.lines("Connection refused") == len(conns) })
	b.bounded(2)
	b.holdsFew(before + len(conns))
	know := 0
	for _, c := range conns {
		if strings.HasPrefix(heard(c), "421 Too many sessions from your address") {
			know++
		}
	}
	if know < maxTurnedAway {
		t.Errorf("%d were told why", know)
	}
	there.do("NOOP", "200")
	there.do("QUIT", "221")
	b.goesOn()
}

// refusedImplicit: on the port for implicit TLS, being refused takes a handshake,
// which a client may draw out.
func refusedImplicit(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		implicit(c)
		c.Limits.SessionsPerAddress, c.Limits.HandshakeTimeout = 2, time.Hour
	})
	b.tellOfAll()
	there := b.connectFrom("127.0.0.66")
	there.login()
	b.connectFrom("127.0.0.66")
	before := descriptors(t)
	conns := b.many(4*maxTurnedAway, "127.0.0.66", b.implicit)
	eventually(t, "all were refused", func() bool { return b.log.lines("Connection refused") == len(conns) })
	b.bounded(2)
	b.holdsFew(before + len(conns))
	b.goesOn()
	c, err := tls.Dial("tcp", b.implicit, b.clientTLS()) // from elsewhere
	must(t, err)
	_ = c.Close()
	for _, c := range conns {
		_ = c.Close()
	}
	there.do("QUIT", "221")
}

package passive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestContentTellsItsOwner runs random schedules of sessions behind shared
// addresses, whose connections come in time, late or never, among strangers
// that connect anywhere at any time, while ports come and go. Whatever happens,
// nobody gets the connection of somebody else, nobody waits longer than
// QueueTime, and nothing is left over.
func TestContentTellsItsOwner(t *testing.T) {
	schedules := uint64(150)
	if testing.Short() {
		schedules = 20
	}
	for seed := range schedules {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed)
			for range 250 {
				w.step()
			}
			w.finish()
		})
	}
}

// TestSchedulesReachEverything guards the schedules above: they must hold what
// they are about.
func TestSchedulesReachEverything(t *testing.T) {
	var taken, late, strangers, busy int
	for seed := range uint64(20) {
		w := newWorld(t, 1000+seed)
		for range 250 {
			w.step()
		}
		w.finish()
		taken += w.taken
		late += w.b.seen.rejections("late")
		strangers += w.b.seen.rejections("stranger")
		busy += w.b.seen.outcomes["busy"]
	}
	if taken < 50 || late < 20 || strangers < 100 || busy < 20 {
		t.Errorf("in 20 schedules: %d connections taken, %d late, %d strangers, %d refused", taken, late, strangers, busy)
	}
}

// member is a session. It connects at most once for each port it gets.
type member struct {
	request  Request
	shared   bool // others have its address too
	asking   *pending
	askedAt  time.Time
	e        *Expectation
	outbound []*outbound
}

// outbound is a connection on its way from a client.
type outbound struct {
	port    *port
	belongs *Expectation
	conn    *fakeConn
	endAt   time.Time // when the expectation was first seen to have ended
}

// world is a broker with sessions, strangers and a scheduler.
type world struct {
	t       *testing.T
	r       *rand.Rand
	b       *bench
	members []*member
	conns   []*fakeConn
	taken   int
}

const sharedAddress, hostAddress = "127.0.0.2", "127.0.0.%d"

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), b: newBench(t, 4)}
	for i := range 6 {
		user := fmt.Sprintf("user-%d", i/2) // two sessions each
		w.members = append(w.members, &member{request: request(sharedAddress, user), shared: true})
	}
	for i := range 2 {
		w.members = append(w.members, &member{request: request(fmt.Sprintf(hostAddress, 10+i), "lonely")})
	}
	return w
}

func (w *world) step() {
	m := w.members[w.r.IntN(len(w.members))]
	switch n := w.r.IntN(100); {
	case n < 20:
		w.ask(m)
	case n < 50:
		w.deliver(m)
	case n < 70:
		w.take(m)
	case n < 73:
		w.giveUp(m)
	case n < 80:
		w.stray()
	case n < 95:
		w.pass(time.Duration(w.r.IntN(2000)) * time.Millisecond)
	case n < 97:
		w.pass(time.Duration(w.r.IntN(90)) * time.Second)
	default:
		w.changePorts()
	}
	w.settle()
}

// ask is PASV: it replaces the session's own earlier one.
func (w *world) ask(m *member) {
	if m.asking != nil {
		return
	}
	w.giveUp(m)
	m.asking, m.askedAt = &pending{ret: make(chan struct{})}, w.b.clock.Now()
	go func(p *pending) {
		p.e, p.err = w.b.Expect(context.Background(), m.request)
		close(p.ret)
	}(m.asking)
}

// giveUp is a refused command, QUIT, or the end of the session.
func (w *world) giveUp(m *member) {
	if m.e != nil {
		m.e.Cancel()
		m.e = nil
	}
}

// deliver lets one of the session's connections arrive, however late.
func (w *world) deliver(m *member) {
	if len(m.outbound) == 0 {
		return
	}
	i := w.r.IntN(len(m.outbound))
	o := m.outbound[i]
	m.outbound = slices.Delete(m.outbound, i, i+1)
	w.arrive(o.port.listen, o.conn)
}

// arrive is the kernel: where nobody listens, the connection is refused.
func (w *world) arrive(number int, c *fakeConn) {
	w.b.mu.Lock()
	var at *port
	for _, p := range w.b.Broker.ports {
		if p.listen == number {
			at = p
		}
	}
	for p := range w.b.retired {
		if p.listen == number {
			at = p
		}
	}
	w.b.mu.Unlock()
	if at == nil {
		_ = c.Close()
		return
	}
	w.b.arrive(at, c)
}

// take is the transfer: it must be on the session's own connection.
func (w *world) take(m *member) {
	if m.e == nil {
		return
	}
	select {
	case <-m.e.Arrived():
	default:
		return
	}
	if c, err := m.e.Take(context.Background()); err == nil {
		w.taken++
		if owner := c.(*fakeConn).owner; owner != m && (m.shared || owner != nil) {
			w.t.Fatalf("the connection of %+v went to %+v", owner, m)
		}
		_ = c.Close()
	}
	m.e = nil
}

// stray connects from an address that nobody else has, to any port, early or
// twice as it may be.
func (w *world) stray() {
	address := fmt.Sprintf(hostAddress, 10+w.r.IntN(4)) // of a lonely member, or nobody's
	p := w.b.ports[w.r.IntN(len(w.b.ports))]
	w.arrive(p.Listen, w.conn(nil, netip.MustParseAddr(address)))
}

func (w *world) conn(owner *member, from netip.Addr) *fakeConn {
	c := &fakeConn{owner: owner, from: from}
	w.conns = append(w.conns, c)
	return c
}

// pass lets time go by. A connection that has not come within TombstoneTime of
// its expectation's end never will: the client's kernel has given up.
func (w *world) pass(d time.Duration) {
	for d > 0 { // from one timer to the next, so that all is seen when it happens
		step := min(d, w.b.clock.untilNext())
		w.b.clock.advance(step)
		d -= step
		w.settle()
		for _, m := range w.members {
			m.outbound = slices.DeleteFunc(m.outbound, func(o *outbound) bool {
				if !o.endAt.IsZero() && !w.b.clock.Now().Before(o.endAt.Add(TombstoneTime-time.Millisecond)) {
					_ = o.conn.Close()
					return true
				}
				return false
			})
		}
	}
}

func (w *world) changePorts() {
	var set []config.PassivePort
	for _, p := range w.b.ports {
		if w.r.IntN(3) > 0 {
			set = append(set, p)
		}
	}
	if err := w.b.SetPorts(set); err != nil {
		w.t.Fatal(err)
	}
}

// settle waits until every request is answered or in the queue, and sees what
// has become of requests and expectations.
func (w *world) settle() {
	eventually(w.t, "all requests are answered or wait", func() bool {
		asking := 0
		for _, m := range w.members {
			if m.asking != nil && !w.answered(m) {
				asking++
			}
		}
		w.b.mu.Lock()
		queued := 0
		for _, q := range w.b.queue {
			queued += q.Len()
		}
		w.b.mu.Unlock()
		return queued == asking && w.b.clock.active(QueueTime) == asking
	})
	for _, m := range w.members {
		for _, o := range m.outbound {
			if o.endAt.IsZero() && ended(o.belongs) {
				o.endAt = w.b.clock.Now()
			}
		}
	}
}

// answered takes the answer to a request, if it is there. The client will then
// connect, unless it never does.
func (w *world) answered(m *member) bool {
	select {
	case <-m.asking.ret:
	default:
		return false
	}
	if waited := w.b.clock.Now().Sub(m.askedAt); waited > QueueTime {
		w.t.Fatalf("a request was answered after %s", waited)
	}
	m.e, m.asking = m.asking.e, nil
	if m.e != nil && w.r.IntN(5) > 0 {
		m.outbound = append(m.outbound, &outbound{port: m.e.port, belongs: m.e, conn: w.conn(m, m.request.Client)})
	}
	return true
}

// finish ends all sessions. What nobody took must be closed by then.
func (w *world) finish() {
	w.pass(QueueTime)
	for _, m := range w.members {
		w.giveUp(m)
		for _, o := range m.outbound {
			_ = o.conn.Close()
		}
	}
	w.pass(TombstoneTime)
	w.b.mu.Lock()
	left := len(w.b.places) + len(w.b.users) + len(w.b.queue)
	w.b.mu.Unlock()
	if left > 0 {
		w.t.Fatalf("%d entries are left over", left)
	}
	for _, c := range w.conns {
		if !c.closed.Load() {
			w.t.Fatalf("a connection of %+v was left open", c.owner)
		}
	}
}

// fakeConn is an arriving connection. A nil owner is a stranger.
type fakeConn struct {
	net.Conn
	owner  *member
	from   netip.Addr
	closed atomic.Bool
}

func (c *fakeConn) Close() error { c.closed.Store(true); return nil }

func (c *fakeConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from, 40000))
}

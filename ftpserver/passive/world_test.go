package passive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// member is a session. It connects at most once for each port it gets.
type member struct {
	request Request
	resumes bool // its last connection has shown whose it is
	// strayed are ports that its user has also gone to without being told: more
	// connections of the user came there than were awaited, and may be taken for
	// one another's.
	strayed map[*port]bool
	shared  bool // others have its address too
	// announced: it comes by way of a proxy that says so.
	announced bool
	asking    *pending
	askedAt   time.Time
	e         *Expectation
	outbound  []*outbound
}

// outbound is a connection on its way from a client.
type outbound struct {
	port    *port
	belongs *Expectation
	conn    *fakeConn
	endAt   time.Time // when the expectation was first seen to have ended
}

// unheard is a connection that was accepted, and has not said yet where it comes
// from.
type unheard struct {
	port   *port
	conn   *fakeConn
	number uint64
	at     time.Time
}

// headerTime is how long it may take to say so.
const headerTime = 5 * time.Second

// world is a broker with sessions, strangers and a scheduler.
type world struct {
	t       *testing.T
	r       *rand.Rand
	b       *bench
	members []*member
	conns   []*fakeConn
	unheard []unheard
	taken   int
	sharing int // times that a place was seen shared

	kindOfWorld
}

const sharedAddress, hostAddress = "127.0.0.2", "127.0.0.%d"

func newWorld(t *testing.T, seed uint64, kind kindOfWorld) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), b: newBench(t, 4), kindOfWorld: kind}
	w.b.SetProver(proveFake)
	each := 2 // sessions of a user
	if kind.announcing {
		each = 4 // two come each way
	}
	for i := range 3 * each {
		user := fmt.Sprintf("user-%d", i/each)
		w.members = append(w.members, &member{request: request(sharedAddress, user), shared: true})
	}
	for i := range 2 {
		w.members = append(w.members, &member{request: request(fmt.Sprintf(hostAddress, 10+i), "lonely")})
	}
	for i, m := range w.members {
		m.request.Session, m.strayed = uint64(i+1), map[*port]bool{}
		m.announced = kind.announcing && i%2 == 0
		m.request.Announced = m.announced
	}
	return w
}

// requestOf is what the member's session asks for now.
func (w *world) requestOf(m *member) Request {
	r := m.request
	if w.hides(m) {
		r.Client = netip.Addr{}
	}
	if w.private {
		r.Proven, r.Shares = w.hides(m), m.resumes
		r.Secure = func(c net.Conn) (net.Conn, error) {
			proof, err := proveFake(c)
			if err == nil && proof.User != "" && proof.User != r.User {
				err = ErrForeign
			}
			return c, err
		}
	}
	return r
}

// hides tells whether a member's address tells nothing.
func (w *world) hides(m *member) bool { return w.hidden && !m.announced }

func (w *world) step() {
	m := w.members[w.r.IntN(len(w.members))]
	switch n := w.r.IntN(100); {
	case n < 20:
		w.ask(m)
	case n < 40:
		w.deliver(m)
	case n < 45 && w.announcing:
		w.hear()
	case n < 46 && w.announcing:
		w.linger(m)
	case n < 50:
		w.speak()
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
	request := w.requestOf(m)
	go func(p *pending) {
		p.e, p.err = w.b.Expect(context.Background(), request)
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
	at := w.portOf(number)
	if at == nil {
		_ = c.Close()
		return
	}
	u := unheard{port: at, conn: c, number: w.b.made(), at: w.b.clock.Now()}
	if w.announcing && w.r.IntN(2) == 0 {
		w.unheard = append(w.unheard, u)
		return
	}
	w.b.Broker.arrive(u.port, u.conn, u.conn.from, u.number)
}

// linger lets a late connection arrive at the last moment, have others of its
// origin ask for ports, and only then say where it comes from.
func (w *world) linger(m *member) {
	i := slices.IndexFunc(m.outbound, func(o *outbound) bool { return !o.endAt.IsZero() })
	if i < 0 {
		return
	}
	o := m.outbound[i]
	w.pass(o.endAt.Add(TombstoneTime - time.Second).Sub(w.b.clock.Now()))
	at := w.portOf(o.port.listen)
	if i = slices.Index(m.outbound, o); i < 0 || at == nil {
		return
	}
	m.outbound = slices.Delete(m.outbound, i, i+1)
	u := unheard{port: at, conn: o.conn, number: w.b.made(), at: w.b.clock.Now()}
	w.pass(2 * time.Second)
	for _, other := range w.members {
		if other.request.Origin == m.request.Origin {
			w.ask(other)
			w.settle()
		}
	}
	w.b.Broker.arrive(u.port, u.conn, u.conn.from, u.number)
}

// hear has one of the connections say where it comes from.
func (w *world) hear() {
	if len(w.unheard) == 0 {
		return
	}
	i := w.r.IntN(len(w.unheard))
	u := w.unheard[i]
	w.unheard = slices.Delete(w.unheard, i, i+1)
	w.b.Broker.arrive(u.port, u.conn, u.conn.from, u.number)
}

// closeUnheard ends those that have taken too long.
func (w *world) closeUnheard() {
	w.unheard = slices.DeleteFunc(w.unheard, func(u unheard) bool {
		if w.b.clock.Now().Before(u.at.Add(headerTime)) {
			return false
		}
		_ = u.conn.Close()
		return true
	})
}

// portOf is the port that listens there; nil if none does.
func (w *world) portOf(number int) *port {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	var at *port
	for _, p := range w.listening() {
		if p.listen == number {
			at = p
		}
	}
	return at
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
	c, err := m.e.Take(context.Background())
	m.e = nil
	if err != nil {
		m.resumes = m.resumes && !errors.Is(err, ErrUnproven)
		return
	}
	w.taken++
	conn := c.(*fakeConn)
	m.resumes = conn.session != 0
	_ = c.Close()
	owner := conn.owner
	switch {
	case conn.from.Announced != m.announced:
		w.t.Fatalf("a connection of %+v went to %+v, announced: %t", owner, m, conn.from.Announced)
	case owner == m:
	case owner == nil && !m.shared && !w.hides(m): // nobody else has the address
	case owner != nil && (w.mixed || conn.stray || owner.strayed[conn.port]) && owner.request.User == m.request.User:
	default:
		w.t.Fatalf("the connection of %+v went to %+v", owner, m)
	}
}

// speak lets some connections say whose they are.
func (w *world) speak() {
	for _, c := range w.conns {
		if !c.closed() && w.r.IntN(2) == 0 {
			c.speak()
		}
	}
}

// ticket gives a member's connection what it will show.
func (w *world) ticket(c *fakeConn, m *member) {
	if m == nil || !w.private || w.r.IntN(5) == 0 { // has none, or its tickets ran dry
		return
	}
	if w.mixed {
		for _, sibling := range w.members {
			if sibling.request.User == m.request.User && w.r.IntN(2) == 0 {
				m = sibling
			}
		}
	}
	c.session, c.user = m.request.Session, m.request.User
}

// stray connects from an address that nobody else has, to any port, early or
// twice as it may be.
func (w *world) stray() {
	address := fmt.Sprintf(hostAddress, 10+w.r.IntN(4)) // of a lonely member, or nobody's
	p := w.b.ports[w.r.IntN(len(w.b.ports))]
	c := w.conn(nil, Origin{netip.MustParseAddr(address), w.announcing && w.r.IntN(2) == 0})
	if w.private && w.r.IntN(2) == 0 { // a member on the wrong port, or twice on the right one
		c.owner, c.stray = w.members[w.r.IntN(len(w.members))], true
		c.session, c.user = c.owner.request.Session, c.owner.request.User
		for _, m := range w.members {
			if m.request.User == c.user {
				m.strayed[w.portOf(p.Listen)] = true
			}
		}
	}
	w.arrive(p.Listen, c)
}

func (w *world) conn(owner *member, from Origin) *fakeConn {
	c := newFakeConn(owner, from.Client)
	c.from = from
	w.ticket(c, owner)
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
		w.closeUnheard()
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

// judged tells whether every connection that has arrived and spoken was judged. It is
// called with mu held.
func (w *world) judged() bool {
	for e := range w.b.securing {
		if e.raw.(*fakeConn).hasSpoken() {
			return false
		}
	}
	for _, p := range w.listening() {
		for _, a := range slices.Concat(p.direct.unproven, p.announced.unproven) {
			if a.conn.(*fakeConn).hasSpoken() {
				return false
			}
		}
	}
	return true
}

// settle waits until nothing happens any more before time goes by: those that have
// spoken are judged, also those that had when they arrived, and every request is
// answered or in the queue. It sees what has become of requests and expectations.
func (w *world) settle() {
	eventually(w.t, "all connections are judged, and all requests answered or waiting", func() bool {
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
		judged, waits := w.judged(), w.b.clock.active(QueueTime)
		for _, h := range w.b.places { // whose time may happen to be as long
			waits -= h.count(func(e *entry) bool { return e.timer.(*fakeTimer).d == QueueTime })
		}
		w.b.mu.Unlock()
		return judged && queued == asking && waits == asking
	})
	w.look()
	for _, m := range w.members {
		for _, o := range m.outbound {
			if o.endAt.IsZero() && ended(o.belongs) {
				o.endAt = w.b.clock.Now()
			}
		}
	}
}

// look checks what must hold at any time.
func (w *world) look() {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	w.recount()
	for at, h := range w.b.places {
		lives := h.count((*entry).lives)
		if lives > 1 {
			w.sharing++
		}
		for _, en := range h.entries {
			if en.lives() && (en.expectation.until.Sub(w.b.clock.Now()) > Lease || lives > 1 && en.kind != byProof) {
				w.t.Fatalf("at %v: %+v", at, en)
			}
		}
	}
}

// recount checks what is counted of each side of a port, also of those that were given
// up, against the entries that there are. It is called with mu held.
func (w *world) recount() {
	counted := map[*side]*side{}
	for _, p := range w.listening() {
		counted[&p.direct], counted[&p.announced] = &side{}, &side{}
	}
	for at, h := range w.b.places {
		s := counted[at.side()]
		if s == nil {
			w.t.Fatalf("port %d is closed, and has the entries %+v", at.port.listen, h.entries)
		}
		s.entries += len(h.entries)
		s.claims += h.count((*entry).claims)
		s.living += h.count((*entry).lives)
	}
	for has, want := range counted {
		if has.entries != want.entries || has.claims != want.claims || has.living != want.living {
			w.t.Fatalf("a side of a port has counted %d entries, %d claims and %d that live, and there are %d, %d and %d",
				has.entries, has.claims, has.living, want.entries, want.claims, want.living)
		}
	}
}

// listening are all ports, also those that were given up and not closed yet. It is called
// with mu held.
func (w *world) listening() []*port {
	return slices.AppendSeq(slices.Clone(w.b.Broker.ports), maps.Keys(w.b.retired))
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
		m.outbound = append(m.outbound, &outbound{port: m.e.port, belongs: m.e, conn: w.conn(m, m.request.Origin)})
		m.outbound[len(m.outbound)-1].conn.port = m.e.port
	}
	return true
}

// finish ends all sessions. What nobody took must be closed by then.
func (w *world) finish() {
	for len(w.unheard) > 0 {
		w.hear()
		w.settle()
	}
	w.pass(QueueTime)
	for _, m := range w.members {
		w.giveUp(m)
		for _, o := range m.outbound {
			_ = o.conn.Close()
		}
	}
	w.pass(TombstoneTime)
	w.look()
	w.b.mu.Lock()
	left := len(w.b.places) + len(w.b.users) + len(w.b.queue) + len(w.b.looks) + len(w.b.securing) + len(w.b.retired)
	for _, p := range w.listening() {
		for _, s := range []side{p.direct, p.announced} {
			left += s.claims + s.entries + s.living + len(s.unproven)
		}
	}
	w.b.mu.Unlock()
	if left > 0 {
		w.t.Fatalf("%d entries are left over", left)
	}
	for _, c := range w.conns {
		eventually(w.t, "all connections are closed", c.closed)
	}
}

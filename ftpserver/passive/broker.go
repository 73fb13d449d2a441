// Package passive owns the passive ports of a server and decides whom an
// arriving data connection belongs to.
//
// Every port is one listener that stays open. A client that asks for a passive
// port (PASV, EPSV) makes an Expectation: until a connection from that client's
// address arrives there, the port is taken for that address and free for all
// others. Connections from addresses that nobody expects are closed at once:
// a stranger neither receives a transfer nor keeps one waiting.
//
// The package knows neither FTP commands nor TLS.
package passive

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// Lease is how long an expectation waits for its connection.
	Lease = 15 * time.Second
	// QueueTime is how long a request waits for a port before ErrBusy.
	QueueTime = 5 * time.Second
	// TombstoneTime is how long a port stays closed to an address after an
	// expectation there ended without its connection. A SYN that was lost is
	// sent again for about this long, so the connection may still come.
	TombstoneTime = 75 * time.Second
)

// Errors of a request for a port.
var (
	// ErrBusy: every port is taken for this address, or by this user.
	ErrBusy = errors.New("all passive ports are busy for this client: try again")
	// ErrNoPorts: the server has no passive port at all.
	ErrNoPorts = errors.New("this server has no passive ports")
	// ErrEnded: the expectation was withdrawn or its lease is over.
	ErrEnded = errors.New("no data connection came from the client's address")
)

// Observer is told what happens, for metrics. Its methods must be quick and may
// be called from several goroutines.
type Observer interface {
	// PassiveWait: a request got a port ("granted") or none ("busy") after d.
	PassiveWait(d time.Duration, outcome string)
	// PassiveRejected: a connection was closed, being from a "stranger" or
	// "late", after the expectation it belonged to had ended.
	PassiveRejected(reason string)
}

// Request asks for a passive port.
type Request struct {
	// Client is the address that the data connection will come from.
	Client netip.Addr
	// User is the login. One user gets at most half of the ports of an address.
	User string
}

// Broker hands out passive ports and matches the connections that arrive.
type Broker struct {
	host     string
	log      *slog.Logger
	observer Observer
	clock    clock

	mu      sync.Mutex
	ports   []*port                   // in configured order; those that may be given out
	retired map[*port]struct{}        // listening only until their expectations have ended
	taken   map[place]*hold           // a port and an address: an expectation or a tombstone
	users   map[holder]int            // places of a user at an address
	queue   map[netip.Addr]*list.List // of *waiter, in order of arrival
	used    uint64                    // counts expectations, for least recently used
	closed  bool
}

// place is what is exclusive: a port, as seen from one address.
type place struct {
	port   *port
	client netip.Addr
}

type holder struct {
	client netip.Addr
	user   string
}

// hold is why a place is taken. A nil expectation is a tombstone.
type hold struct {
	user        string
	expectation *Expectation
	timer       timer
}

type waiter struct {
	request Request
	granted chan *Expectation // buffered: a grant never blocks
}

// NewBroker returns a broker without ports. Its listeners will be on host, an
// IP address or "" for all.
func NewBroker(host string, log *slog.Logger, o Observer) *Broker {
	return newBroker(host, log, o, systemClock{})
}

func newBroker(host string, log *slog.Logger, o Observer, c clock) *Broker {
	return &Broker{
		host: host, log: log, observer: o, clock: c,
		retired: map[*port]struct{}{},
		taken:   map[place]*hold{},
		users:   map[holder]int{},
		queue:   map[netip.Addr]*list.List{},
	}
}

// Expect reserves a port for a connection from r.Client. It waits up to
// QueueTime, in the order of the requests from that address, and returns
// ErrBusy, ErrNoPorts, net.ErrClosed or the context's error.
//
// The expectation must be ended by Take or Cancel.
func (b *Broker) Expect(ctx context.Context, r Request) (*Expectation, error) {
	start := b.clock.Now()
	w, err := b.enqueue(r)
	if err != nil {
		return nil, err
	}
	e, err := b.await(ctx, w)
	outcome := "granted"
	if err != nil {
		outcome = "busy"
	}
	b.observer.PassiveWait(b.clock.Now().Sub(start), outcome)
	return e, err
}

func (b *Broker) enqueue(r Request) (*waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, net.ErrClosed
	}
	if len(b.ports) == 0 {
		return nil, ErrNoPorts
	}
	w := &waiter{request: r, granted: make(chan *Expectation, 1)}
	q := b.queue[r.Client]
	if q == nil {
		q = list.New()
		b.queue[r.Client] = q
	}
	q.PushBack(w)
	b.grant(r.Client)
	return w, nil
}

func (b *Broker) await(ctx context.Context, w *waiter) (*Expectation, error) {
	select {
	case e := <-w.granted:
		return e, nil
	default:
	}
	expired := make(chan struct{})
	t := b.clock.AfterFunc(QueueTime, func() { close(expired) })
	defer t.Stop()
	err := ErrBusy
	select {
	case e := <-w.granted:
		return e, nil
	case <-expired:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if b.leave(w) {
		return nil, err
	}
	return <-w.granted, nil // the grant came first
}

// leave takes a waiter out of its queue; false if it was granted a port.
func (b *Broker) leave(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	client := w.request.Client
	q := b.queue[client]
	if q == nil {
		return false
	}
	for el := q.Front(); el != nil; el = el.Next() {
		if el.Value == w {
			b.dequeue(client, el)
			return true
		}
	}
	return false
}

func (b *Broker) dequeue(client netip.Addr, el *list.Element) {
	q := b.queue[client]
	q.Remove(el)
	if q.Len() == 0 {
		delete(b.queue, client)
	}
}

// grant gives free places of an address to those who wait there, in order. A
// user who has its share already is passed over for now.
func (b *Broker) grant(client netip.Addr) {
	q := b.queue[client]
	if q == nil {
		return
	}
	for el := q.Front(); el != nil; {
		p := b.freePort(client)
		if p == nil {
			return
		}
		next, w := el.Next(), el.Value.(*waiter)
		if b.users[holder{client, w.request.User}] < b.share() {
			b.dequeue(client, el)
			w.granted <- b.expect(p, w.request)
		}
		el = next
	}
}

// share is how many places one user may hold at one address: half of the ports,
// so that users behind one address can't shut each other out. Tombstones count:
// whoever asks for ports and never connects uses up only their own.
func (b *Broker) share() int { return max(1, len(b.ports)/2) }

// freePort returns the port that was given out longest ago, of those that are
// free for the address: a late connection of an earlier client of the same
// address has had the most time to show up there.
func (b *Broker) freePort(client netip.Addr) *port {
	var best *port
	for _, p := range b.ports {
		if _, taken := b.taken[place{p, client}]; taken {
			continue
		}
		if best == nil || p.lastUsed < best.lastUsed {
			best = p
		}
	}
	return best
}

func (b *Broker) expect(p *port, r Request) *Expectation {
	b.used++
	p.lastUsed = b.used
	e := &Expectation{broker: b, port: p, request: r, arrived: make(chan struct{})}
	h := &hold{user: r.User, expectation: e}
	h.timer = b.clock.AfterFunc(Lease, func() { b.end(e, ErrEnded) })
	b.taken[place{p, r.Client}] = h
	b.users[holder{r.Client, r.User}]++
	return e
}

// arrive decides what becomes of a connection that p has accepted.
func (b *Broker) arrive(p *port, c net.Conn) {
	client := addrOf(c)
	at := place{p, client}
	b.mu.Lock()
	h := b.taken[at]
	if h == nil || b.closed {
		b.mu.Unlock()
		b.reject(c, "stranger")
		return
	}
	h.timer.Stop()
	e := h.expectation
	if e == nil {
		b.free(at)
		b.mu.Unlock()
		b.reject(c, "late")
		return
	}
	e.conn = c
	close(e.arrived)
	b.free(at)
	b.mu.Unlock()
}

func (b *Broker) reject(c net.Conn, reason string) {
	_ = c.Close()
	b.observer.PassiveRejected(reason)
	b.log.Debug("Data connection rejected", "reason", reason, "client", c.RemoteAddr().String(), "port", c.LocalAddr().String())
}

// end withdraws an expectation that has no connection yet. Its place becomes a
// tombstone: the connection that may still come must reach nobody else.
func (b *Broker) end(e *Expectation, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := place{e.port, e.request.Client}
	h := b.taken[at]
	if h == nil || h.expectation != e {
		return // matched, or ended before
	}
	h.timer.Stop()
	e.err = why
	close(e.arrived)
	if b.closed {
		b.free(at)
		return
	}
	grave := &hold{user: h.user}
	grave.timer = b.clock.AfterFunc(TombstoneTime, func() { b.lapse(at, grave) })
	b.taken[at] = grave
}

func (b *Broker) lapse(at place, grave *hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken[at] == grave {
		b.free(at)
	}
}

// free gives a place back to those who wait.
func (b *Broker) free(at place) {
	key := holder{at.client, b.taken[at].user}
	if b.users[key]--; b.users[key] == 0 {
		delete(b.users, key)
	}
	delete(b.taken, at)
	b.closeIfIdle(at.port)
	b.grant(at.client)
}

func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Package passive owns the passive ports of a server and decides whom an
// arriving data connection belongs to.
//
// Every port is one listener that stays open. A client that asks for a passive
// port (PASV, EPSV) makes an Expectation, which takes a place: the port, as seen
// from the client's address, or the whole port where addresses tell nothing. What a
// proxy announces is apart from what it does not: an announced connection is of no
// place but one that was asked for by way of a proxy, and the reverse.
// A connection is matched in one of two ways:
//
//   - by arrival: the next one at the place is it, as nobody else can be awaited
//     there. The owner may still find that it is not its own, and waits on.
//   - by proof: every connection at the place first shows whose it is, while
//     others do the same beside it. Several users can so share a place.
//
// Connections that nobody expects are closed at once: a stranger neither
// receives a transfer nor keeps one waiting.
//
// The package knows neither FTP commands nor TLS: how a connection shows whose it
// is, it is told by a Prover.
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

	"github.com/ftp-operator/ftp-operator/ftpserver/accept"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
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
	// MaxUnproven is how many connections of a port, announced or not, may be about
	// to show whose they are, besides as many as are awaited there. One more drops
	// the oldest.
	MaxUnproven = 32
)

// Errors of a request for a port.
var (
	// ErrBusy: every port is taken for this address, or by this user.
	ErrBusy = errors.New("all passive ports are busy for this client: try again")
	// ErrNoPorts: the server has no passive port at all.
	ErrNoPorts = errors.New("this server has no passive ports")
	// ErrEnded: the expectation was withdrawn or its lease is over.
	ErrEnded = errors.New("no data connection came from the client's address")
	// ErrUnproven: the lease is over, and a connection came that showed nothing
	// of whose it is where it must.
	ErrUnproven = errors.New("a data connection came that did not show whose it is")
	// ErrForeign: the lease is over, and a connection came that is somebody
	// else's.
	ErrForeign = errors.New("a data connection came that belongs to another session")
)

// Observer is told what happens, for metrics. Its methods must be quick and may
// be called from several goroutines.
type Observer interface {
	// PassiveWait: a request got a port ("granted") or none ("busy") after d.
	PassiveWait(d time.Duration, outcome string)
	// PassiveRejected: a connection was closed, being from a "stranger"; "late",
	// after the expectation it belonged to had ended; "foreign", of another
	// session; "unproven", as it did not show whose it is; or "crowded out" by too
	// many that were about to.
	PassiveRejected(reason string)
}

// Request asks for a passive port.
type Request struct {
	// Origin is where the data connection will come from.
	Origin
	// User is the login. One user gets at most half of the ports of an address.
	User string
	// Session is the control connection that asks.
	Session uint64
	// Proven: a connection is matched by proof only. Else the next that arrives
	// is taken.
	Proven bool
	// Shares: the session's connections can be expected to prove themselves. Where
	// every port is taken, it may share one with other users whose do so too.
	Shares bool
	// Secure makes a connection ready that was matched by arrival. It may block; the
	// connection is closed if the expectation ends meanwhile. An error that is
	// ErrForeign or ErrUnproven lets the expectation wait for another connection,
	// any other ends it. nil: a connection is ready as it is.
	Secure func(net.Conn) (net.Conn, error)
}

// Origin is where a connection comes from.
type Origin struct {
	// Client is the client's address. The zero Addr: addresses tell nothing, so a
	// port serves one request at a time.
	Client netip.Addr
	// Announced tells that a proxy has said so, who is believed.
	Announced bool
}

// Receiver finds out where a connection comes from and calls take with that, at
// once or from another goroutine; or closes it.
type Receiver func(c net.Conn, take func(Origin))

// Proof is what a connection has shown of whose it is.
type Proof struct {
	// Conn is the connection, ready for use.
	Conn net.Conn
	// Session is the control connection that it named; 0 for none.
	Session uint64
	// User is whose session that is; "" if nobody's, or not known any more.
	User string
}

// Prover finds out whose a connection is. It may block, within a deadline of its
// own; the connection is closed when it is not wanted any more.
type Prover func(net.Conn) (Proof, error)

// Broker hands out passive ports and matches the connections that arrive.
type Broker struct {
	Options
	clock clock

	mu       sync.Mutex
	prove    Prover
	receive  Receiver
	wanted   []config.PassivePort      // what is configured
	ports    []*port                   // in configured order; those that may be given out
	retired  map[*port]struct{}        // listening only until nobody can come there any more
	places   map[place]*hold           // those with an entry
	users    map[holder]int            // places of a user at an address
	queue    map[Origin]*list.List     // of *waiter, in order of arrival
	looks    map[Origin]timer          // at queues in which somebody is held up
	securing map[*Expectation]struct{} // matched by arrival, in Secure
	used     uint64                    // counts expectations
	closed   bool
}

type holder struct {
	Origin
	user string
}

type waiter struct {
	request Request
	granted chan *Expectation // buffered: a grant never blocks
}

// Options are the parts a Broker works with. All are needed, but for those that may be
// zero.
type Options struct {
	// Host is what ports listen on: an IP address, or "" for all.
	Host     string
	Log      *slog.Logger
	Observer Observer
	// Watch looks after the loops that accept data connections. It may be nil.
	Watch *accept.Watch
	// QueueTime is absent (0): the constant.
	QueueTime time.Duration
}

// NewBroker returns a broker without ports.
func NewBroker(o Options) *Broker { return newBroker(o, systemClock{}) }

func newBroker(o Options, c clock) *Broker {
	if o.Watch == nil {
		o.Watch = accept.NewWatch()
	}
	if o.QueueTime == 0 {
		o.QueueTime = QueueTime
	}
	return &Broker{
		Options: o, clock: c,
		prove:    func(net.Conn) (Proof, error) { return Proof{}, ErrUnproven },
		receive:  func(c net.Conn, take func(Origin)) { take(Origin{Client: proxy.AddrPort(c.RemoteAddr()).Addr()}) },
		retired:  map[*port]struct{}{},
		places:   map[place]*hold{},
		users:    map[holder]int{},
		queue:    map[Origin]*list.List{},
		looks:    map[Origin]timer{},
		securing: map[*Expectation]struct{}{},
	}
}

// SetProver says how connections show whose they are. Without it, none does.
func (b *Broker) SetProver(p Prover) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prove = p
}

// SetReceiver says where connections come from. Without it, from their own addresses.
func (b *Broker) SetReceiver(r Receiver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receive = r
}

// Expect reserves a port for a connection from r.Origin. It waits up to
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
	b.Observer.PassiveWait(b.clock.Now().Sub(start), outcome)
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
	q := b.queue[r.Origin]
	if q == nil {
		q = list.New()
		b.queue[r.Origin] = q
	}
	q.PushBack(w)
	b.grant(r.Origin)
	return w, nil
}

func (b *Broker) await(ctx context.Context, w *waiter) (*Expectation, error) {
	select {
	case e := <-w.granted:
		return e, nil
	default:
	}
	expired := make(chan struct{})
	t := b.clock.AfterFunc(b.QueueTime, func() { close(expired) })
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
	from := w.request.Origin
	q := b.queue[from]
	if q == nil {
		return false
	}
	for el := q.Front(); el != nil; el = el.Next() {
		if el.Value == w {
			b.dequeue(from, el)
			b.grant(from) // who had to wait behind it to share
			return true
		}
	}
	return false
}

func (b *Broker) dequeue(from Origin, el *list.Element) {
	q := b.queue[from]
	q.Remove(el)
	if q.Len() == 0 {
		delete(b.queue, from)
	}
}

func (b *Broker) hasShareLeft(r Request) bool { return b.users[holder{r.Origin, r.User}] < b.share() }

// share is how many places one user may hold at one address: half of the ports,
// so that users behind one address can't shut each other out. Tombstones count:
// whoever asks for ports and never connects uses up only their own.
func (b *Broker) share() int { return max(1, len(b.ports)/2) }

// leastUsed returns the port that was given out longest ago, of those that will
// do: a late connection of an earlier client of the same address has had the most
// time to show up there.
func (b *Broker) leastUsed(fits func(*port) bool) *port {
	var best *port
	for _, p := range b.ports {
		if (best == nil || p.lastUsed < best.lastUsed) && fits(p) {
			best = p
		}
	}
	return best
}

func (b *Broker) expect(p *port, r Request) *Expectation {
	b.used++
	p.lastUsed = b.used
	now := b.clock.Now()
	e := &Expectation{broker: b, port: p, request: r, number: b.used, arrived: make(chan struct{}), asked: now, until: now.Add(Lease)}
	b.place(e)
	return e
}

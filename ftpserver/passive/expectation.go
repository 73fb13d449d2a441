package passive

import (
	"context"
	"net"
	"time"
)

// Expectation is a passive port that waits for one connection of one client.
type Expectation struct {
	broker  *Broker
	port    *port
	request Request
	number  uint64 // in the order of all expectations

	// What follows is guarded by Broker.mu.
	entry *entry // its place; nil once it is matched or has ended
	until time.Time
	limit time.Duration // what Secure may take; 0: no limit yet
	raw   net.Conn      // matched: the connection as it arrived
	why   error         // why a connection that came was not its own

	// arrived is closed when conn or err is set; neither changes afterwards.
	arrived chan struct{}
	conn    net.Conn
	err     error
}

// Announced is the port number to tell the client.
func (e *Expectation) Announced() int { return int(e.port.announce.Load()) }

// Arrived is closed when the connection is there and ready, or will never be.
func (e *Expectation) Arrived() <-chan struct{} { return e.arrived }

// Begin tells that the client has been asked to use the connection: from now on,
// or from its arrival, it must be ready within d. Before, there is no limit once
// it has arrived, as clients may wait with what they have to send. One that must
// prove itself has at least d from now on.
func (e *Expectation) Begin(d time.Duration) {
	e.broker.mu.Lock()
	defer e.broker.mu.Unlock()
	e.limit = d
	e.limitPending()
	e.prolong()
}

// prolong gives what must prove itself the time that it may take from now on. It
// is called with mu held.
func (e *Expectation) prolong() {
	b, en := e.broker, e.entry
	if until := b.clock.Now().Add(e.limit); en != nil && en.kind == byProof && until.After(e.until) && en.timer.Stop() {
		e.until = until
		en.timer = b.clock.AfterFunc(e.limit, func() { b.lapse(en) })
	}
}

// limitPending is called with mu held.
func (e *Expectation) limitPending() {
	if e.limit > 0 && e.raw != nil && !e.over() {
		_ = e.raw.SetDeadline(time.Now().Add(e.limit))
	}
}

// Take waits for the connection and hands it over; closing it is then the
// caller's. It returns ErrEnded, ErrUnproven or ErrForeign if none came in time,
// the error of Request.Secure, or the context's error, and then the expectation
// has ended.
func (e *Expectation) Take(ctx context.Context) (net.Conn, error) {
	select {
	case <-e.arrived:
		return e.conn, e.err
	case <-ctx.Done():
		e.Cancel()
		return nil, ctx.Err()
	}
}

// Cancel ends the expectation. A connection that has arrived is closed, also
// one that was taken; one that arrives later is closed by the broker. Cancel may
// be called at any time, from any goroutine, and more than once.
func (e *Expectation) Cancel() {
	e.broker.mu.Lock()
	e.broker.end(e, ErrEnded)
	raw := e.raw
	e.broker.mu.Unlock()
	if raw != nil {
		_ = raw.Close()
	}
}

// Rejected is why a connection that came while this was awaited was not taken for
// it: ErrUnproven, ErrForeign or an error of Secure that is one of them; nil if none
// came.
func (e *Expectation) Rejected() error {
	e.broker.mu.Lock()
	defer e.broker.mu.Unlock()
	return e.why
}

func (e *Expectation) resolve(c net.Conn, err error) {
	e.conn, e.err = c, err
	close(e.arrived)
}

func (e *Expectation) over() bool {
	select {
	case <-e.arrived:
		return true
	default:
		return false
	}
}

// end withdraws an expectation that has no connection yet. It is called with mu
// held.
func (b *Broker) end(e *Expectation, err error) {
	if e.over() {
		return
	}
	if e.why != nil && err == ErrEnded { //nolint:errorlint // this very one: the lease is over
		err = e.why
	}
	e.resolve(nil, err)
	if en := e.entry; en != nil {
		b.bury(en)
		b.vacated(en.at)
		return
	}
	delete(b.securing, e)
	_ = e.raw.Close() // Secure ends with that
}

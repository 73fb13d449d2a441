package passive

import (
	"context"
	"net"
)

// Expectation is a passive port that waits for one connection of one client.
type Expectation struct {
	broker  *Broker
	port    *port
	request Request

	// arrived is closed when conn or err is set; neither changes afterwards.
	arrived chan struct{}
	conn    net.Conn
	err     error
}

// Announced is the port number to tell the client.
func (e *Expectation) Announced() int { return int(e.port.announce.Load()) }

// Arrived is closed when the connection is there, or will never be.
func (e *Expectation) Arrived() <-chan struct{} { return e.arrived }

// Take waits for the connection and hands it over; closing it is then the
// caller's. It returns ErrEnded if none came in time or the expectation was
// cancelled, or the context's error, and then the expectation has ended.
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
	e.broker.end(e, ErrEnded)
	<-e.arrived
	if e.conn != nil {
		_ = e.conn.Close()
	}
}

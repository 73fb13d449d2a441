package ftp

import (
	"context"
	"net/netip"
	"sync"
)

// turns lets one login of each client address, of IPv6 each /64, be checked at a
// time: checking a password is made to be slow, and a flood from one address must
// not take the time of all others.
type turns struct {
	mu    sync.Mutex
	lines map[turn]*line
}

// turn is whose logins are checked one after the other: those of an address or,
// where addresses mean nothing, of a user.
type turn struct {
	from netip.Prefix
	user string
}

// line is those of a turn who are checked or wait for it.
type line struct {
	length int
	turn   chan struct{} // holds one token
}

// wait returns when it is the client's turn; done ends it.
func (t *turns) wait(ctx context.Context, client turn) (done func(), err error) {
	l := t.join(client)
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; t.leave(client) }, nil
	case <-ctx.Done():
		t.leave(client)
		return nil, ctx.Err()
	}
}

func (t *turns) join(client turn) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines = map[turn]*line{}
	}
	l := t.lines[client]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		t.lines[client] = l
	}
	l.length++
	return l
}

func (t *turns) leave(client turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lines[client]; l.length > 1 {
		l.length--
		return
	}
	delete(t.lines, client)
}

package passive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// port is one listener.
type port struct {
	listen   int
	announce atomic.Int32
	listener net.Listener

	// What follows is guarded by Broker.mu.
	lastUsed uint64
	shut     bool // closed: it was given up
	// direct and announced are what of it connections of each kind see.
	direct, announced side
}

// side is a port, as seen by announced connections or by all others. It is guarded
// by Broker.mu.
type side struct {
	entries  int // of all its places
	claims   int // those that keep others away
	living   int // those that await their connection
	unproven arrivals
}

// side is what connections of an origin see of the port.
func (p *port) side(from Origin) *side {
	if from.Announced {
		return &p.announced
	}
	return &p.direct
}

// SetPorts makes ports the passive ports: new ones are opened, a changed number
// is announced from the next request on, and one that is gone takes no new
// request and is closed when its last expectation has ended and no late
// connection can come any more (TombstoneTime). No transfer is touched. The
// error names each port that could not be opened; the others work, and Retry tries
// those again.
func (b *Broker) SetPorts(ports []config.PassivePort) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	b.wanted = ports
	return b.openWanted()
}

// Retry opens what SetPorts could not. The error names each port that still can't
// be opened.
func (b *Broker) Retry() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.ports) == len(b.wanted) {
		return nil
	}
	return b.openWanted()
}

// Missing are the numbers of the ports that SetPorts could not open, nor Retry.
func (b *Broker) Missing() (numbers []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, want := range b.wanted {
		if !slices.ContainsFunc(b.ports, func(p *port) bool { return p.listen == want.Listen }) {
			numbers = append(numbers, want.Listen)
		}
	}
	return numbers
}

// openWanted is called with mu held.
func (b *Broker) openWanted() error {
	have := map[int]*port{}
	for _, p := range b.ports {
		have[p.listen] = p
	}
	for p := range b.retired {
		have[p.listen] = p
	}
	var errs []error
	b.ports = b.ports[:0:0]
	for _, want := range b.wanted {
		p := have[want.Listen]
		if p == nil {
			opened, err := b.open(want.Listen)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			p = opened
		}
		delete(have, want.Listen)
		delete(b.retired, p)
		p.announce.Store(int32(want.Announce)) //nolint:gosec // validated: a port number
		b.ports = append(b.ports, p)
	}
	for _, p := range have {
		b.retired[p] = struct{}{}
		b.closeIfIdle(p)
	}
	for from := range b.queue {
		b.grant(from)
	}
	return errors.Join(errs...)
}

func (b *Broker) open(number int) (*port, error) {
	// Keep-alive would cost a system call for every data connection; transfers
	// have a deadline of their own.
	lc := net.ListenConfig{KeepAlive: -1}
	l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(b.Host, strconv.Itoa(number)))
	if err != nil {
		return nil, fmt.Errorf("open passive port %d: %w", number, err)
	}
	p := &port{listen: number, listener: l}
	go b.accept(p)
	return p, nil
}

// closeIfIdle closes a port that was given up, once nobody can come there any
// more: tombstones must outlive a port that is opened again.
func (b *Broker) closeIfIdle(p *port) {
	if _, ok := b.retired[p]; !ok {
		return
	}
	if p.direct.entries+p.announced.entries > 0 {
		return
	}
	delete(b.retired, p)
	p.shut = true
	_ = p.listener.Close()
}

func (b *Broker) accept(p *port) {
	b.Watch.All(p.listener, "passive "+p.listener.Addr().String(), b.Log.With("port", p.listen), func(c net.Conn) { b.accepted(p, c) })
}

// accepted finds out where a connection comes from, which may take a while.
func (b *Broker) accepted(p *port, c net.Conn) {
	b.mu.Lock()
	receive, number := b.receive, b.used
	b.mu.Unlock()
	receive(c, func(from Origin) { b.arrive(p, c, from, number) })
}

// Ports returns how many ports can be given out.
func (b *Broker) Ports() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ports)
}

// Load returns how many ports can be given out, how many of them somebody has, and how
// many requests wait for one.
func (b *Broker) Load() (all, taken, waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.ports {
		if p.direct.claims+p.announced.claims > 0 {
			taken++
		}
	}
	for _, q := range b.queue {
		waiting += q.Len()
	}
	return len(b.ports), taken, waiting
}

// Close closes every port and ends every expectation with net.ErrClosed.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	for _, p := range b.ports {
		b.retired[p] = struct{}{}
	}
	b.ports, b.wanted = nil, nil
	for p := range b.retired {
		p.shut = true
		_ = p.listener.Close()
	}
	b.endAll()
	for from := range b.looks {
		b.lookAgain(from, time.Time{})
	}
	clear(b.retired)
	b.mu.Unlock()
}

// endAll ends every expectation and forgets who has ended before.
func (b *Broker) endAll() {
	for e := range b.securing {
		b.end(e, net.ErrClosed)
	}
	for at, h := range b.places {
		for _, en := range slices.Clone(h.entries) {
			if en.lives() {
				b.end(en.expectation, net.ErrClosed)
			} else {
				b.remove(en)
			}
		}
		b.dropUnwanted(at)
	}
}

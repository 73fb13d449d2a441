package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// yieldInterval is how long the port is left alone after it was closed in vain for
// another address of its number.
const yieldInterval = 5 * time.Minute

// implicitPort is the control port for implicit TLS, which comes and goes with
// the configuration. Sessions outlive it. It is safe for concurrent use.
type implicitPort struct {
	listen func(address string) (net.Listener, error)
	serve  func(net.Listener) error // returns when the listener is closed

	mu       sync.Mutex
	wanted   string       // of the configuration; empty: there is to be none
	address  string       // what of it is in force
	listener net.Listener // nil: there is none
	// elsewhere is an address that was in use though the listener was closed for it,
	// last at yielded.
	elsewhere string
	yielded   time.Time
	serving   bool
	ended     bool
	running   sync.WaitGroup
}

// follow has the port at an address, or none where that is empty. Where it can't
// be opened, the one that there was stays, and retry tries again.
func (p *implicitPort) follow(address string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = address
	return p.move()
}

// retry moves the port where follow could not.
func (p *implicitPort) retry() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.move()
}

// missing is the address that could not be opened; empty: there is none.
func (p *implicitPort) missing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == p.address {
		return ""
	}
	return p.wanted
}

// move brings the port where it is to be. It is called with mu held, as is what it
// calls.
func (p *implicitPort) move() error {
	if p.ended || p.wanted == p.address {
		return nil
	}
	var next net.Listener
	if p.wanted != "" {
		var err error
		if next, err = p.open(p.wanted); err != nil {
			return fmt.Errorf("tls.implicit.listen: %w", err)
		}
	}
	p.put(p.wanted, next)
	return nil
}

// open listens at an address. Where that has the same number as the port that there
// is, that one may be in the way: it is closed, and opened again if it was not it
// alone. For the same address that is done once in a yieldInterval, as connections that
// have yet to be accepted are lost with it.
func (p *implicitPort) open(address string) (net.Listener, error) {
	next, err := p.listen(address)
	if !errors.Is(err, syscall.EADDRINUSE) || p.listener == nil || !samePort(address, p.address) || p.leftAlone(address) {
		return next, err
	}
	_ = p.listener.Close()
	if next, err = p.listen(address); err == nil {
		return next, nil
	}
	p.elsewhere, p.yielded = address, time.Now()
	back, lost := p.listen(p.address)
	if lost != nil {
		p.put("", nil)
		return nil, errors.Join(err, lost)
	}
	p.put(p.address, back)
	return nil, err
}

// leftAlone tells whether the port was closed for an address in vain a short time ago.
func (p *implicitPort) leftAlone(address string) bool {
	return p.elsewhere == address && time.Since(p.yielded) < yieldInterval
}

// put has a listener take the place of the one that there is.
func (p *implicitPort) put(address string, l net.Listener) {
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.address, p.listener = address, l
	p.begin()
}

func samePort(a, b string) bool {
	_, one, err := net.SplitHostPort(a)
	_, other, err2 := net.SplitHostPort(b)
	return err == nil && err2 == nil && one == other
}

// start has the port served from now on.
func (p *implicitPort) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serving = true
	p.begin()
}

func (p *implicitPort) begin() {
	if l := p.listener; p.serving && l != nil {
		p.running.Go(func() { _ = p.serve(l) }) // ends with the listener, and without an error
	}
}

// end closes the port for good, and returns when nothing is accepted any more.
func (p *implicitPort) end() {
	p.mu.Lock()
	p.ended = true
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// where is what the port listens on, or empty.
func (p *implicitPort) where() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return ""
	}
	return p.listener.Addr().String()
}

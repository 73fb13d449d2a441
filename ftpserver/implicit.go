package main

import (
	"fmt"
	"net"
	"sync"
)

// implicitPort is the control port for implicit TLS, which comes and goes with
// the configuration. Sessions outlive it. It is safe for concurrent use.
type implicitPort struct {
	listen func(address string) (net.Listener, error)
	serve  func(net.Listener) error // returns when the listener is closed

	mu       sync.Mutex
	address  string       // of the configuration; empty: there is none
	listener net.Listener // nil: there is none
	serving  bool
	ended    bool
	running  sync.WaitGroup
}

// follow has the port at an address, or none where that is empty. Where it can't
// be opened, the one that there was stays.
func (p *implicitPort) follow(address string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || address == p.address {
		return nil
	}
	var next net.Listener
	if address != "" {
		var err error
		if next, err = p.listen(address); err != nil {
			return fmt.Errorf("tls.implicit.listen: %w", err)
		}
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.address, p.listener = address, next
	p.begin()
	return nil
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

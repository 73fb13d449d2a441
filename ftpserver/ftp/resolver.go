package ftp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// resolvedFor is how long the address of a host name is remembered. Load
	// balancers change theirs, with a time to live of about a minute.
	resolvedFor = 30 * time.Second
	// resolveTimeout bounds a look-up.
	resolveTimeout = 5 * time.Second
)

// resolver turns the address of a configuration into what PASV can tell.
type resolver struct {
	flight singleflight.Group

	mu    sync.Mutex
	known map[string]resolved
}

type resolved struct {
	addr  netip.Addr
	until time.Time
}

// ipv4 returns an IPv4 address as it is and resolves a host name. While the
// name servers don't answer, the last known address is told.
func (r *resolver) ipv4(address string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(address); err == nil {
		return a, nil
	}
	last, known := r.last(address)
	if known && time.Now().Before(last.until) {
		return last.addr, nil
	}
	found, err, _ := r.flight.Do(address, func() (any, error) { return lookup(address) })
	switch {
	case err == nil:
		last.addr = found.(netip.Addr)
	case !known:
		return netip.Addr{}, err
	}
	// Also after a failure: the next client must not wait for another one.
	last.until = time.Now().Add(resolvedFor)
	r.keep(address, last)
	return last.addr, nil
}

func (r *resolver) last(address string) (resolved, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.known[address]
	return last, known
}

func (r *resolver) keep(address string, v resolved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]resolved{}
	}
	r.known[address] = v
}

func lookup(host string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}, fmt.Errorf("the address of this server, %s, can't be resolved", host)
	}
	return addrs[0].Unmap(), nil
}

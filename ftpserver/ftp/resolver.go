package ftp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
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
	mu    sync.Mutex
	known map[string]resolved
}

type resolved struct {
	addr netip.Addr
	at   time.Time
}

// ipv4 returns an IPv4 address as it is and resolves a host name. While the
// name servers don't answer, the last known address is told.
func (r *resolver) ipv4(address string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(address); err == nil {
		return a, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.known[address]
	if ok && time.Since(last.at) < resolvedFor {
		return last.addr, nil
	}
	addr, err := lookup(address)
	switch {
	case err != nil && ok:
		return last.addr, nil
	case err != nil:
		return netip.Addr{}, err
	}
	if r.known == nil {
		r.known = map[string]resolved{}
	}
	r.known[address] = resolved{addr: addr, at: time.Now()}
	return addr, nil
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

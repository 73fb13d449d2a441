package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// backend is what stands behind one port of a load balancer that proxies.
type backend struct {
	header  header
	sources []netip.Prefix   // whom to let in; all if empty
	targets []netip.AddrPort // node ports
}

// admits says whether the backend is for this client.
func (b *backend) admits(client netip.Addr) bool {
	return len(b.sources) == 0 || slices.ContainsFunc(b.sources, func(p netip.Prefix) bool { return p.Contains(client) })
}

// frontends are the ports at which the balancer itself answers.
type frontends struct {
	own  []netip.Addr // the balancer's addresses, from which it connects to nodes
	open map[netip.AddrPort]*frontend
}

type frontend struct {
	net.Listener
	backend atomic.Pointer[backend] // for connections to come
	own     []netip.Addr
}

// set makes the ports be exactly the wanted ones. Connections under way stay,
// also those of a port that goes.
func (f *frontends) set(wanted map[netip.AddrPort]backend) error {
	for at, open := range f.open {
		if _, is := wanted[at]; !is {
			open.Close()
			delete(f.open, at)
		}
	}
	var failures []error
	for at, b := range wanted {
		if open := f.open[at]; open != nil {
			open.backend.Store(&b)
			continue
		}
		listener, err := listen(at)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		open := &frontend{Listener: listener, own: f.own}
		open.backend.Store(&b)
		f.open[at] = open
		go open.serve()
	}
	return errors.Join(failures...)
}

// listen opens a port at an address that only a route makes local.
func listen(at netip.AddrPort) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if at.Addr().Is4() {
			return setOption(c, unix.IPPROTO_IP, unix.IP_FREEBIND)
		}
		return setOption(c, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND)
	}}
	return config.Listen(context.Background(), "tcp", at.String())
}

func setOption(c syscall.RawConn, level, option int) error {
	var err error
	return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }), err)
}

// acceptPause is between two tries while connections can't be accepted.
const acceptPause = 100 * time.Millisecond

func (f *frontend) serve() {
	for {
		conn, err := f.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Printf("Load balancer at %s: %v", f.Addr(), err)
			time.Sleep(acceptPause) // out of descriptors or memory: to try again at once would only spin
			continue
		}
		go f.carry(conn.(*net.TCPConn))
	}
}

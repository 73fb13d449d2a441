package main

import (
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialTimeout is how long a node may take to answer before the next one is tried.
const dialTimeout = 3 * time.Second

// carry connects a client to one of the nodes and carries bytes both ways, for as
// long as it takes: the kernel splices them. Each side's end of stream and reset
// is passed on as what it is.
func (f *frontend) carry(client *net.TCPConn) {
	b := f.backend.Load()
	from, to := addrPort(client.RemoteAddr()), addrPort(client.LocalAddr())
	if !b.admits(from.Addr()) {
		reset(client)
		return
	}
	server, err := connect(b.targets, f.own)
	if err == nil {
		_, err = server.Write(b.header.bytes(from, to))
	}
	if err != nil {
		log.Printf("Load balancer at %s: %v", to, err)
		reset(client, server)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(server, client)
	}()
	pipe(client, server)
	<-done
	client.Close()
	server.Close()
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// connect tries the targets in random order, from the balancer's own address.
func connect(targets []netip.AddrPort, own []netip.Addr) (*net.TCPConn, error) {
	err := errors.New("no node takes connections")
	for _, i := range rand.Perm(len(targets)) {
		dialer := net.Dialer{Timeout: dialTimeout, Control: lateport}
		for _, a := range own {
			if family(a) == family(targets[i].Addr()) {
				dialer.LocalAddr = &net.TCPAddr{IP: a.AsSlice()}
			}
		}
		var conn net.Conn
		if conn, err = dialer.Dial("tcp", targets[i].String()); err == nil {
			return conn.(*net.TCPConn), nil
		}
	}
	return nil, err
}

// lateport has the kernel choose the port when the other end is known. It may
// then be one that is in use towards another node port.
func lateport(_, _ string, c syscall.RawConn) error {
	return setOption(c, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT)
}

func pipe(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		reset(to, from)
		return
	}
	_ = to.CloseWrite() // if that fails, the other direction finds out why
}

// reset ends connections at once, as one end did that broke off.
func reset(conns ...*net.TCPConn) {
	for _, c := range conns {
		if c != nil {
			_ = c.SetLinger(0)
			c.Close()
		}
	}
}

package passive

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// fakeConn is an arriving connection. A nil owner is a stranger.
type fakeConn struct {
	net.Conn
	owner *member
	from  Origin
	stray bool  // not to the port that its owner was told, or not by the owner's count
	port  *port // that its owner was told

	// What it shows once it speaks: nothing where session is 0.
	session uint64
	user    string

	spoken, ended        chan struct{}
	speakOnce, closeOnce sync.Once
}

func newFakeConn(owner *member, client netip.Addr) *fakeConn {
	return &fakeConn{owner: owner, from: Origin{Client: client}, spoken: make(chan struct{}), ended: make(chan struct{})}
}

func (c *fakeConn) speak() { c.speakOnce.Do(func() { close(c.spoken) }) }

func (c *fakeConn) Close() error {
	c.closeOnce.Do(func() { close(c.ended) })
	return nil
}

func (c *fakeConn) closed() bool    { return isClosed(c.ended) }
func (c *fakeConn) hasSpoken() bool { return isClosed(c.spoken) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *fakeConn) SetDeadline(time.Time) error { return nil }

func (c *fakeConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.from.Client, 40000))
}

// proveFake is a Prover: it waits until the connection speaks.
func proveFake(c net.Conn) (Proof, error) {
	f := c.(*fakeConn)
	select {
	case <-f.spoken:
		return Proof{Conn: c, Session: f.session, User: f.user}, nil
	case <-f.ended:
		return Proof{}, net.ErrClosed
	}
}

package ftp

import (
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A rate says how much we give the kernel and take from it. What the kernel keeps
// in between goes as fast as the network does: it is kept small, too, in time at the
// rate.
const (
	// unsentTime is how much of a download may lie unsent.
	unsentTime = portionTime
	// aheadTime is half of how much a client may have sent ahead of us, beside what a
	// round trip takes.
	aheadTime = portionTime
)

// shapeSending keeps what is not sent yet small: a client that has taken nothing
// for a while gets no more at once then. 0 is no rate.
func shapeSending(c *net.TCPConn, bytesPerSecond int64) {
	most := int64(0) // the system's own setting
	if bytesPerSecond != 0 {
		most = min(worth(bytesPerSecond, unsentTime), math.MaxInt32)
	}
	_ = withFD(c, func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, int(most))
		if most != 0 { // a portion may be less than a segment, and must not wait to fill one
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK, 0)
		}
	})
}

// shapeReceiving keeps the kernel from making the receive buffer larger than a rate
// needs: what it holds, a client can send at once. It is never made smaller than it
// is: a client has been told of the room in it, before anybody knew whose the
// connection is, and what it sends into it must not be dropped (RFC 9293
// §3.8.6.2.1). 0 is no rate.
func shapeReceiving(c *net.TCPConn, bytesPerSecond int64) {
	info := tcpInfo(c)
	if info == nil {
		return
	}
	needed := worth(bytesPerSecond, aheadTime+time.Duration(info.Rtt)*time.Microsecond)
	_ = withFD(c, func(fd int) {
		has, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		size := max(needed, int64(has)/2) // as the kernel doubles what it is told (socket(7))
		if bytesPerSecond != 0 && size <= largestBuffer() {
			setReceiveBuffer(fd, size, 2*size)
			return
		}
		// Where it can't be as large as is needed, only the kernel can make it so: the rate
		// goes before the burst. What it has chosen itself stays.
		if lock, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK); err == nil && lock&receiveBufferLock != 0 {
			setReceiveBuffer(fd, max(int64(has)/2, largestBuffer()), largestWindow)
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, lock&^receiveBufferLock) // Linux 5.14
		}
	})
}

const (
	// receiveBufferLock is that of SO_BUF_LOCK for the receive buffer
	// (SOCK_RCVBUF_LOCK): the kernel does not change its size.
	receiveBufferLock = 2
	// largestWindow is none that TCP could not have (RFC 7323 §2.3).
	largestWindow = 1 << 30
)

// setReceiveBuffer makes it as large, for good, and lets the window follow: not every
// kernel lets it grow beyond what the buffer was before.
func setReceiveBuffer(fd int, size, window int64) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, int(size))
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP, int(window))
}

// largestBuffer is how large a receive buffer may be made, in bytes: net.core.rmem_max,
// which is not shown in every container.
var largestBuffer = sync.OnceValue(func() int64 {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, math.MaxInt32/2)
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return int64(doubled) / 2
})

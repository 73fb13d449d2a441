package proxy

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// await returns what has arrived on a connection, as far as it fits into buf, as
// soon as that is enough. All of it is left unread. Where more doesn't come, it returns
// what there is, and io.EOF, os.ErrDeadlineExceeded or another error of the
// connection.
func await(c *net.TCPConn, buf []byte, enough func(p []byte) bool) ([]byte, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var p []byte
	var failed error
	look := func(fd uintptr) (done bool) {
		p, failed = peek(int(fd), buf, p, enough)
		return failed == nil || !errors.Is(failed, unix.EAGAIN)
	}
	waited := rc.Read(look)
	if errors.Is(waited, os.ErrDeadlineExceeded) { // what has come in time may not have been told of yet
		_ = rc.Control(func(fd uintptr) {
			if look(fd) {
				waited = nil
			}
		})
	}
	if waited != nil {
		return p, waited
	}
	return p, failed
}

// peek looks at what is there, which is at least what was before. EAGAIN: more may
// come.
func peek(fd int, buf, before []byte, enough func(p []byte) bool) ([]byte, error) {
	ended := hasEnded(fd) // asked first: then nothing can come after what is seen
	n, _, err := unix.Recvfrom(fd, buf, unix.MSG_PEEK)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(fd, buf, unix.MSG_PEEK)
	}
	switch {
	case err != nil:
		return before, err
	case n > 0 && enough(buf[:n]):
		return buf[:n], nil
	case n == 0 || ended:
		return buf[:n], io.EOF
	}
	return buf[:n], unix.EAGAIN
}

// hasEnded tells whether the other side has closed the connection.
func hasEnded(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err != nil || info.State != unix.BPF_TCP_ESTABLISHED
}

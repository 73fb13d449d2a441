// Package client is the benchmark's load client: FTP over blocking sockets, with
// as little work for each byte and each file as can be, so that what is measured
// is the server. It is no client for general use: one address family, passive
// transfers by EPSV only, and no deadline but the socket's.
package client

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience is how long a socket waits for the server.
const patience = 60 * time.Second

// pieceSize is how much is read, or encrypted and written, at a time, in bytes.
const pieceSize = 256 << 10

// socket is a blocking TCP socket. It is a net.Conn, for package tls.
type socket struct {
	fd int

	// in is read in large pieces where it is set: package tls reads record by
	// record.
	in       []byte
	from, to int

	// out gathers what is written until flush, while gathering.
	gathering bool
	out       []byte

	// watch is told what has come, in all.
	watch func(now time.Time, total int64)
	come  int64
}

func connect(to netip.AddrPort) (*socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	wait := unix.NsecToTimeval(patience.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
	)
	if err == nil {
		err = again(func() error {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	return &socket{fd: fd}, nil
}

// again repeats a system call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (s *socket) Read(p []byte) (int, error) {
	if s.in == nil {
		return s.read(p)
	}
	if s.from == s.to {
		n, err := s.read(s.in)
		if err != nil {
			return 0, err
		}
		s.from, s.to = 0, n
	}
	n := copy(p, s.in[s.from:s.to])
	s.from += n
	return n, nil
}

func (s *socket) read(p []byte) (n int, err error) {
	err = again(func() (err error) { n, err = unix.Read(s.fd, p); return err })
	switch {
	case err != nil:
		return 0, fmt.Errorf("read: %w", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	s.came(int64(n))
	return n, nil
}

// discard takes what has arrived without copying it out of the kernel
// (tcp(7), MSG_TRUNC). At the end it returns io.EOF.
func (s *socket) discard() (int64, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 4<<20, unix.MSG_TRUNC, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return 0, fmt.Errorf("receive: %w", errno)
		case n == 0:
			return 0, io.EOF
		default:
			s.came(int64(n))
			return int64(n), nil
		}
	}
}

func (s *socket) came(n int64) {
	if s.come += n; s.watch != nil {
		s.watch(time.Now(), s.come)
	}
}

// watchInterval is the time between two looks at what the other side has taken.
const watchInterval = time.Millisecond

// watchSent tells what the other side's kernel has taken (tcp(7), TCP_INFO), until
// stop is called.
func (s *socket) watchSent(watch func(now time.Time, total int64)) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				watch(time.Now(), int64(info.Bytes_acked))
			}
			select {
			case <-end:
				return
			case <-time.After(watchInterval):
			}
		}
	}()
	return func() { close(end); <-ended }
}

func (s *socket) Write(p []byte) (int, error) {
	if s.gathering {
		s.out = append(s.out, p...)
		return len(p), nil
	}
	return len(p), s.write(p)
}

func (s *socket) write(p []byte) error {
	for len(p) > 0 {
		var n int
		if err := again(func() (err error) { n, err = unix.Write(s.fd, p); return err }); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		p = p[n:]
	}
	return nil
}

func (s *socket) flush() error {
	err := s.write(s.out)
	s.out = s.out[:0]
	return err
}

// sendFile sends size bytes of a file from its beginning.
func (s *socket) sendFile(file int, size int64) error {
	var at int64
	for at < size {
		var n int
		if err := again(func() (err error) { n, err = unix.Sendfile(s.fd, file, &at, int(min(size-at, 1<<30))); return err }); err != nil {
			return fmt.Errorf("sendfile: %w", err)
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

func (s *socket) endWrite() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

// Close ends the connection. What has come and nobody has read, as session
// tickets on an upload, is taken first: it would turn the end into a reset.
func (s *socket) Close() error {
	var rest [4096]byte
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&rest)), uintptr(len(rest)), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 || n == 0 {
			return unix.Close(s.fd)
		}
	}
}

// What package tls asks of a net.Conn. Timeouts are the socket's.

func (s *socket) LocalAddr() net.Addr              { return nil }
func (s *socket) RemoteAddr() net.Addr             { return nil }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

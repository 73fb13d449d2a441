package ftp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// kernelChunk is how much is moved between a file and a plain connection before
// the bytes are counted. The copy itself stays in the kernel (sendfile, splice).
const kernelChunk = 4 << 20

var errShrunk = errors.New("the file became shorter while it was sent")

// sendFile sends what is left of f. size bytes are promised: fewer are an error,
// more, of a file that grows, are sent as well.
func (t *transfer) sendFile(c dataConn, f *os.File, size int64, stall time.Duration) error {
	var err error
	if p, ok := c.(plainData); ok {
		err = t.sendInKernel(p, f, stall)
	} else {
		err = t.sendFrom(c, f, stall)
	}
	if err == nil && t.bytes.Load() < size {
		return errShrunk
	}
	return err
}

// sendInKernel sends what is left of f. Where the file system knows no sendfile,
// a copy that met its deadline may have read more than it has sent: it goes on
// at the place that follows what was sent.
func (t *transfer) sendInKernel(c plainData, f *os.File, stall time.Duration) error {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	for {
		size, err := t.allowance(kernelChunk)
		if err != nil {
			return err
		}
		n, err := t.copyChunk(c.TCPConn, f, size, c.SetWriteDeadline, stall)
		at += n
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case progressed(n, err):
			if _, err := f.Seek(at, io.SeekStart); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
}

// receiveInKernel asks the user's quota around each copy, and not in a writer
// in between, which would keep the kernel from copying.
func (t *transfer) receiveInKernel(f *os.File, c plainData, stall time.Duration) error {
	for {
		size, err := t.allowance(kernelChunk)
		if err != nil {
			return err
		}
		n, err := t.copyChunk(f, c.TCPConn, t.into.Room(size), c.SetReadDeadline, stall)
		if full := t.into.Add(n); full != nil {
			return full
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !progressed(n, err):
			return err
		}
	}
}

// copyChunk moves up to size bytes within the deadline that arm sets.
func (t *transfer) copyChunk(dst io.Writer, src io.Reader, size int64, arm func(time.Time) error, stall time.Duration) (int64, error) {
	_ = arm(time.Now().Add(stall))
	n, err := io.CopyN(dst, src, size)
	t.add(n)
	theLull.join()
	return n, err
}

// sendFrom sends what r gives, block by block.
func (t *transfer) sendFrom(c dataConn, r io.Reader, stall time.Duration) error {
	block := blockPool.Get().(*[]byte)
	defer blockPool.Put(block)
	for {
		n, err := r.Read(*block)
		if n > 0 {
			if err := t.send(c, (*block)[:n], stall); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// send sends p, as fast as the session may, and counts it.
func (t *transfer) send(c dataConn, p []byte, stall time.Duration) error {
	for len(p) > 0 {
		n, err := t.allowance(int64(len(p)))
		if err != nil {
			return err
		}
		if err := c.send(p[:n], stall); err != nil {
			return &networkError{err}
		}
		t.add(n)
		p = p[n:]
	}
	return nil
}

// receiveFile writes what the client sends to the upload's file until the client
// ends. orderly tells that it ended with TLS's close_notify.
func (t *transfer) receiveFile(c dataConn, stall time.Duration) (orderly bool, err error) {
	if p, ok := c.(plainData); ok {
		return false, t.receiveInKernel(t.into.File(), p, stall)
	}
	return t.receiveTo(c, &metered{t.into}, stall)
}

// receiveTo writes what the client sends to w, in large blocks.
func (t *transfer) receiveTo(c dataConn, w io.Writer, stall time.Duration) (orderly bool, err error) {
	block := blockPool.Get().(*[]byte)
	defer blockPool.Put(block)
	for err == nil {
		var n int
		n, err = t.fill(c, *block, stall)
		if _, writeErr := w.Write((*block)[:n]); writeErr != nil {
			return false, writeErr
		}
		if n == len(*block) { // there may be much more
			theLull.offer()
		}
	}
	if !errors.Is(err, io.EOF) { // with TLS, also an end within a record
		return false, &networkError{err}
	}
	d, secured := c.(*tlsData)
	return secured && d.saidGoodbye(), nil
}

// fill reads until the block is full or there is no more. For a file that others
// watch while it grows, whatever has come is enough.
func (t *transfer) fill(c dataConn, block []byte, stall time.Duration) (n int, err error) {
	for n < len(block) && err == nil && (n == 0 || !t.into.Direct()) {
		var m int
		m, err = t.receive(c, block[n:], stall)
		n += m
	}
	return n, err
}

// receive reads what has come, as fast as the session may, and counts it.
func (t *transfer) receive(c dataConn, p []byte, stall time.Duration) (int, error) {
	size, err := t.allowance(int64(len(p)))
	if err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(stall))
	n, err := c.Read(p[:size])
	t.add(int64(n))
	return n, err
}

// networkError is an error of a data connection, not of the storage.
type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

// isNetwork tells errors of a data connection from those of the storage. Copies
// in the kernel report both in the same way.
func isNetwork(err error) bool {
	var n *networkError
	var alert tls.AlertError
	return errors.As(err, &n) || errors.As(err, &alert) || errors.Is(err, net.ErrClosed) ||
		isConnectionErrno(err)
}

package ftp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// asciiReader turns the lines of a file into those of the network: LF becomes
// CRLF, and CRLF stays (RFC 959 §3.1.1.1).
type asciiReader struct {
	in      *bufio.Reader
	afterCR bool
	pending bool // an LF whose CR has gone out
}

// asciiBuffer is how much of a file is looked at at once, in bytes.
const asciiBuffer = 32 << 10

func newASCIIReader(r io.Reader) *asciiReader {
	return &asciiReader{in: bufio.NewReaderSize(r, asciiBuffer)}
}

func (r *asciiReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.pending {
			p[n], r.pending = '\n', false
			n++
			continue
		}
		if _, err := r.in.Peek(1); err != nil {
			return n, err
		}
		b, _ := r.in.Peek(min(r.in.Buffered(), len(p)-n)) // what is there
		n += r.take(p[n:], b)
	}
	return n, nil
}

// take turns the beginning of b, which is not longer than p, up to a line's end
// or that end itself.
func (r *asciiReader) take(p, b []byte) int {
	if b[0] == '\n' {
		_, _ = r.in.Discard(1) // it is there
		p[0], r.pending, r.afterCR = '\r', !r.afterCR, false
		if !r.pending {
			p[0] = '\n'
		}
		return 1
	}
	if i := bytes.IndexByte(b, '\n'); i > 0 {
		b = b[:i]
	}
	r.afterCR = b[len(b)-1] == '\r'
	_, _ = r.in.Discard(len(b)) // as above
	return copy(p, b)
}

// asciiWriter turns the lines of the network into those of a file: CRLF becomes
// LF; a CR that no LF follows is kept.
type asciiWriter struct {
	out *bufio.Writer
	cr  bool
}

func newASCIIWriter(w io.Writer) *asciiWriter { return &asciiWriter{out: bufio.NewWriter(w)} }

func (w *asciiWriter) Write(p []byte) (int, error) {
	for i, b := range p {
		if w.cr && b != '\n' {
			if err := w.out.WriteByte('\r'); err != nil {
				return i, err
			}
		}
		w.cr = b == '\r'
		if w.cr {
			continue
		}
		if err := w.out.WriteByte(b); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// end writes what is held back and returns err or, without, its own failure. Of a
// text that broke off it leaves out a CR whose LF may have been on its way.
func (w *asciiWriter) end(err error) error {
	if w.cr && err == nil {
		w.cr = false
		err = w.out.WriteByte('\r')
	}
	return errors.Join(err, w.out.Flush())
}

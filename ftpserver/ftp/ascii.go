package ftp

import (
	"bufio"
	"io"
)

// asciiReader turns the lines of a file into those of the network: LF becomes
// CRLF, and CRLF stays (RFC 959 §3.1.1.1).
type asciiReader struct {
	in      *bufio.Reader
	afterCR bool
	pending bool // an LF whose CR has gone out
}

func newASCIIReader(r io.Reader) *asciiReader { return &asciiReader{in: bufio.NewReader(r)} }

func (r *asciiReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.pending {
			p[n], r.pending, r.afterCR = '\n', false, false
			n++
			continue
		}
		b, err := r.in.ReadByte()
		if err != nil {
			return n, err
		}
		if b == '\n' && !r.afterCR {
			p[n], r.pending = '\r', true
		} else {
			p[n] = b
		}
		r.afterCR = b == '\r'
		n++
	}
	return n, nil
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

// finish writes what is held back.
func (w *asciiWriter) finish() error {
	if w.cr {
		w.cr = false
		if err := w.out.WriteByte('\r'); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

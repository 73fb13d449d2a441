package ftp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// maxText is how far into a file the octets of TYPE A are counted: their number
// is in no directory, so that a file must be read for it (RFC 3659 §4 and §5.1
// count octets as they are transferred).
const maxText = 16 << 20

// textSize tells the size that a file has when it is transferred in TYPE A.
func (s *session) textSize(arg string) {
	f, info, err := s.files.Open(s.path(arg))
	if err != nil {
		s.done(err, 0, "")
		return
	}
	if info.Size > maxText {
		_ = f.Close()
		s.reply(550, fmt.Sprintf("In TYPE A, the size of files up to %d bytes is told: use TYPE I", maxText))
		return
	}
	s.work(s.path(arg), func(w *work) (result, error) {
		n, err := w.textSize(f, info.Size)
		return result{213, strconv.FormatInt(n, 10)}, err
	})
}

// textSize counts what a file, which it closes, is in TYPE A.
func (w *work) textSize(f *os.File, size int64) (n int64, err error) {
	defer func() { _ = f.Close() }()
	var counter textCounter
	for at := int64(0); at < size && err == nil; {
		err = w.turn(func() (int64, error) {
			n, err := w.block(f, at, size, counter.count)
			at += n
			return n, err
		})
	}
	return counter.size, err
}

// textCounter counts the octets that asciiReader makes of those of a file.
type textCounter struct {
	size    int64
	afterCR bool
}

func (c *textCounter) count(b []byte) {
	c.size += int64(len(b)) + int64(bytes.Count(b, []byte{'\n'})) - int64(bytes.Count(b, []byte("\r\n")))
	if c.afterCR && len(b) > 0 && b[0] == '\n' {
		c.size--
	}
	if len(b) > 0 {
		c.afterCR = b[len(b)-1] == '\r'
	}
}

// download finds out what is to be sent of a file: from, or the file itself
// where that is nil, and how many octets that is, or -1.
func (s *session) download(f *os.File, size int64) (from io.Reader, n int64, err error) {
	switch {
	case !s.binary:
		from, err = skipText(f, s.offset)
		return from, -1, err
	case s.rangeNow.set:
		part, ok := s.rangeNow.of(size)
		if !ok {
			return nil, 0, vfs.ErrRestart
		}
		_, err = f.Seek(part.from, io.SeekStart)
		return io.LimitReader(f, part.to-part.from), part.to - part.from, err
	case s.offset > size:
		return nil, 0, vfs.ErrRestart
	}
	_, err = f.Seek(s.offset, io.SeekStart)
	return nil, size - s.offset, err
}

// skipText is a file as it is sent in TYPE A, after its first octets.
func skipText(f io.Reader, offset int64) (io.Reader, error) {
	if offset > maxText {
		return nil, vfs.ErrRestart
	}
	r := newASCIIReader(f)
	_, err := io.CopyN(io.Discard, r, offset)
	if errors.Is(err, io.EOF) {
		err = vfs.ErrRestart
	}
	return r, err
}

// uploadProblem says why nothing can be uploaded from where REST or RANG point.
func (s *session) uploadProblem() *problem {
	switch {
	case s.rangeNow.set:
		return &problem{504, "RANG is for RETR and HASH: send REST for an upload"}
	case s.offset > 0 && !s.binary:
		return &problem{554, "An upload can go on in TYPE I only"}
	}
	return nil
}

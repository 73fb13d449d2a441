package ftp

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// MODE Z (draft-preston-ftpext-deflate): one zlib stream (RFC 1950) for each
// transfer. Its end is told by the stream itself, with a checksum of all that
// was in it, so an upload that was cut can't be taken for a whole one.

// packedSize is how much compressed data is gathered before it is sent, in bytes.
const packedSize = 32 << 10

// deflateChunk is how much is compressed before others may, in bytes: about what
// takes as long as encrypting a block.
const deflateChunk = 32 << 10

// A compressor takes up to a megabyte: they are lent to running transfers only.
var (
	compressors [zlib.BestCompression + 1]sync.Pool // of *zlib.Writer, by level
	inflaters   sync.Pool                           // of io.ReadCloser that is a zlib.Resetter
	packedPool  = sync.Pool{New: func() any { b := make([]byte, 0, 2*packedSize); return &b }}
	inputPool   = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, packedSize) }}
)

// deflater compresses what is written to it and sends it.
type deflater struct {
	to     *sender
	gate   *encryptionGate
	level  int
	packer *zlib.Writer
	packed *[]byte
}

func newDeflater(to *sender, gate *encryptionGate, level int) *deflater {
	d := &deflater{to: to, gate: gate, level: level, packed: packedPool.Get().(*[]byte)}
	if w, ok := compressors[level].Get().(*zlib.Writer); ok {
		w.Reset((*packedBuffer)(d.packed))
		d.packer = w
		return d
	}
	d.packer, _ = zlib.NewWriterLevel((*packedBuffer)(d.packed), level) // the level is one of zlib's
	return d
}

// packedBuffer gathers what a compressor gives.
type packedBuffer []byte

func (b *packedBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// Write passes the gate to compress, as encryption does; the sending, which may
// block on a slow client, does not.
func (d *deflater) Write(p []byte) (int, error) {
	for part := range slices.Chunk(p, deflateChunk) {
		d.gate.enter()
		_, err := d.packer.Write(part)
		d.gate.leave()
		if err == nil {
			err = d.flush(packedSize)
		}
		if err != nil {
			return 0, err
		}
	}
	d.to.t.plain += int64(len(p))
	return len(p), nil
}

// finish ends the stream and sends the rest. A stream without it is not whole.
func (d *deflater) finish() error {
	d.gate.enter()
	err := d.packer.Close()
	d.gate.leave()
	if err != nil {
		return err
	}
	return d.flush(1)
}

// flush sends what has gathered, if it is so much.
func (d *deflater) flush(enough int) error {
	if len(*d.packed) < enough {
		return nil
	}
	_, err := d.to.Write(*d.packed)
	*d.packed = (*d.packed)[:0]
	return err
}

func (d *deflater) release() {
	d.packer.Reset(io.Discard)
	compressors[d.level].Put(d.packer)
	*d.packed = (*d.packed)[:0]
	packedPool.Put(d.packed)
}

// sendDeflated sends what r gives. The stream of a file that has become shorter
// than size stays without an end.
func (s *session) sendDeflated(t *transfer, c dataConn, r io.Reader, size int64, stall time.Duration) error {
	d := s.newDeflater(t, c, stall)
	defer d.release()
	block := blockPool.Get().(*[]byte)
	defer blockPool.Put(block)
	for {
		n, err := r.Read(*block)
		if n > 0 {
			if _, err := d.Write((*block)[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && t.plain < size:
			return errShrunk
		case errors.Is(err, io.EOF):
			return d.finish()
		case err != nil:
			return err
		}
	}
}

func (s *session) newDeflater(t *transfer, c dataConn, stall time.Duration) *deflater {
	t.deflated = true
	level := s.deflateLevel
	if level == 0 {
		level = defaultDeflateLevel
	}
	return newDeflater(&sender{t, c, stall}, s.server.gate, level)
}

var (
	// errTruncated is a compressed upload that ended before its stream did.
	errTruncated = &uploadError{"The upload ended before its compressed data did"}
	// errDamaged is data that no compressor has made so.
	errDamaged = errors.New("the compressed data is damaged")
)

// receiveDeflated takes an upload. What arrived of one that was cut is kept as
// in stream mode. Of one that was damaged nothing can be trusted: the file is cut
// to where this upload began.
func (s *session) receiveDeflated(t *transfer, c dataConn, u *vfs.Upload, stall time.Duration) error {
	t.deflated = true
	start, err := u.File().Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if s.binary {
		err = t.inflate(c, &metered{u}, stall)
	} else {
		w := newASCIIWriter(&metered{u})
		err = t.inflate(c, promptIf(u.Direct(), w), stall)
		err = w.end(err)
	}
	if errors.Is(err, errDamaged) {
		err = errors.Join(err, u.File().Truncate(start))
	}
	if err == nil {
		_ = c.endWrite()
		err = context.Cause(t.ctx) // an abort closes the connection, which looks like an end
	}
	return err
}

// inflate writes what a compressed stream holds to w, as it comes.
func (t *transfer) inflate(c dataConn, w io.Writer, stall time.Duration) error {
	in := inputPool.Get().(*bufio.Reader)
	in.Reset(&receiver{t, c, stall})
	defer func() { in.Reset(nil); inputPool.Put(in) }()
	z, err := inflater(in)
	if err != nil {
		return inflateError(err)
	}
	defer func() { inflaters.Put(z) }()
	block := blockPool.Get().(*[]byte)
	defer blockPool.Put(block)
	for err == nil {
		var n int
		n, err = z.Read(*block)
		t.plain += int64(n)
		if _, writeErr := w.Write((*block)[:n]); writeErr != nil {
			return writeErr
		}
	}
	if !errors.Is(err, io.EOF) {
		return inflateError(err)
	}
	return streamEnded(in)
}

func inflater(in io.Reader) (io.ReadCloser, error) {
	z, ok := inflaters.Get().(io.ReadCloser)
	if !ok {
		return zlib.NewReader(in)
	}
	return z, z.(zlib.Resetter).Reset(in, nil)
}

// streamEnded: behind the stream there is nothing but the end. How that looks
// does not matter any more, as long as it comes.
func streamEnded(in *bufio.Reader) error {
	switch _, err := in.ReadByte(); {
	case err == nil:
		return errDamaged
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	return nil
}

func inflateError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrDictionary):
		return errDamaged
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errTruncated
	}
	return err
}

// receiver is an io.Reader on a data connection.
type receiver struct {
	t     *transfer
	c     dataConn
	stall time.Duration
}

func (r *receiver) Read(p []byte) (int, error) {
	n, err := r.t.receive(r.c, p, r.stall)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &networkError{err}
	}
	return n, err
}

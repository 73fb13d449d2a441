package client

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

var pieces = sync.Pool{New: func() any { p := make([]byte, pieceSize); return &p }}

// Payload is what is uploaded: a file, and its content in memory.
type Payload struct {
	File    int // descriptor
	Content []byte
}

// data is an open data connection.
type data struct {
	*socket
	secure *tls.Conn // nil: plain
	piece  *[]byte
}

// open asks for a passive port and connects to it (RFC 2428 §3).
func (s *Session) open(command string) (*data, error) {
	text, err := s.Command("EPSV", 229)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(text, "|")
	if len(parts) < 4 {
		return nil, fmt.Errorf("EPSV: no port in %q", text)
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil {
		return nil, fmt.Errorf("EPSV: no port in %q", text)
	}
	c, err := connect(netip.AddrPortFrom(s.server.Addr(), uint16(port)))
	if err != nil {
		return nil, err
	}
	d := &data{socket: c}
	if _, err := s.Command(command, 150, 125); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if s.secure == nil {
		return d, nil
	}
	d.piece = pieces.Get().(*[]byte)
	d.in = *d.piece
	d.secure = tls.Client(c, s.secure)
	if err := d.secure.Handshake(); err != nil {
		return nil, errors.Join(fmt.Errorf("handshake of a data connection: %w", err), d.end())
	}
	state := d.secure.ConnectionState()
	s.Handshakes++
	if state.DidResume {
		s.Resumed++
	}
	s.Suite = tls.CipherSuiteName(state.CipherSuite)
	return d, nil
}

func (d *data) end() error {
	if d.piece != nil {
		d.in = nil
		pieces.Put(d.piece)
		d.piece = nil
	}
	return d.Close()
}

func (d *data) reader() io.Reader {
	if d.secure != nil {
		return d.secure
	}
	return d.socket
}

// Retrieve downloads a file, throws it away and returns its size.
func (s *Session) Retrieve(name string) (int64, error) {
	return s.download("RETR "+name, func(d *data) (int64, error) {
		if d.secure != nil {
			return drain(d.secure)
		}
		var total int64
		for {
			n, err := d.discard()
			total += n
			if err != nil {
				return total, ended(err)
			}
		}
	})
}

// Verify downloads a file and compares it with what it should be.
func (s *Session) Verify(name string, want []byte) error {
	n, err := s.download("RETR "+name, func(d *data) (int64, error) {
		p := make([]byte, pieceSize)
		var at int64
		for {
			n, err := d.reader().Read(p)
			if at+int64(n) > int64(len(want)) || !bytes.Equal(p[:n], want[at:at+int64(n)]) {
				return at, fmt.Errorf("%s: other bytes than in the file, after %d", name, at)
			}
			at += int64(n)
			if err != nil {
				return at, ended(err)
			}
		}
	})
	if err == nil && n != int64(len(want)) {
		return fmt.Errorf("%s: %d bytes instead of %d", name, n, len(want))
	}
	return err
}

// Listing is what a listing gave, and when.
type Listing struct {
	First, Total time.Duration // from the command to the first byte, and to the last reply
	Entries      int           // lines
}

// List asks for a listing by LIST, NLST or MLSD.
func (s *Session) List(command string) (Listing, error) {
	var l Listing
	begun := time.Now()
	_, err := s.download(command, func(d *data) (int64, error) {
		p := make([]byte, 64<<10)
		var total int64
		for {
			n, err := d.reader().Read(p)
			if n > 0 && total == 0 {
				l.First = time.Since(begun)
			}
			l.Entries += bytes.Count(p[:n], []byte{'\n'})
			total += int64(n)
			if err != nil {
				return total, ended(err)
			}
		}
	})
	l.Total = time.Since(begun)
	return l, err
}

func (s *Session) download(command string, take func(*data) (int64, error)) (int64, error) {
	d, err := s.open(command)
	if err != nil {
		return 0, err
	}
	d.watch = s.Watch
	n, err := take(d)
	if err = errors.Join(err, d.end()); err != nil {
		return n, fmt.Errorf("%s: %w", command, err)
	}
	_, err = s.reply(226)
	return n, err
}

func drain(r io.Reader) (int64, error) {
	p := pieces.Get().(*[]byte)
	defer pieces.Put(p)
	var total int64
	for {
		n, err := r.Read(*p)
		total += int64(n)
		if err != nil {
			return total, ended(err)
		}
	}
}

// ended: servers may end TLS without close_notify; what counts is the number of
// bytes, which every caller compares.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Store uploads the first size bytes of a payload.
func (s *Session) Store(name string, from Payload, size int64) error {
	d, err := s.open("STOR " + name)
	if err != nil {
		return err
	}
	stop := func() {}
	if s.Watch != nil {
		stop = d.watchSent(s.Watch)
	}
	if err = d.upload(from, size); err != nil {
		err = fmt.Errorf("STOR %s: %w", name, err)
	} else {
		_, err = s.reply(226)
	}
	stop()
	return errors.Join(err, d.end())
}

func (d *data) upload(from Payload, size int64) error {
	if d.secure == nil {
		return errors.Join(d.sendFile(from.File, size), d.endWrite())
	}
	d.gathering = true
	for at := int64(0); at < size; at += pieceSize {
		if _, err := d.secure.Write(from.Content[at:min(at+pieceSize, size)]); err != nil {
			return err
		}
		if at+pieceSize < size {
			if err := d.flush(); err != nil {
				return err
			}
		}
	}
	// The last records and close_notify go out together.
	return errors.Join(d.secure.CloseWrite(), d.flush(), d.endWrite())
}

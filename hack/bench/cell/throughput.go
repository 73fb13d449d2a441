package cell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/ftp-operator/ftp-operator/hack/bench/client"
)

const gib = 1 << 30

// quota says when enough has been moved: whole files only.
type quota struct {
	moved, limit atomic.Int64
	until        time.Time
}

func (c *cell) quota() *quota {
	q := &quota{until: time.Now().Add(c.Size.Time)}
	q.limit.Store(c.Size.Bytes)
	return q
}

// next takes the next file's bytes; false when there is enough.
func (q *quota) next(size int64) bool {
	return time.Now().Before(q.until) && q.moved.Add(size) <= q.limit.Load()
}

func (c *cell) fileSize(clients int) int64 {
	if clients == 1 {
		return c.Size.Big
	}
	return c.Size.Medium
}

// retrieve downloads the same file again and again.
func (c *cell) retrieve(clients int) (Sample, error) {
	size := c.fileSize(clients)
	if err := c.show(size); err != nil {
		return Sample{}, err
	}
	return c.move(clients, size, func(s *client.Session, _ int) error {
		var n int64
		var err error
		if c.server.Limit {
			n, err = client.RawReceive(address)
		} else {
			n, err = s.Retrieve("file")
		}
		if err == nil && n != size {
			err = fmt.Errorf("RETR: %d bytes instead of %d", n, size)
		}
		return err
	}, func(s *client.Session) error { return s.Verify("file", c.payload.Content[:size]) })
}

// store uploads the same file again and again over itself, each client its own.
func (c *cell) store(clients int) (Sample, error) {
	size := c.fileSize(clients)
	put := func(s *client.Session, i int) error {
		if c.server.Limit {
			return client.RawSend(address, c.payload, size)
		}
		return s.Store(fmt.Sprintf("file%d", i), c.payload, size)
	}
	sample, err := c.move(clients, size, put, func(s *client.Session) error {
		if err := c.touchMemory(2 * size * int64(clients)); err != nil {
			return err
		}
		if err := put(s, 0); err != nil {
			return err
		}
		return c.same("file0", size)
	})
	for i := 0; i < clients && err == nil && !c.server.Limit; i++ {
		err = c.same(fmt.Sprintf("file%d", i), size)
	}
	return sample, err
}

// touchMemory takes so many bytes of memory in the tmpfs, and gives them back. A
// virtual machine gets its memory from the host when it is first touched, which
// costs more than to copy into it: without this, a server that receives into a new
// file would be measured by the host.
func (c *cell) touchMemory(size int64) error {
	path := filepath.Join(c.root, "memory")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for ; size > 0 && err == nil; size -= 64 << 20 {
		_, err = f.Write(c.payload.Content[:min(64<<20, size)])
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}

// move lets clients move files until there is enough. Before, verify moves one
// and compares it, which warms up as well.
func (c *cell) move(clients int, size int64, one func(s *client.Session, i int) error, verify func(*client.Session) error) (Sample, error) {
	sessions, err := c.sessions(clients)
	if err != nil {
		return Sample{}, err
	}
	if !c.server.Limit {
		if err := verify(sessions[0]); err != nil {
			return Sample{}, err
		}
	}
	m, err := c.measure()
	if err != nil {
		return Sample{}, err
	}
	q := c.quota()
	var moved atomic.Int64
	err = parallel(clients, func(i int) error {
		for first := true; q.next(size) || first; first = false {
			if err := one(sessions[i], i); err != nil {
				return err
			}
			moved.Add(size)
		}
		return nil
	})
	if err != nil {
		return Sample{}, err
	}
	sample, err := m.stop(float64(moved.Load()) / gib)
	if sessions[0] != nil {
		sample.Note = sessions[0].Suite
	}
	return sample, errors.Join(err, quit(sessions))
}

// sessions opens n of them; of the limit program, none.
func (c *cell) sessions(n int) ([]*client.Session, error) {
	sessions := make([]*client.Session, n)
	if c.server.Limit {
		return sessions, nil
	}
	for i := range sessions {
		var err error
		if sessions[i], err = c.open(); err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

func quit(sessions []*client.Session) error {
	var errs []error
	for _, s := range sessions {
		if s != nil {
			errs = append(errs, s.Quit())
		}
	}
	return errors.Join(errs...)
}

// same compares an uploaded file with the beginning of the payload.
func (c *cell) same(name string, size int64) error {
	f, err := os.Open(filepath.Join(c.root, name))
	if err != nil {
		return fmt.Errorf("an upload is not there: %w", err)
	}
	defer func() { _ = f.Close() }()
	p := make([]byte, 1<<20)
	var at int64
	for {
		n, err := f.Read(p)
		if at+int64(n) > size || !bytes.Equal(p[:n], c.payload.Content[at:at+int64(n)]) {
			return fmt.Errorf("upload %s: other bytes than were sent, after %d", name, at)
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if at != size {
		return fmt.Errorf("upload %s: %d bytes instead of %d", name, at, size)
	}
	return nil
}

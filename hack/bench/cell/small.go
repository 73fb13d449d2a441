package cell

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/hack/bench/client"
)

const smallSize = 4 << 10

func (c *cell) smallRetrieve() (Sample, error) {
	if err := c.show(smallSize); err != nil {
		return Sample{}, err
	}
	return c.small(func(s *client.Session, _ int) error {
		n, err := s.Retrieve("file")
		if err == nil && n != smallSize {
			err = fmt.Errorf("RETR: %d bytes instead of %d", n, smallSize)
		}
		return err
	}, func(s *client.Session) error { return s.Verify("file", c.payload.Content[:smallSize]) })
}

func (c *cell) smallStore() (Sample, error) {
	put := func(s *client.Session, i int) error { return s.Store(fmt.Sprintf("file%d", i), c.payload, smallSize) }
	sample, err := c.small(put, func(s *client.Session) error { return put(s, -1) })
	for i := -1; i < c.Size.Small && err == nil; i++ {
		err = c.same(fmt.Sprintf("file%d", i), smallSize)
	}
	return sample, err
}

// small moves many files in one session.
func (c *cell) small(one func(s *client.Session, i int) error, warm func(*client.Session) error) (Sample, error) {
	s, err := c.open()
	if err != nil {
		return Sample{}, err
	}
	if err := warm(s); err != nil {
		return Sample{}, err
	}
	s.Resumed, s.Handshakes = 0, 0
	m, err := c.measure()
	if err != nil {
		return Sample{}, err
	}
	for i := range c.Size.Small {
		if err := one(s, i); err != nil {
			return Sample{}, fmt.Errorf("file %d: %w", i, err)
		}
	}
	sample, err := m.stop(float64(c.Size.Small))
	if err != nil {
		return sample, err
	}
	if s.Resumed < s.Handshakes {
		sample.Note = fmt.Sprintf("resumed %d of %d", s.Resumed, s.Handshakes)
	}
	return sample, s.Quit()
}

// durable uploads small files with durability Full, by one session and by 16,
// and between them does the same to the disk without a server. Nothing is removed
// meanwhile: for minutes, ext4 looks at every inode of a removed file before it
// makes a new one, which took half of the time of what came after.
func (c *cell) durable() (map[string]Sample, error) {
	samples := map[string]Sample{}
	for _, n := range []int{1, 16} {
		sample, err := c.durableUploads(n)
		if err != nil {
			return nil, err
		}
		samples[fmt.Sprintf("durable-%d", n)] = sample
		if sample, err = c.durableLimit(n); err != nil {
			return nil, err
		}
		samples[fmt.Sprintf("durable-limit-%d", n)] = sample
	}
	return samples, nil
}

func (c *cell) durableUploads(clients int) (Sample, error) {
	sessions, err := c.sessions(clients)
	if err != nil {
		return Sample{}, err
	}
	m, err := c.measure()
	if err != nil {
		return Sample{}, err
	}
	err = parallel(clients, func(i int) error {
		for n := range c.Size.Durables {
			if err := sessions[i].Store(fmt.Sprintf("d%d-%d-%d", clients, i, n), c.payload, smallSize); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Sample{}, err
	}
	sample, err := m.stop(float64(clients * c.Size.Durables))
	if err != nil {
		return sample, err
	}
	for i := range clients {
		for n := range c.Size.Durables {
			name := fmt.Sprintf("d%d-%d-%d", clients, i, n)
			if err := c.same(name, smallSize); err != nil {
				return sample, err
			}
		}
	}
	return sample, quit(sessions)
}

// durableLimit makes files as a server must, and on its processors: a temporary, its
// content, fsync, rename, fsync of the directory. An fsync takes longer on a processor
// that another has to tell that the disk is done.
func (c *cell) durableLimit(writers int) (Sample, error) {
	dir, err := os.Open(c.root)
	if err != nil {
		return Sample{}, err
	}
	defer func() { _ = dir.Close() }()
	var done atomic.Int64
	begun := time.Now()
	err = parallel(writers, func(i int) error {
		return Pinned(c.ServerCPUs, func() error {
			for n := range c.Size.Durables {
				if err := c.writeDurably(dir, fmt.Sprintf("limit%d-%d-%d", writers, i, n)); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	})
	took := time.Since(begun)
	if err != nil {
		return Sample{}, err
	}
	return Sample{Value: float64(done.Load()) / took.Seconds()}, nil
}

func (c *cell) writeDurably(dir *os.File, name string) error {
	path := filepath.Join(c.root, name)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(c.payload.Content[:smallSize]); err != nil {
		return err
	}
	if err := unix.Fsync(int(f.Fd())); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return unix.Fsync(int(dir.Fd()))
}

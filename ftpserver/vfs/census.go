package vfs

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// counts are the counts of homes that go on. One works at a time: they are for
// disks that have other things to do.
type counts struct {
	turn     chan struct{}
	patience time.Duration
	ctx      context.Context //nolint:containedctx // of all counts, which no caller waits for to the end
	stop     context.CancelFunc
	mu       sync.Mutex
	closed   bool
	running  sync.WaitGroup
}

func (c *counts) open() {
	c.patience = countPatience
	c.turn = make(chan struct{}, 1)
	c.ctx, c.stop = context.WithCancel(context.Background())
}

// add is false once the store is closed.
func (c *counts) add() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Add(1)
	}
	return !c.closed
}

func (c *counts) done() { c.running.Done() }

func (c *counts) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
}

// census counts what is at rest in a home: all but the uploads of this process
// that are on their way. The home itself does not count. What lies too deep, by a
// rename or another program, is left out, and the error is errTooDeep. Memory does not
// grow with the home.
func (s *Store) census(a *account) (total tally, took time.Duration, err error) {
	select {
	case s.counts.turn <- struct{}{}:
		defer func() { <-s.counts.turn }()
	case <-s.counts.ctx.Done():
		return total, 0, s.counts.ctx.Err()
	}
	begun := time.Now()
	rel := a.where()
	d, err := s.homeAt(rel, a.home)
	if err == nil {
		defer d.close()
		w := counter{store: s}
		err = w.walk(d, 0)
		total = w.total
		if err == nil && w.tooDeep {
			err = errTooDeep
		}
	}
	took = time.Since(begun)
	switch {
	case errors.Is(err, errTooDeep):
		s.log.Warn("Directories of a home are nested too deeply to count for its quota", "home", "/"+rel, "limit", maxDepth)
	case err != nil && s.counts.ctx.Err() == nil:
		s.log.Warn("Counting a home for its quota failed", "home", "/"+rel, "error", Classify(err))
	case err == nil:
		s.log.Debug("Counted a home for its quota", "home", "/"+rel, "bytes", total.bytes, "files", total.files, "seconds", took.Seconds())
	}
	return total, took, err
}

// homeAt opens a home by where it was found, if it is still there.
func (s *Store) homeAt(rel string, home identity) (*folder, error) {
	d, err := openDir(s.sys, s.root, rel)
	if err != nil {
		return nil, err
	}
	i, err := statOf(d.sys, d.fd(), ".")
	if err == nil && i.identity() != home {
		err = fs.ErrNotExist
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

type counter struct {
	store   *Store
	total   tally
	tooDeep bool // something was left out
}

func (w *counter) walk(d *folder, depth int) error {
	return d.names(func(name string) error {
		if err := w.store.counts.ctx.Err(); err != nil {
			return err
		}
		i, there, err := d.present(name)
		if err != nil || !there || w.moving(&i) {
			return err
		}
		w.total = w.total.plus(tallyOf(i, true))
		if !i.Dir {
			return nil
		}
		return w.descend(d, name, depth)
	})
}

// moving tells of an upload that is on its way in this process.
func (w *counter) moving(i *Info) bool {
	return w.store.mine(i.Name) || w.store.writing.has(i.identity())
}

func (w *counter) descend(d *folder, name string, depth int) error {
	if depth == maxDepth {
		w.tooDeep = true
		return nil
	}
	sub, err := d.enter(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil // gone, or not ours to write in either
	case err != nil:
		return err
	}
	defer sub.close()
	return w.walk(sub, depth+1)
}

// mine tells whether a name is that of a temporary of this start of this slot.
func (s *Store) mine(name string) bool { return strings.HasPrefix(name, s.temporaries) }

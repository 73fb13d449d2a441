package vfs

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// SweepResult counts what a sweep has done.
type SweepResult struct {
	Temporaries int   // of earlier starts of this slot, removed
	Partials    int   // older than PartialMaxAge, removed
	Bytes       int64 // what both held
	Failed      int   // files not removed and directories not read
}

// Sweep walks the whole tree and removes what uploads have left that nobody can
// go on with: temporaries of this slot's earlier starts and partials older than
// PartialMaxAge. The temporaries of other slots are theirs, however old. What
// fails is logged, counted and does not stop it; the error is the context's.
//
// Whoever calls it knows that the earlier starts have ended: from then on, a
// directory with nothing but temporaries of theirs counts as empty.
func (s *Store) Sweep(ctx context.Context) (SweepResult, error) {
	s.sweeping.Store(true)
	w := sweeper{store: s, ctx: ctx, before: time.Now().Add(-PartialMaxAge)}
	d, err := openDir(s.sys, s.root, ".")
	if err != nil {
		return w.result, fail("sweep", "/", err)
	}
	defer d.close()
	err = w.walk(d, "/", 0)
	if w.result.Temporaries+w.result.Partials > 0 {
		s.accounts.outdate()
	}
	return w.result, err
}

type sweeper struct {
	store  *Store
	ctx    context.Context
	before time.Time
	result SweepResult
}

// walk fails only with the context's error.
func (w *sweeper) walk(d *folder, virtual string, depth int) error {
	err := d.names(func(name string) error {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if hidden(name) {
			w.consider(d, virtual, name)
			return nil
		}
		return w.descend(d, virtual, name, depth)
	})
	if err != nil && w.ctx.Err() == nil {
		w.failed(virtual, err)
	}
	return w.ctx.Err()
}

func (w *sweeper) descend(d *folder, virtual, name string, depth int) error {
	i, there, err := d.present(name)
	if err == nil && (!there || !i.Dir) {
		return nil
	}
	at := parse(virtual + "/" + name).virtual
	if err == nil && depth == maxDepth {
		err = errTooDeep
	}
	if err != nil {
		w.failed(at, err)
		return nil
	}
	sub, err := d.enter(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil // gone, or not ours to write in either, such as lost+found
	case err != nil:
		w.failed(at, err)
		return nil
	}
	defer sub.close()
	return w.walk(sub, at, depth+1)
}

// consider removes a hidden file that is due.
func (w *sweeper) consider(d *folder, virtual, name string) {
	old := w.store.stale(name)
	if !old && !isPartial(name) {
		return
	}
	i, there, err := d.present(name)
	if err == nil && (!there || !old && i.ModTime.After(w.before)) {
		return
	}
	if err == nil {
		err = d.unlink(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		w.failed(virtual, err)
		return
	case old:
		w.result.Temporaries++
	default:
		w.result.Partials++
	}
	w.result.Bytes += i.Size
}

func (w *sweeper) failed(virtual string, err error) {
	w.result.Failed++
	w.store.log.Warn("Left over uploads not swept", "path", virtual, "error", Classify(err))
}

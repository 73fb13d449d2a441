package vfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// MaxParts is how many files Combine takes at once; each is held open.
const MaxParts = 100

// Pace carries out one step of a long copy, which returns how many bytes it has
// moved. It may wait before, and end the copy by an error.
type Pace func(step func() (int64, error)) error

// Combine adds the sources, in their order, to the end of the target, which is
// made if it is not there, and then removes them. The target appears whole, as
// an upload does: until then nothing has changed, whatever goes wrong.
//
// It needs OpRead and OpDelete where the sources are, and for the target what
// an append does. A source must be a regular file, and neither the target nor
// another source under a second name. ErrChanged tells that one was changed
// meanwhile, ErrBusy that a session writes one directly.
//
// left counts sources that are still there although all has been combined: one
// that was changed after it was copied, or could not be removed.
func (f *FS) Combine(ctx context.Context, target string, sources []string, pace Pace) (size int64, left int, err error) {
	if len(sources) > MaxParts {
		return 0, 0, fail("combine", parse(target).virtual, ErrManyParts)
	}
	c := combination{fs: f}
	defer c.close()
	for _, p := range sources {
		if err := c.take(p); err != nil {
			return 0, 0, err
		}
	}
	u, err := c.begin(target, pace)
	if err != nil {
		return 0, 0, err
	}
	if err := c.fill(ctx, u); err != nil {
		if derr := u.Discard(); derr != nil {
			f.store.log.Warn("Dropping a combined file failed", "path", u.at.virtual, "error", derr)
		}
		return 0, 0, fail("combine", u.at.virtual, err)
	}
	if size, err = u.Commit(); err != nil {
		return 0, 0, err
	}
	return size, c.remove(), nil
}

// combination is the sources of a Combine.
type combination struct {
	fs    *FS
	parts []part
}

type part struct {
	at     place
	folder *folder
	file   *os.File
	info   Info
}

func (c *combination) close() {
	for _, p := range c.parts {
		p.folder.close()
		p.close()
	}
}

func (p *part) close() { _ = p.folder.sys.Close(p.file) } // only read from: nothing can be lost

func (p *part) stat() (Info, error) {
	return statOf(p.folder.sys, int(p.file.Fd()), p.at.base)
}

// take opens a source.
func (c *combination) take(virtual string) error {
	at, err := locate("combine", virtual)
	if err == nil && at.isHome() {
		err = fail("combine", at.virtual, ErrIsDir)
	}
	if err != nil {
		return err
	}
	v, err := c.fs.view()
	if err != nil {
		return fail("combine", at.virtual, err)
	}
	defer v.close()
	d, err := v.discreetDir(at.dir)
	if err != nil {
		return fail("combine", at.virtual, err)
	}
	p := part{at: at, folder: d}
	if err = c.fs.need(d.held, OpRead|OpDelete); err == nil {
		err = p.open()
	}
	if err == nil && c.holds(p.info) {
		p.close()
		err = ErrTwice
	}
	if err == nil && c.fs.store.writing.has(p.info.identity()) {
		p.close()
		err = ErrBusy
	}
	if err != nil {
		d.close()
		return fail("combine", at.virtual, err)
	}
	c.parts = append(c.parts, p)
	return nil
}

// discreetDir is dir for the directory of something to be read: where no files
// may be read, an error on the way does not tell what there is.
func (v *view) discreetDir(rel string) (*folder, error) {
	if len(v.rules) == 0 {
		d, err := v.dir(rel)
		if err != nil {
			return nil, v.FS.top.held.untold(err)
		}
		return d, nil
	}
	w := v.walker()
	defer w.close()
	err := w.walk(rel)
	if err == nil && w.base != "" {
		err = ErrNotDir
	}
	if err != nil {
		return nil, w.inside.untold(err)
	}
	return w.folder()
}

// open looks before it opens: to open a device may do something.
func (p *part) open() error {
	seen, err := p.folder.lstat(p.at.base)
	if err == nil {
		err = regular(seen.Mode)
	}
	if err == nil {
		p.file, err = p.folder.open(p.at.base, openFlags, p.at.virtual)
	}
	if err != nil {
		return err
	}
	p.info, err = p.stat()
	if err == nil {
		err = regular(p.info.Mode)
	}
	if err != nil {
		p.close()
	}
	return err
}

func (c *combination) holds(i Info) bool {
	for _, p := range c.parts {
		if p.info.identity() == i.identity() {
			return true
		}
	}
	return false
}

// begin opens the target. A new one must still be new when it is published: no
// partial upload of it goes on here.
func (c *combination) begin(target string, pace Pace) (*Upload, error) {
	u, err := c.fs.create(target, plan{mode: CreateTruncate, exclusive: true, whole: true, pace: pace})
	if errors.Is(err, fs.ErrExist) {
		u, err = c.fs.create(target, plan{mode: CreateAppend, whole: true, pace: pace})
	}
	if err != nil {
		return nil, err
	}
	switch {
	case !u.exists:
		return u, nil
	case c.holds(u.target):
		err = ErrTwice
	case c.fs.store.writing.has(u.target.identity()):
		err = ErrBusy
	default:
		return u, nil
	}
	u.abandon()
	u.folder.close()
	return nil, fail("combine", u.at.virtual, err)
}

func (c *combination) fill(ctx context.Context, u *Upload) error {
	if err := u.Prepare(ctx); err != nil {
		return err
	}
	for _, p := range c.parts {
		if err := u.Add(p.info.Size); err != nil {
			return err
		}
		if err := copyBytes(ctx, c.fs.store.sys, u.file, p.file, p.info.Size, u.pace); err != nil {
			return err
		}
		now, err := p.stat()
		if err != nil {
			return err
		}
		if !now.same(p.info) {
			return ErrChanged
		}
	}
	return nil
}

// remove removes the sources that are what was copied, and tells how many
// others there are. The target is published: nothing here can take that back.
func (c *combination) remove() (left int) {
	for _, p := range c.parts {
		if err := p.remove(c.fs); err != nil {
			c.fs.store.log.Warn("Source of a combined file not removed", "path", p.at.virtual, "error", Classify(err))
			left++
		}
	}
	if c.fs.store.durable() {
		c.sync()
	}
	return left
}

// sync flushes the directories of the sources, each once. A failure may bring
// sources back, and loses nothing.
func (c *combination) sync() {
	flushed := map[identity]bool{}
	for _, p := range c.parts {
		i, err := p.folder.lstat(".")
		if err == nil && !flushed[i.identity()] {
			flushed[i.identity()] = true
			err = p.folder.sync()
		}
		if err != nil {
			c.fs.store.log.Warn("Directory of a combined file not flushed", "path", p.at.virtual, "error", Classify(err))
		}
	}
}

// remove removes the source, unless it is another file by now. Nothing is published
// under its name between the look and the removal: that would be lost.
func (p *part) remove(f *FS) error {
	defer f.hold(p.at.base)()
	now, exists, err := p.folder.present(p.at.base)
	switch {
	case err != nil:
		return err
	case !exists:
		return nil
	case !now.same(p.info):
		return ErrChanged
	case f.store.writing.has(now.identity()):
		return ErrBusy
	}
	err = f.unlinkAlone(p.folder, p.at.base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

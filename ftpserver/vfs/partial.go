package vfs

import (
	"errors"
	"io/fs"
	"strings"
	"time"
)

// PartialMaxAge is how long an interrupted upload is kept after its last byte.
const PartialMaxAge = 24 * time.Hour

// PartialSize tells how many bytes this user's interrupted upload to p has
// brought, if there is one and nothing is published under p: what SIZE tells of
// a file must be what a download of it gives.
func (f *FS) PartialSize(p string) (size int64, ok bool) {
	at, err := locate("stat", p)
	if err != nil {
		return 0, false
	}
	v, err := f.view()
	if err != nil {
		return 0, false
	}
	defer v.close()
	d, err := v.dir(at.dir)
	if err != nil {
		return 0, false
	}
	defer d.close()
	if f.need(d.held, OpCreate) != nil || d.held.has(opDirect) {
		return 0, false
	}
	if _, exists, err := d.present(at.base); exists || err != nil {
		return 0, false
	}
	i, ok, err := f.waiting(d, at.base, Info{}, false)
	return i.Size, ok && err == nil
}

// waiting finds this user's partial upload to a name. One that is older than
// what the name holds now belonged to another file: it is dropped, and whoever
// wanted to go on is told once (ErrInterrupted), as it may have been meant.
func (f *FS) waiting(d *folder, base string, target Info, exists bool) (Info, bool, error) {
	part, ok, err := d.present(f.partialName(base))
	if err != nil || !ok {
		return Info{}, false, err
	}
	if err := regular(part.Mode); err != nil {
		return Info{}, false, err
	}
	if exists && part.ModTime.Before(target.changed) {
		f.forget(d, base)
		return Info{}, false, ErrInterrupted
	}
	return part, true, nil
}

// unfinished tells of an upload of this user to a file that is there, which has
// begun since that was published: ErrInterrupted where another slot has it, or a
// process that was killed; ErrBusy where another session of this process does, which
// two that append may. It is found by the hash in its temporary's name.
func (u *Upload) unfinished() error {
	suffix := "-" + u.fs.targetHash(u.at.base)
	return u.folder.names(func(name string) error {
		if !strings.HasPrefix(name, temporaryPrefix) || !strings.HasSuffix(name, suffix) {
			return nil
		}
		ours := strings.HasPrefix(name, u.fs.store.temporaries)
		if ours && u.mode == CreateAppend {
			return nil
		}
		i, there, err := u.folder.present(name)
		switch {
		case err != nil || !there || i.ModTime.Before(u.target.changed):
			return err
		case ours:
			return ErrBusy
		}
		return ErrInterrupted
	})
}

// claim makes the partial upload this upload's alone, by renaming it. seen is what
// it was when that was decided: another session may have been quicker, and may
// have left a shorter one since.
func (u *Upload) claim(seen Info) error {
	now, err := u.take(seen)
	switch {
	case u.source != fromPartial:
		u.settle(tallyOf(seen, true)) // whoever has taken it has counted it out too
		if errors.Is(err, fs.ErrNotExist) {
			return ErrRestart
		}
		return err
	case err == nil && !u.fits(now.Size):
		return ErrRestart
	}
	return err
}

// take renames the partial upload and opens it, while nobody weighs it.
func (u *Upload) take(seen Info) (now Info, err error) {
	defer u.fs.alone(u.partial)()
	if err = u.folder.rename(u.partial, u.folder, u.hidden); err != nil {
		return now, err
	}
	u.source = fromPartial
	if err = u.reopen(); err != nil {
		return now, err
	}
	if now, err = u.stat(); err == nil {
		u.fs.account.change(tallyOf(seen, true).minus(tallyOf(now, true)))
	}
	return now, err
}

// keep puts the upload aside for this user to go on with.
func (u *Upload) keep() error {
	defer u.fs.alone(u.partial)()
	replaced, err := u.fs.weigh(u.folder, u.partial)
	if err == nil {
		err = u.folder.rename(u.hidden, u.folder, u.partial)
	}
	if err != nil {
		u.settle(tally{})
		return err
	}
	kept, err := u.fs.weigh(u.folder, u.partial)
	if err != nil { // it is kept all the same
		kept = u.charged
		u.fs.account.outdate()
	}
	u.settle(kept.minus(replaced))
	return nil
}

// worthKeeping tells whether what an interrupted upload of that size has is to
// be kept. A copy of the target is not: it may be outdated by the time its user
// goes on with it, and the target itself is still there. What was claimed and
// not touched yet is put back.
func (u *Upload) worthKeeping(size int64) bool {
	if !u.prepared {
		return u.source == fromPartial
	}
	return u.source != fromTarget && size > 0
}

// Shorten takes the last byte off what has arrived. Of a file that may be there whole
// and is not published, its client is not to find all: it would take the upload for done
// by its SIZE, and the file would never appear. It is to be called before Interrupt; a
// failure is told by what ends the upload, or changes nothing.
func (u *Upload) Shorten() {
	if u.direct || u.file == nil || u.ended.Load() {
		return
	}
	if i, err := u.stat(); err == nil && i.Size > 0 {
		_ = u.fs.store.sys.Truncate(u.file, i.Size-1)
	}
}

// supersede drops what is kept of an upload before, after one from the beginning
// of which nothing is kept: whoever goes on now has the file of the newer one.
func (u *Upload) supersede() {
	if u.prepared && u.source == fromNothing {
		u.fs.forget(u.folder, u.at.base)
	}
}

// forget drops this user's partial upload to a name in a directory, which tells
// nothing any more once the name holds something new. It is true where there
// was one.
func (f *FS) forget(d *folder, base string) bool {
	return f.unlink(d, f.partialName(base)) == nil
}

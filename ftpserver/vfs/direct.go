package vfs

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

// Direct tells whether the data goes into the visible file, for others to see
// as it comes.
func (u *Upload) Direct() bool { return u.direct }

// beginDirect opens the file if it is there. One that is not is made by Prepare:
// an upload that never begins changes nothing.
func (u *Upload) beginDirect() error {
	u.direct = true
	if !u.exists {
		if u.mode == CreateAt {
			return ErrRestart
		}
		return u.admit(Info{}, false)
	}
	if u.mode == CreateAt && !u.fits(u.target.Size) {
		return ErrRestart
	}
	if err := u.admit(Info{}, false); err != nil {
		return err
	}
	file, err := u.folder.open(u.at.base, unix.O_WRONLY|unix.O_NONBLOCK, u.at.virtual)
	if err != nil {
		return err
	}
	u.file = file
	return nil
}

// prepareDirect makes the file, or makes it what the upload begins with. From
// here on no other session writes it directly.
func (u *Upload) prepareDirect() error {
	now, err := u.hold()
	if err != nil {
		return err
	}
	if u.mode == CreateAt && u.offset > now.Size {
		return ErrChanged // shortened since Create
	}
	return u.position(now.Size)
}

// hold takes the visible file, and it out of what is at rest, while nobody weighs
// it to remove it, under whatever name.
func (u *Upload) hold() (Info, error) {
	defer u.fs.account.stays()()
	created := u.file == nil
	if created {
		if err := u.createDirect(); err != nil {
			u.fs.recountIfStays(err)
			return Info{}, err
		}
	}
	now, err := u.stat()
	if err == nil {
		err = regular(now.Mode)
	}
	switch {
	case err != nil:
		if created {
			err = stays(err, u.folder.unlink(u.at.base)) // which is empty
			u.fs.recountIfStays(err)
		}
		return now, err
	case now.Links == 0:
		return now, ErrChanged // removed or replaced since Create
	case !u.fs.store.writing.take(now.identity()):
		return now, ErrBusy
	}
	u.held, u.created = now.identity(), created
	u.chargeDirect(tallyOf(now, !created), tallyOf(now, true))
	return now, nil
}

// createDirect fails where somebody has been quicker: nobody's data is mixed
// with another's, and where nothing may be overwritten, nothing is.
func (u *Upload) createDirect() (err error) {
	u.file, err = u.folder.create(u.at.base, u.at.virtual, u.fs.store.settings())
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if u.folder.held.overwrites() && !u.exclusive {
		return ErrChanged
	}
	return ErrTaken
}

// position cuts the file to what the upload keeps of it, so that the file ends
// where the data does.
func (u *Upload) position(size int64) error {
	keep := map[CreateMode]int64{CreateTruncate: 0, CreateAt: u.offset, CreateAppend: size}[u.mode]
	u.charge(tally{keep, 1})
	if keep < size {
		if err := u.fs.store.sys.Truncate(u.file, keep); err != nil {
			return err
		}
	}
	_, err := u.fs.store.sys.Seek(u.file, keep, io.SeekStart)
	return err
}

// finishDirect ends an upload whose data is in place.
func (u *Upload) finishDirect(ended error) error {
	durable := u.fs.store.durable()
	switch {
	case ended != nil:
		return ended
	case !u.prepared:
		return errUnprepared
	case u.links == 0:
		return ErrChanged // what arrived has no name any more
	}
	u.fs.forget(u.folder, u.at.base)
	if u.created && durable {
		return u.folder.sync()
	}
	return nil
}

// letGo lets others write the visible file, which is at rest again.
func (u *Upload) letGo() {
	if !u.direct {
		return
	}
	if u.held == (identity{}) {
		u.settle(tally{})
		return
	}
	rests := tally{u.size, 1}
	switch {
	case u.unseen:
		rests = u.charged
		u.fs.account.outdate()
	case u.links == 0:
		rests = tally{}
	}
	u.fs.store.writing.leave(u.held)
	u.settle(rests)
	u.held = identity{}
}

// writing are the files that uploads write directly at this moment. Two at once
// would write over each other. The files of other replicas are not among them.
type writing struct {
	mu    sync.Mutex
	files map[identity]bool
}

func (w *writing) take(i identity) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files[i] {
		return false
	}
	if w.files == nil {
		w.files = map[identity]bool{}
	}
	w.files[i] = true
	return true
}

func (w *writing) leave(i identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.files, i)
}

// has tells whether a file is being written directly.
func (w *writing) has(i identity) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[i]
}

package vfs

import (
	"cmp"
	"errors"
	"io/fs"
)

// Commit publishes the upload under its name and tells its size in bytes. With
// durability Full, data, name and directory are on stable storage when it
// returns without error; then a reply 226 is true.
//
// ErrChanged tells that the file to which the upload adds, or from which it goes
// on, has been changed meanwhile. Nothing is published then.
//
// After an error the file under the name is the old one, with one exception:
// where only the directory could not be flushed, the new file is there but may
// not survive a crash. A failed flush is never tried again: the kernel may have
// dropped the data and would call the second try a success.
func (u *Upload) Commit() (size int64, err error) {
	durable := u.fs.store.durable()
	size, err = u.end(durable)
	if errors.Is(err, errEnded) {
		return 0, fail("store", u.at.virtual, err)
	}
	defer u.folder.close()
	if u.direct {
		if err = u.finishDirect(err); err != nil {
			return 0, fail("store", u.at.virtual, err)
		}
		return size, nil
	}
	if err == nil && !u.prepared {
		err = errUnprepared
	}
	if err == nil {
		err = u.publish()
	}
	if err != nil {
		u.giveUp(err)
		return 0, fail("store", u.at.virtual, err)
	}
	u.fs.forget(u.folder, u.at.base)
	if durable {
		err = u.folder.sync()
	}
	if err != nil {
		return 0, fail("store", u.at.virtual, err)
	}
	return size, nil
}

// Flush is the first step of Commit, for whoever has something to wait for in the
// meantime: with durability Full the data is on stable storage when it returns. A
// failure is told by what ends the upload.
func (u *Upload) Flush() {
	if u.fs.store.durable() && !u.ended.Load() {
		u.flush()
	}
}

func (u *Upload) flush() {
	if u.file != nil && !u.flushed {
		u.flushed, u.unflushed = true, u.fs.store.sys.Sync(u.file)
	}
}

// Interrupt ends an upload whose transfer broke off. What arrived is kept, out
// of sight, for this user to go on with; nothing is kept of an upload that
// brought nothing or that began with a copy of its target, nor of one before that
// it was to replace. A partial upload that
// Prepare has not touched yet is as it was. A Direct upload stays as it is, under
// its name.
func (u *Upload) Interrupt() error {
	size, err := u.end(false)
	if errors.Is(err, errEnded) {
		return fail("store", u.at.virtual, err)
	}
	defer u.folder.close()
	if u.direct {
		return nil
	}
	if err == nil && u.worthKeeping(size) && (!u.prepared || u.fitsBeside()) {
		if err = u.keep(); err == nil {
			return nil
		}
	}
	u.abandon()
	u.supersede()
	if err != nil {
		return fail("store", u.at.virtual, err)
	}
	return nil
}

// Discard ends an upload and drops what arrived. A partial upload that Prepare
// has not touched yet is as it was. A Direct upload stays as it is.
func (u *Upload) Discard() error {
	_, err := u.end(false)
	if errors.Is(err, errEnded) {
		return fail("store", u.at.virtual, err)
	}
	defer u.folder.close()
	if u.direct {
		return nil
	}
	if !u.prepared && u.source == fromPartial {
		err = u.keep()
	} else {
		err = u.folder.unlink(u.hidden)
		u.settle(tally{})
		u.supersede()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("store", u.at.virtual, err)
	}
	return nil
}

// end closes the file and tells its size. It works once.
func (u *Upload) end(sync bool) (size int64, err error) {
	if !u.ended.CompareAndSwap(false, true) {
		return 0, errEnded
	}
	if u.file == nil {
		u.letGo()
		return 0, nil // a Direct upload that has not begun
	}
	if sync {
		u.flush()
	}
	serr := u.settleDown()
	return u.size, cmp.Or(u.unflushed, serr, u.close())
}

// settleDown looks at what has come, and lets go of it.
func (u *Upload) settleDown() error {
	if u.direct { // it may have another name by now
		defer u.fs.account.stays()()
	}
	defer u.letGo()
	i, err := u.stat()
	if u.unseen = err != nil; !u.unseen {
		u.size, u.links = i.Size, i.Links
	}
	return err
}

// giveUp ends a Commit that has failed. What came after a partial upload that
// somebody's file has overtaken is kept with it: sent again alone, it would be
// added to that file.
func (u *Upload) giveUp(err error) {
	if errors.Is(err, ErrChanged) && u.source == fromPartial || !u.prepared {
		u.undo()
		return
	}
	u.abandon()
	u.supersede()
}

// undo takes back what Create began.
func (u *Upload) undo() {
	if u.direct {
		if u.file != nil {
			_ = u.close() // nothing was written
		}
		u.settle(tally{})
		return
	}
	if u.source != fromPartial {
		u.abandon()
		return
	}
	if u.file != nil {
		_ = u.close() // often closed already
	}
	if err := u.keep(); err != nil {
		u.fs.store.log.Warn("Partial upload not put back", "path", u.at.virtual, "temporary", u.hidden, "error", err)
	}
}

// abandon removes the temporary, if there is one. A failure leaves work for the
// sweep after the next start, and nothing that a user could see.
func (u *Upload) abandon() {
	u.settle(tally{})
	if u.file == nil {
		return
	}
	_ = u.close() // often closed already
	if err := u.folder.unlink(u.hidden); err != nil {
		u.warnOfTemporary(err)
	}
}

// warnOfTemporary: whoever runs the server finds it under its hidden name.
func (u *Upload) warnOfTemporary(err error) {
	u.fs.store.log.Warn("Temporary of an upload not removed", "path", u.at.virtual, "temporary", u.hidden, "error", err)
}

package vfs

import (
	"errors"
	"io/fs"
)

// Commit publishes the upload under its name and tells its size in bytes. With
// durability Full, data, name and directory are on stable storage when it
// returns without error; then a reply 226 is true.
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
	if err == nil {
		err = u.publish()
	}
	if err != nil {
		u.abandon()
		return 0, fail("store", u.at.virtual, err)
	}
	u.fs.forget(u.folder, u.at.base)
	if durable {
		err = u.folder.file.Sync()
	}
	if err != nil {
		return 0, fail("store", u.at.virtual, err)
	}
	return size, nil
}

// publish gives the file its name. A role that may not overwrite does it by a
// link, which fails if the name has been taken since Create.
func (u *Upload) publish() error {
	if u.fs.Allows(OpOverwrite) {
		return u.folder.rename(u.hidden, u.folder, u.at.base)
	}
	if err := u.folder.link(u.hidden, u.at.base); err != nil {
		return err
	}
	// The file is there under its name: a second, hidden name that stays
	// behind is the sweep's business.
	_ = u.folder.unlink(u.hidden)
	return nil
}

// Interrupt ends an upload whose transfer broke off. What arrived is kept, out
// of sight, for this user to go on with; nothing is kept of an upload that
// brought nothing.
func (u *Upload) Interrupt() error {
	size, err := u.end(false)
	if errors.Is(err, errEnded) {
		return fail("store", u.at.virtual, err)
	}
	defer u.folder.close()
	if err == nil && size > u.copied {
		err = u.folder.rename(u.hidden, u.folder, u.partial)
		if err == nil {
			return nil
		}
	}
	u.abandon()
	if err != nil {
		return fail("store", u.at.virtual, err)
	}
	return nil
}

// Discard ends an upload and drops what arrived.
func (u *Upload) Discard() error {
	_, err := u.end(false)
	if errors.Is(err, errEnded) {
		return fail("store", u.at.virtual, err)
	}
	defer u.folder.close()
	if err := u.folder.unlink(u.hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("store", u.at.virtual, err)
	}
	return nil
}

// end closes the file and tells its size. It works once.
func (u *Upload) end(sync bool) (size int64, err error) {
	if !u.ended.CompareAndSwap(false, true) {
		return 0, errEnded
	}
	var fi fs.FileInfo
	if fi, err = u.file.Stat(); err == nil {
		size = fi.Size()
	}
	if err == nil && sync {
		err = u.file.Sync()
	}
	if cerr := u.file.Close(); err == nil {
		err = cerr
	}
	return size, err
}

// undo takes back what Create began.
func (u *Upload) undo() {
	if !u.resumed {
		u.abandon()
		return
	}
	if u.file != nil {
		_ = u.file.Close()
	}
	if err := u.folder.rename(u.hidden, u.folder, u.partial); err != nil {
		u.fs.store.log.Warn("Partial upload not put back", "path", u.at.virtual, "temporary", u.hidden, "error", err)
	}
}

// abandon removes the temporary, if there is one. A failure leaves work for the
// sweep after the next start, and nothing that a user could see.
func (u *Upload) abandon() {
	if u.file == nil {
		return
	}
	_ = u.file.Close() // often closed already
	if err := u.folder.unlink(u.hidden); err != nil {
		u.fs.store.log.Warn("Temporary of an upload not removed", "path", u.at.virtual, "temporary", u.hidden, "error", err)
	}
}

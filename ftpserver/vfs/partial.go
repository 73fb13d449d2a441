package vfs

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// PartialMaxAge is how long an interrupted upload is kept after its last byte.
const PartialMaxAge = 24 * time.Hour

// PartialSize tells how many bytes this user's interrupted upload to p has
// brought, if there is one. A client that asks for the size of p to go on with
// its upload wants this one, not that of the file that p still is.
func (f *FS) PartialSize(p string) (size int64, ok bool) {
	at, err := locate("stat", p)
	if err != nil || !f.Allows(OpCreate) {
		return 0, false
	}
	d, err := openDir(f.home, at.dir)
	if err != nil {
		return 0, false
	}
	defer d.close()
	i, err := d.lstat(f.partialName(at.base))
	return i.Size, err == nil && i.Mode.IsRegular()
}

// resume goes on with the partial upload, if there is one. Renaming it makes it
// this upload's alone.
func (u *Upload) resume(mode CreateMode, offset int64) (bool, error) {
	err := u.folder.rename(u.partial, u.folder, u.hidden)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	u.resumed = true
	return true, u.reopen(mode, offset)
}

func (u *Upload) reopen(mode CreateMode, offset int64) error {
	if err := u.open(unix.O_NONBLOCK); err != nil {
		return err
	}
	fi, err := u.file.Stat()
	if err != nil {
		return err
	}
	if mode == CreateAppend {
		_, err := u.file.Seek(0, io.SeekEnd)
		return err
	}
	if offset < 0 || offset > fi.Size() {
		return ErrRestart
	}
	if err := u.file.Truncate(offset); err != nil {
		return err
	}
	_, err = u.file.Seek(offset, io.SeekStart)
	return err
}

// forget drops this user's partial upload to a name in a directory, which tells
// nothing any more once the name holds something new. It is true where there
// was one.
func (f *FS) forget(d *folder, base string) bool {
	return d.unlink(f.partialName(base)) == nil
}

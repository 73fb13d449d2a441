package vfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// copyChunk is how many bytes are copied before the context is heeded again.
const copyChunk = 8 << 20

// Prepare makes File ready for the data: it copies what the upload begins with,
// or cuts a partial upload to the offset. A copy takes as long as the file is
// large; it ends early with the context's error. ErrChanged tells that the file
// is no longer what Create has seen. A Direct upload is where it cuts or makes the
// visible file; ErrBusy tells that another session writes it. After an error, Interrupt or Discard ends
// the upload.
func (u *Upload) Prepare(ctx context.Context) error {
	if err := u.prepare(ctx); err != nil {
		return fail("store", u.at.virtual, err)
	}
	u.prepared = true
	return nil
}

func (u *Upload) prepare(ctx context.Context) error {
	if u.direct {
		return u.prepareDirect()
	}
	if u.exists {
		if err := u.keepMode(u.target.Mode.Perm()); err != nil {
			return err
		}
	}
	u.makeRoom()
	var err error
	switch u.source {
	case fromPartial:
		err = u.cut()
	case fromTarget:
		err = u.copyTarget(ctx)
	}
	if err == nil {
		err = u.chargeSize()
	}
	return err
}

// keepMode gives the temporary the mode of the file that it is to replace. It
// asks first: not every file system can change modes.
func (u *Upload) keepMode(mode fs.FileMode) error {
	i, err := u.stat()
	if err != nil || i.Mode.Perm() == mode {
		return err
	}
	return chmod(u.fs.store.sys, int(u.file.Fd()), mode)
}

func (u *Upload) cut() error {
	sys := u.fs.store.sys
	if u.mode == CreateAppend {
		_, err := sys.Seek(u.file, 0, io.SeekEnd)
		return err
	}
	if err := sys.Truncate(u.file, u.offset); err != nil {
		return err
	}
	_, err := sys.Seek(u.file, u.offset, io.SeekStart)
	return err
}

// copyTarget begins with the target's first bytes, or all for CreateAppend, and
// notes which file they are of.
func (u *Upload) copyTarget(ctx context.Context) error {
	old, err := u.folder.open(u.at.base, unix.O_RDONLY|unix.O_NONBLOCK, u.at.virtual)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	sys := u.fs.store.sys
	defer func() { _ = sys.Close(old) }()
	if u.target, err = statOf(sys, int(old.Fd()), u.at.base); err != nil {
		return err
	}
	if err := regular(u.target.Mode); err != nil {
		return err
	}
	size := u.offset
	if u.mode == CreateAppend {
		size = u.target.Size
	}
	return copyBytes(ctx, sys, u.file, old, size, u.pace)
}

// copyBytes copies exactly size bytes. Between bare files the kernel copies, or
// shares the blocks where the file system can. Without a pace it goes as fast
// as it can.
func copyBytes(ctx context.Context, sys system.Calls, to, from *os.File, size int64, pace Pace) error {
	if pace == nil {
		pace = func(step func() (int64, error)) error { _, err := step(); return err }
	}
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		var n int64
		err := pace(func() (_ int64, err error) {
			n, err = sys.CopyN(to, from, min(size, copyChunk))
			return n, err
		})
		if errors.Is(err, io.EOF) {
			return ErrChanged // it has become shorter
		}
		if err != nil {
			return err
		}
		size -= n
	}
	return nil
}

package vfs

import (
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// CreateMode says what an upload does with what is already there.
type CreateMode int

// The modes.
const (
	CreateTruncate CreateMode = iota // STOR: begin anew
	CreateAt                         // REST n and STOR: keep the first n bytes
	CreateAppend                     // APPE: add to the end
)

// Upload is a file on its way. It lies under a hidden name beside its target,
// where nobody sees it, until Commit publishes it whole. Exactly one of Commit,
// Interrupt and Discard ends it, closes File, and leaves no descriptor open.
type Upload struct {
	fs      *FS
	at      place
	folder  *folder
	file    *os.File
	hidden  string // the temporary's name
	partial string // where an interrupted upload is kept
	resumed bool   // the temporary was a partial upload
	copied  int64  // bytes that came from the target: not worth keeping
	ended   atomic.Bool
}

// Create begins an upload to p; the offset counts, in bytes, for CreateAt only.
// Nothing under the name p changes before Commit.
//
// A partial upload of this user to p is what CreateAppend and CreateAt go on
// with, and while they do, no other session finds it. Where there is none, they
// begin with a copy of the file. ErrRestart tells that the offset is beyond
// what there is.
//
// A symbolic link is no target (ErrNotRegular): to follow it would mean to
// publish in a directory that the client did not name.
func (f *FS) Create(p string, mode CreateMode, offset int64) (*Upload, error) {
	at, err := locateNew("store", p)
	if err != nil {
		return nil, err
	}
	if at.isHome() {
		return nil, fail("store", at.virtual, ErrIsDir)
	}
	d, err := openDir(f.home, at.dir)
	if err != nil {
		return nil, fail("store", at.virtual, err)
	}
	u := &Upload{fs: f, at: at, folder: d, partial: f.partialName(at.base), hidden: f.store.temporaryName()}
	if err := u.begin(mode, offset); err != nil {
		u.undo()
		d.close()
		return nil, fail("store", at.virtual, err)
	}
	return u, nil
}

func (u *Upload) begin(mode CreateMode, offset int64) error {
	old, exists, err := u.folder.present(u.at.base)
	if err != nil {
		return err
	}
	if err := u.mayStore(old, exists, mode); err != nil {
		return err
	}
	if mode == CreateAt && offset == 0 {
		mode = CreateTruncate
	}
	if err := u.fill(mode, offset, exists); err != nil {
		return err
	}
	if !exists {
		return nil
	}
	return u.keepMode(old.Mode.Perm())
}

// keepMode gives the temporary the mode of the file that it is to replace. It
// asks first: not every file system can change modes.
func (u *Upload) keepMode(mode fs.FileMode) error {
	fi, err := u.file.Stat()
	if err != nil || fi.Mode().Perm() == mode {
		return err
	}
	return u.file.Chmod(mode)
}

// mayStore holds the role against what is there now.
func (u *Upload) mayStore(old Info, exists bool, mode CreateMode) error {
	switch {
	case !exists:
		return u.fs.need(OpCreate)
	case mode == CreateAppend:
		if err := u.fs.need(OpAppend); err != nil {
			return err
		}
	default:
		if err := u.fs.need(OpOverwrite); err != nil {
			return err
		}
	}
	return regular(old.Mode)
}

// fill makes the temporary, with the bytes that the upload is to follow.
func (u *Upload) fill(mode CreateMode, offset int64, exists bool) error {
	if mode == CreateTruncate {
		return u.open(unix.O_CREAT | unix.O_EXCL)
	}
	if continued, err := u.resume(mode, offset); continued || err != nil {
		return err
	}
	if !exists && mode == CreateAt {
		return ErrRestart
	}
	if err := u.open(unix.O_CREAT | unix.O_EXCL); err != nil || !exists {
		return err
	}
	return u.copyTarget(mode, offset)
}

func (u *Upload) open(flags int) (err error) {
	u.file, err = u.folder.open(u.hidden, unix.O_WRONLY|flags, u.at.virtual)
	return err
}

// copyTarget begins with the target's first bytes, or all for CreateAppend. The
// kernel copies, or shares the blocks where the file system can.
func (u *Upload) copyTarget(mode CreateMode, offset int64) error {
	old, err := u.folder.open(u.at.base, unix.O_RDONLY|unix.O_NONBLOCK, u.at.virtual)
	if err != nil {
		return err
	}
	defer func() { _ = old.Close() }()
	fi, err := old.Stat()
	if err != nil {
		return err
	}
	if mode == CreateAppend {
		offset = fi.Size()
	}
	if offset < 0 || offset > fi.Size() { // before a long copy shows it
		return ErrRestart
	}
	u.copied, err = io.Copy(u.file, io.LimitReader(old, offset))
	if err == nil && u.copied < offset {
		return ErrRestart // it has shrunk meanwhile
	}
	return err
}

// File is the bare file, positioned where the data goes, so that the kernel can
// receive into it by itself. It is closed when the upload ends.
func (u *Upload) File() *os.File { return u.file }

// Name is the virtual path that the upload is to have.
func (u *Upload) Name() string { return u.at.virtual }

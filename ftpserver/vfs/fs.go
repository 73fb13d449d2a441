package vfs

import (
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// FS is one user's view of a Store. Its methods take virtual paths, which they
// clean themselves. It is safe for concurrent use.
type FS struct {
	store    *Store
	home     *os.Root
	start    string
	role     Operation
	identity string // tells this user's partial uploads from others'
}

// Close gives the home's descriptor back. Open files, listings and uploads go
// on; everything else fails with fs.ErrClosed from then on.
func (f *FS) Close() error { return f.home.Close() }

// Start is the virtual path where a session begins: "/", or the home of an
// Admin.
func (f *FS) Start() string { return f.start }

// Stat describes what a path names; links are followed inside the home. A role
// that may not read files is told of directories only.
func (f *FS) Stat(p string) (Info, error) {
	at, err := locate("stat", p)
	if err != nil {
		return Info{}, err
	}
	fi, err := f.home.Stat(at.rel)
	if err != nil {
		return Info{}, fail("stat", at.virtual, walkError(err))
	}
	op := OpRead
	if fi.IsDir() {
		op = OpEnter
	}
	if err := f.need(op); err != nil {
		return Info{}, fail("stat", at.virtual, err)
	}
	return infoOfFile(path.Base(at.virtual), fi), nil
}

// Open opens a regular file for reading: a bare *os.File, from which the
// kernel can send by itself. Its errors hold the real path; see Classify.
func (f *FS) Open(p string) (*os.File, Info, error) {
	at, err := locate("open", p)
	if err == nil && !f.Allows(OpRead) {
		err = fail("open", at.virtual, ErrRole)
	}
	if err != nil {
		return nil, Info{}, err
	}
	// O_NONBLOCK: opening a FIFO must not wait for its writer.
	file, err := f.home.OpenFile(at.rel, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, Info{}, fail("open", at.virtual, walkError(err))
	}
	fi, err := file.Stat()
	if err == nil {
		err = regular(fi.Mode())
	}
	if err != nil {
		_ = file.Close()
		return nil, Info{}, fail("open", at.virtual, err)
	}
	return file, infoOfFile(path.Base(at.virtual), fi), nil
}

func regular(m fs.FileMode) error {
	switch {
	case m.IsDir():
		return ErrIsDir
	case !m.IsRegular():
		return ErrNotRegular
	}
	return nil
}

package vfs

import (
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// FS is one user's view of a Store. Its methods take virtual paths, which they
// clean themselves. It is safe for concurrent use.
type FS struct {
	*scope
	only Operation // what the command that is carried out needs
}

// scope is what one user sees and may do.
type scope struct {
	store    *Store
	home     *jail
	start    string
	top      rule     // what the user's role holds
	rules    []rule   // where other roles count
	homeRule bool     // top is a rule for the home
	account  *account // of the home; nil where nobody who shares it has a quota
	quota    config.Quota
	identity string // tells this user's partial uploads from others'
}

// Close ends the view. Open files, listings and uploads go on; everything else
// fails with fs.ErrClosed from then on.
func (f *FS) Close() error { return f.store.leave(f.home) }

// Start is the virtual path where a session begins: "/", or the home of an
// Admin.
func (f *FS) Start() string { return f.start }

// Stat describes what a path names; links are followed inside the home. A role
// that may not read files is told of directories only, and for all else ErrRole,
// whether it is there or not.
func (f *FS) Stat(p string) (Info, error) {
	at, err := locate("stat", p)
	if err != nil {
		return Info{}, err
	}
	v, err := f.view()
	if err != nil {
		return Info{}, fail("stat", at.virtual, err)
	}
	defer v.close()
	i, err := v.stat(at)
	if err != nil {
		return Info{}, fail("stat", at.virtual, err)
	}
	op := OpRead
	if i.Dir {
		op = OpEnter
	}
	if at.isHome() {
		i.Entry = 0
	}
	if err := f.need(i.Content, op); err != nil {
		return Info{}, fail("stat", at.virtual, err)
	}
	i.Name = path.Base(at.virtual)
	return i, nil
}

// Open opens a regular file for reading: a bare *os.File, from which the
// kernel can send by itself. Its errors hold the real path; see Classify.
func (f *FS) Open(p string) (*os.File, Info, error) {
	at, err := locate("open", p)
	if err != nil {
		return nil, Info{}, err
	}
	file, err := f.open(at, OpRead)
	if err != nil {
		return nil, Info{}, fail("open", at.virtual, err)
	}
	i, err := statOf(f.store.sys, int(file.Fd()), path.Base(at.virtual))
	if err == nil {
		err = regular(i.Mode)
	}
	if err != nil {
		_ = f.store.sys.Close(file)
		return nil, Info{}, fail("open", at.virtual, err)
	}
	return file, i, nil
}

// openFlags: opening a FIFO must not wait for its writer.
const openFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY

// open opens a file or a directory for who may do that with it. It looks before
// it opens: to open a device may do something, and a FIFO lets its writer go on.
func (f *FS) open(at place, op Operation) (*os.File, error) {
	if len(f.rules) == 0 {
		if err := f.need(f.top.held, op); err != nil {
			return nil, err
		}
		fi, err := f.store.sys.Stat(f.home.dir(), at.rel)
		if err != nil {
			return nil, walkError(err)
		}
		if err := openable(fi.Mode()); err != nil {
			return nil, err
		}
		file, err := f.store.sys.Open(f.home.dir(), at.rel, openFlags)
		if err != nil {
			return nil, walkError(err)
		}
		return file, nil
	}
	v, err := f.view()
	if err != nil {
		return nil, err
	}
	defer v.close()
	w := v.walker()
	defer w.close()
	if err := w.walk(at.rel); err != nil {
		return nil, w.inside.untold(err)
	}
	if err := f.need(w.inside, op); err != nil {
		return nil, err
	}
	if w.base == "" {
		return openAt(w.sys, w.fd, ".", openFlags, 0, at.virtual)
	}
	i, err := lstatAt(w.sys, w.fd, w.base)
	if err == nil {
		err = openable(i.Mode)
	}
	if err != nil {
		return nil, err
	}
	return openAt(w.sys, w.fd, w.base, openFlags, 0, at.virtual)
}

func openable(m fs.FileMode) error {
	if m.IsDir() {
		return nil
	}
	return regular(m)
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

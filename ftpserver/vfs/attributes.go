package vfs

import (
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// Attributes are what a user may set of a file or a directory; nil leaves it as
// it is.
type Attributes struct {
	Modified, Accessed *time.Time
	// Mode is the permissions, of fs.ModePerm only. What the server itself needs
	// is added: reading and writing for the owner, of a directory entering too.
	// Setuid, setgid and the sticky bit stay as they are, whatever they are.
	Mode *fs.FileMode
}

// What an owner keeps, so that nobody can lock the server out of a home, or of
// an upload that goes on.
const (
	ownersFile = 0o600
	ownersDir  = 0o700
)

// SetAttributes sets what is given, and tells what the file or directory has
// then: a file system may know neither all times nor all modes. Links are
// followed inside the home. It works on what it has opened, so that no path
// that changes meanwhile leads it elsewhere.
func (f *FS) SetAttributes(p string, a Attributes) (Info, error) {
	at, err := locate("set attributes", p)
	if err != nil {
		return Info{}, err
	}
	file, err := f.open(at, OpAttributes)
	if err != nil {
		return Info{}, fail("set attributes", at.virtual, err)
	}
	defer func() { _ = f.store.sys.Close(file) }() // only read from: nothing can be lost
	i, err := setAttributes(f.store.sys, file, a)
	if err == nil && f.store.durable() {
		err = f.store.sys.Sync(file)
	}
	if err != nil {
		return Info{}, fail("set attributes", at.virtual, err)
	}
	i.Name = path.Base(at.virtual)
	return i, nil
}

func setAttributes(sys system.Calls, file *os.File, a Attributes) (Info, error) {
	fd := int(file.Fd())
	i, err := statOf(sys, fd, "")
	if err != nil {
		return Info{}, err
	}
	if !i.Dir && !i.Mode.IsRegular() {
		return Info{}, ErrNotRegular
	}
	if a.Mode != nil {
		if err := chmod(sys, fd, withOwners(i.Mode, *a.Mode)); err != nil {
			return Info{}, err
		}
	}
	if a.Modified != nil || a.Accessed != nil {
		if err := retry(func() error { return sys.Utimes(fd, a.Accessed, a.Modified) }); err != nil {
			return Info{}, err
		}
	}
	return statOf(sys, fd, "")
}

// withOwners is the mode that a file of that mode gets.
func withOwners(now, wanted fs.FileMode) fs.FileMode {
	keep := fs.FileMode(ownersFile)
	if now.IsDir() {
		keep = ownersDir
	}
	return wanted.Perm() | keep | now&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
}

func chmod(sys system.Calls, fd int, mode fs.FileMode) error {
	return retry(func() error { return sys.Fchmod(fd, bitsOf(mode)) })
}

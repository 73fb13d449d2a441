package vfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
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
	defer func() { _ = file.Close() }() // only read from: nothing can be lost
	i, err := setAttributes(file, a)
	if err == nil && f.store.durable() {
		err = file.Sync()
	}
	if err != nil {
		return Info{}, fail("set attributes", at.virtual, err)
	}
	i.Name = path.Base(at.virtual)
	return i, nil
}

func setAttributes(file *os.File, a Attributes) (Info, error) {
	fi, err := file.Stat()
	if err != nil {
		return Info{}, err
	}
	if !fi.IsDir() && !fi.Mode().IsRegular() {
		return Info{}, ErrNotRegular
	}
	if a.Mode != nil {
		if err := file.Chmod(withOwners(fi.Mode(), *a.Mode)); err != nil {
			return Info{}, err
		}
	}
	if err := setTimes(file, a); err != nil {
		return Info{}, err
	}
	if fi, err = file.Stat(); err != nil {
		return Info{}, err
	}
	return infoOfFile("", fi), nil
}

// withOwners is the mode that a file of that mode gets.
func withOwners(now, wanted fs.FileMode) fs.FileMode {
	keep := fs.FileMode(ownersFile)
	if now.IsDir() {
		keep = ownersDir
	}
	return wanted.Perm() | keep | now&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
}

// setTimes names the open file by its link in /proc: that is the file whatever
// happens to its path, and other ways are too new for some kernels.
func setTimes(file *os.File, a Attributes) error {
	if a.Modified == nil && a.Accessed == nil {
		return nil
	}
	times := []unix.Timespec{timespec(a.Accessed), timespec(a.Modified)}
	link := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	return retry(func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, link, times, 0) })
}

func timespec(t *time.Time) unix.Timespec {
	if t == nil {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

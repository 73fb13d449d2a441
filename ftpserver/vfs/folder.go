package vfs

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// folder is an open directory. It stays the same directory whatever happens to
// its path, and its methods take single names and follow no link, so that
// nothing done in it can end up elsewhere.
type folder struct {
	file *os.File
	held Operation // what the user's role holds in it; for an FS only
}

// openDir walks from a jail to a directory. It follows links inside the jail.
func openDir(jail *os.Root, rel string) (*folder, error) {
	// O_NONBLOCK means nothing to a directory, but spares package os from
	// finding that out with four system calls.
	f, err := jail.OpenFile(rel, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, walkError(err)
	}
	return &folder{file: f}, nil
}

func (d *folder) close()  { _ = d.file.Close() } // only read from: nothing can be lost
func (d *folder) fd() int { return int(d.file.Fd()) }

// enter opens a directory in this one.
func (d *folder) enter(name string) (*folder, error) {
	f, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY, name)
	if err != nil {
		return nil, err
	}
	return &folder{file: f}, nil
}

// open opens a file that is there. The *os.File is called shown in its errors.
func (d *folder) open(name string, flags int, shown string) (*os.File, error) {
	return openAt(d.fd(), name, flags, 0, shown)
}

func openAt(dir int, name string, flags int, mode uint32, shown string) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), shown), nil
}

func (d *folder) lstat(name string) (Info, error) { return lstatAt(d.fd(), name) }

// lstatAt describes a name in an open directory, links themselves.
func lstatAt(dir int, name string) (Info, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Info{}, err
	}
	return infoOfStat(name, &st), nil
}

// statOf describes what is open, under a name.
func statOf(fd int, name string) (Info, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Info{}, err
	}
	return infoOfStat(name, &st), nil
}

// present is lstat of what need not be there.
func (d *folder) present(name string) (Info, bool, error) {
	i, err := d.lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	return i, err == nil, err
}

func (d *folder) rename(from string, to *folder, name string) error {
	return retry(func() error { return unix.Renameat(d.fd(), from, to.fd(), name) })
}

// link gives a file a second name, which must not be taken.
func (d *folder) link(from, name string) error {
	return retry(func() error { return unix.Linkat(d.fd(), from, d.fd(), name, 0) })
}

func (d *folder) unlink(name string) error {
	return retry(func() error { return unix.Unlinkat(d.fd(), name, 0) })
}

func (d *folder) rmdir(name string) error {
	return retry(func() error { return unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR) })
}

// names calls visit with every name in the directory, in batches, until it
// returns an error.
func (d *folder) names(visit func(name string) error) error {
	if _, err := d.file.Seek(0, 0); err != nil {
		return err
	}
	return eachName(d.file, visit)
}

// retry repeats a system call that a signal has interrupted: network and FUSE
// file systems let that happen.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

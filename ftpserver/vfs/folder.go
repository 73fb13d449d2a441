package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// folder is an open directory. It stays the same directory whatever happens to
// its path, and its methods take single names and follow no link, so that
// nothing done in it can end up elsewhere.
type folder struct {
	sys  system.Calls
	file *os.File
	held Operation // what the user's role holds in it; for an FS only
}

// openDir walks from a jail to a directory. It follows links inside the jail.
func openDir(sys system.Calls, jail *os.Root, rel string) (*folder, error) {
	// O_NONBLOCK means nothing to a directory, but spares package os from
	// finding that out with four system calls.
	f, err := sys.Open(jail, rel, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, walkError(err)
	}
	return &folder{sys: sys, file: f}, nil
}

func (d *folder) close()  { _ = d.sys.Close(d.file) } // only read from: nothing can be lost
func (d *folder) fd() int { return int(d.file.Fd()) }

// enter opens a directory in this one.
func (d *folder) enter(name string) (*folder, error) {
	f, err := d.open(name, unix.O_RDONLY|unix.O_DIRECTORY, name)
	if err != nil {
		return nil, err
	}
	return &folder{sys: d.sys, file: f}, nil
}

// open opens a file that is there. The *os.File is called shown in its errors.
func (d *folder) open(name string, flags int, shown string) (*os.File, error) {
	return openAt(d.sys, d.fd(), name, flags, 0, shown)
}

func openAt(sys system.Calls, dir int, name string, flags int, mode uint32, shown string) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = sys.Openat(dir, name, flags, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), shown), nil
}

func (d *folder) lstat(name string) (Info, error) { return lstatAt(d.sys, d.fd(), name) }

// lstatAt describes a name in an open directory, links themselves.
func lstatAt(sys system.Calls, dir int, name string) (Info, error) {
	var st unix.Stat_t
	err := retry(func() (err error) {
		st, err = sys.Fstatat(dir, name)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	return infoOfStat(name, &st), nil
}

// statOf describes what is open, under a name.
func statOf(sys system.Calls, fd int, name string) (Info, error) {
	var st unix.Stat_t
	err := retry(func() (err error) {
		st, err = sys.Fstat(fd)
		return err
	})
	if err != nil {
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
	return retry(func() error { return d.sys.Renameat(d.fd(), from, to.fd(), name) })
}

// link gives a file a second name, which must not be taken.
func (d *folder) link(from, name string) error {
	return retry(func() error { return d.sys.Linkat(d.fd(), from, d.fd(), name) })
}

func (d *folder) unlink(name string) error {
	return retry(func() error { return d.sys.Unlinkat(d.fd(), name, 0) })
}

func (d *folder) rmdir(name string) error {
	return retry(func() error { return d.sys.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR) })
}

// names calls visit with every name in the directory, in batches, until it
// returns an error.
func (d *folder) names(visit func(name string) error) error {
	if _, err := d.sys.Seek(d.file, 0, io.SeekStart); err != nil {
		return err
	}
	return eachName(d.sys, d.file, visit)
}

// sync flushes the directory: the names in it last.
func (d *folder) sync() error { return d.sys.Sync(d.file) }

// retry repeats a system call that a signal has interrupted: network and FUSE
// file systems let that happen.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

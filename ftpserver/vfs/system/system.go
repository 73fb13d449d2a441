// Package system is how the storage asks the operating system: all of it, and
// nothing else of the storage does. Kernel is what serves files; package fault
// wraps it, so that a test can let any one call fail.
//
// It decides nothing: no role, no path rule, no quota. Data itself doesn't
// pass here: it goes between a bare file and its connection, so that the
// kernel can move it by itself.
//
// The calls are those of a file system. A storage of another kind has neither
// descriptors nor renames: it takes the place of what the storage builds from
// these calls (a folder, an upload that is published), not of the calls.
package system

import (
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Calls are what the storage asks for. Errors are those of package os or bare
// ones of the kernel; EINTR is one that the caller answers by another try.
type Calls interface {
	Jail
	Names
	Files
}

// Jail is what is done along a whole path, which never leads out of a
// directory: package os walks it, name by name.
type Jail interface {
	OpenRoot(jail *os.Root, rel string) (*os.Root, error)
	Open(jail *os.Root, rel string, flags int) (*os.File, error)
	Stat(jail *os.Root, rel string) (fs.FileInfo, error)
	Mkdir(jail *os.Root, rel string, mode fs.FileMode) error
}

// Names is what is done to a single name in an open directory. Links are never
// followed.
type Names interface {
	Openat(dir int, name string, flags int, mode uint32) (fd int, err error)
	Fstatat(dir int, name string) (unix.Stat_t, error)
	Readlinkat(dir int, name string) (string, error)
	Renameat(from int, old string, to int, name string) error
	Linkat(from int, old string, to int, name string) error
	Unlinkat(dir int, name string, flags int) error
	Mkdirat(dir int, name string, mode uint32) error
}

// Files is what is done to what is open.
type Files interface {
	Fstat(fd int) (unix.Stat_t, error)
	Fstatfs(fd int) (unix.Statfs_t, error)
	Fchmod(fd int, mode uint32) error
	// Utimes sets the times of access and of modification; nil leaves one.
	Utimes(fd int, accessed, modified *time.Time) error
	Readdirnames(dir *os.File, n int) ([]string, error)
	Seek(f *os.File, offset int64, whence int) (int64, error)
	Truncate(f *os.File, size int64) error
	// CopyN copies n bytes, in the kernel where that can.
	CopyN(to, from *os.File, n int64) (int64, error)
	Sync(f *os.File) error
	Close(f *os.File) error
}

// Kernel is the one that this program runs on.
type Kernel struct{}

var _ Calls = Kernel{}

// OpenRoot opens a directory to be a jail itself.
func (Kernel) OpenRoot(jail *os.Root, rel string) (*os.Root, error) { return jail.OpenRoot(rel) }

// Open opens what a path leads to.
func (Kernel) Open(jail *os.Root, rel string, flags int) (*os.File, error) {
	return jail.OpenFile(rel, flags, 0)
}

// Stat describes what a path leads to.
func (Kernel) Stat(jail *os.Root, rel string) (fs.FileInfo, error) { return jail.Stat(rel) }

// Mkdir makes a directory.
func (Kernel) Mkdir(jail *os.Root, rel string, mode fs.FileMode) error { return jail.Mkdir(rel, mode) }

// Openat is open(2) of a name.
func (Kernel) Openat(dir int, name string, flags int, mode uint32) (int, error) {
	return unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
}

// Fstatat is lstat(2) of a name.
func (Kernel) Fstatat(dir int, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

// Readlinkat is readlink(2) of a name.
func (Kernel) Readlinkat(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err
}

// Renameat is rename(2).
func (Kernel) Renameat(from int, old string, to int, name string) error {
	return unix.Renameat(from, old, to, name)
}

// Linkat is link(2).
func (Kernel) Linkat(from int, old string, to int, name string) error {
	return unix.Linkat(from, old, to, name, 0)
}

// Unlinkat is unlink(2), or with unix.AT_REMOVEDIR rmdir(2).
func (Kernel) Unlinkat(dir int, name string, flags int) error { return unix.Unlinkat(dir, name, flags) }

// Mkdirat is mkdir(2).
func (Kernel) Mkdirat(dir int, name string, mode uint32) error { return unix.Mkdirat(dir, name, mode) }

// Fstat describes what is open.
func (Kernel) Fstat(fd int) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st, err
}

// Fstatfs describes the file system of what is open.
func (Kernel) Fstatfs(fd int) (unix.Statfs_t, error) {
	var st unix.Statfs_t
	err := unix.Fstatfs(fd, &st)
	return st, err
}

// Fchmod sets the mode of what is open.
func (Kernel) Fchmod(fd int, mode uint32) error { return unix.Fchmod(fd, mode) }

// Readdirnames reads up to n further names of a directory.
func (Kernel) Readdirnames(dir *os.File, n int) ([]string, error) { return dir.Readdirnames(n) }

// Seek moves to where the next byte is read or written.
func (Kernel) Seek(f *os.File, offset int64, whence int) (int64, error) {
	return f.Seek(offset, whence)
}

// Truncate cuts a file, or fills it up with zeros.
func (Kernel) Truncate(f *os.File, size int64) error { return f.Truncate(size) }

// CopyN is io.CopyN between bare files, whose blocks some file systems share.
func (Kernel) CopyN(to, from *os.File, n int64) (int64, error) { return io.CopyN(to, from, n) }

// Sync is fsync(2).
func (Kernel) Sync(f *os.File) error { return f.Sync() }

// Close is close(2): network file systems tell only then what they could not
// write.
func (Kernel) Close(f *os.File) error { return f.Close() }

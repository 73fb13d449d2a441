// Package fault is a system whose calls fail as a test wants them to: a bad
// disk, a full one, one that somebody else has changed the rights of.
package fault

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// Call is one that was made: of what kind, named as system.Calls names it, and
// for which name, where it is for one.
type Call struct{ Kind, Name string }

func (c Call) String() string {
	if c.Name == "" {
		return c.Kind
	}
	return c.Kind + " " + c.Name
}

// System makes the calls of the kernel, but for those that it was told to let
// fail. It is safe for concurrent use; its zero value lets none fail.
type System struct {
	mu     sync.Mutex
	judge  func(n int, c Call) error
	made   []Call
	behind string
}

var _ system.Calls = (*System)(nil)

// Judge has f asked about each call from now on, the first of which is number 0.
// What f returns is what the call ends with, nothing having been done. A file
// is closed all the same, as the kernel does.
func (s *System) Judge(f func(n int, c Call) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judge, s.made = f, nil
}

// FailNth has the nth call from now on fail.
func (s *System) FailNth(n int, err error) {
	s.Judge(func(i int, _ Call) error {
		if i == n {
			return err
		}
		return nil
	})
}

// Replace has each file that is opened by its name be another one, such as
// /proc/self/mem, that fails where its bytes are read or written; "" ends that.
// Directories stay what they are.
func (s *System) Replace(by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = by
}

// Heal lets no call fail any more, and tells which were made since Judge.
func (s *System) Heal() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.made
	s.judge, s.made, s.behind = nil, nil, ""
	return made
}

func (s *System) ask(kind, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judge == nil {
		return nil
	}
	c := Call{kind, name}
	s.made = append(s.made, c)
	return s.judge(len(s.made)-1, c)
}

func (s *System) replacement() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behind
}

// asked makes a call that has a result unless it is to fail.
func asked[T any](s *System, kind, name string, do func() (T, error)) (T, error) {
	if err := s.ask(kind, name); err != nil {
		var none T
		return none, err
	}
	return do()
}

var kernel system.Kernel

// OpenRoot is Kernel's.
func (s *System) OpenRoot(jail *os.Root, rel string) (*os.Root, error) {
	return asked(s, "OpenRoot", rel, func() (*os.Root, error) { return kernel.OpenRoot(jail, rel) })
}

// Open is Kernel's.
func (s *System) Open(jail *os.Root, rel string, flags int) (*os.File, error) {
	return asked(s, "Open", rel, func() (*os.File, error) {
		f, err := kernel.Open(jail, rel, flags)
		if by := s.replacement(); by != "" && err == nil && flags&unix.O_DIRECTORY == 0 {
			_ = f.Close()
			return os.OpenFile(by, flags, 0)
		}
		return f, err
	})
}

// Stat is Kernel's.
func (s *System) Stat(jail *os.Root, rel string) (fs.FileInfo, error) {
	return asked(s, "Stat", rel, func() (fs.FileInfo, error) { return kernel.Stat(jail, rel) })
}

// Mkdir is Kernel's.
func (s *System) Mkdir(jail *os.Root, rel string, mode fs.FileMode) error {
	if err := s.ask("Mkdir", rel); err != nil {
		return err
	}
	return kernel.Mkdir(jail, rel, mode)
}

// Openat is Kernel's.
func (s *System) Openat(dir int, name string, flags int, mode uint32) (int, error) {
	return asked(s, "Openat", name, func() (int, error) {
		fd, err := kernel.Openat(dir, name, flags, mode)
		if by := s.replacement(); by != "" && err == nil && flags&unix.O_DIRECTORY == 0 {
			_ = unix.Close(fd)
			return unix.Open(by, flags&^(unix.O_CREAT|unix.O_EXCL)|unix.O_CLOEXEC, 0)
		}
		return fd, err
	})
}

// Fstatat is Kernel's.
func (s *System) Fstatat(dir int, name string) (unix.Stat_t, error) {
	return asked(s, "Fstatat", name, func() (unix.Stat_t, error) { return kernel.Fstatat(dir, name) })
}

// Readlinkat is Kernel's.
func (s *System) Readlinkat(dir int, name string) (string, error) {
	return asked(s, "Readlinkat", name, func() (string, error) { return kernel.Readlinkat(dir, name) })
}

// Renameat is Kernel's.
func (s *System) Renameat(from int, old string, to int, name string) error {
	if err := s.ask("Renameat", name); err != nil {
		return err
	}
	return kernel.Renameat(from, old, to, name)
}

// Linkat is Kernel's.
func (s *System) Linkat(from int, old string, to int, name string) error {
	if err := s.ask("Linkat", name); err != nil {
		return err
	}
	return kernel.Linkat(from, old, to, name)
}

// Unlinkat is Kernel's.
func (s *System) Unlinkat(dir int, name string, flags int) error {
	if err := s.ask("Unlinkat", name); err != nil {
		return err
	}
	return kernel.Unlinkat(dir, name, flags)
}

// Mkdirat is Kernel's.
func (s *System) Mkdirat(dir int, name string, mode uint32) error {
	if err := s.ask("Mkdirat", name); err != nil {
		return err
	}
	return kernel.Mkdirat(dir, name, mode)
}

// Fstat is Kernel's.
func (s *System) Fstat(fd int) (unix.Stat_t, error) {
	return asked(s, "Fstat", "", func() (unix.Stat_t, error) { return kernel.Fstat(fd) })
}

// Fstatfs is Kernel's.
func (s *System) Fstatfs(fd int) (unix.Statfs_t, error) {
	return asked(s, "Fstatfs", "", func() (unix.Statfs_t, error) { return kernel.Fstatfs(fd) })
}

// Fchmod is Kernel's.
func (s *System) Fchmod(fd int, mode uint32) error {
	if err := s.ask("Fchmod", ""); err != nil {
		return err
	}
	return kernel.Fchmod(fd, mode)
}

// Utimes is Kernel's.
func (s *System) Utimes(fd int, accessed, modified *time.Time) error {
	if err := s.ask("Utimes", ""); err != nil {
		return err
	}
	return kernel.Utimes(fd, accessed, modified)
}

// Readdirnames is Kernel's.
func (s *System) Readdirnames(dir *os.File, n int) ([]string, error) {
	return asked(s, "Readdirnames", "", func() ([]string, error) { return kernel.Readdirnames(dir, n) })
}

// Seek is Kernel's.
func (s *System) Seek(f *os.File, offset int64, whence int) (int64, error) {
	return asked(s, "Seek", "", func() (int64, error) { return kernel.Seek(f, offset, whence) })
}

// Truncate is Kernel's.
func (s *System) Truncate(f *os.File, size int64) error {
	if err := s.ask("Truncate", ""); err != nil {
		return err
	}
	return kernel.Truncate(f, size)
}

// CopyN is Kernel's. One that fails has copied a part.
func (s *System) CopyN(to, from *os.File, n int64) (int64, error) {
	if err := s.ask("CopyN", ""); err != nil {
		copied, _ := kernel.CopyN(to, from, n/2)
		return copied, err
	}
	return kernel.CopyN(to, from, n)
}

// Sync fails or does nothing: here no disk loses its power, and many wait for it.
func (s *System) Sync(*os.File) error { return s.ask("Sync", "") }

// Close is Kernel's. One that fails has closed the file.
func (s *System) Close(f *os.File) error {
	err := s.ask("Close", "")
	if cerr := kernel.Close(f); err == nil {
		err = cerr
	}
	return err
}

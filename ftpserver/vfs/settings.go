package vfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// settings are those of a config.Storage, as they are used. They never change;
// a Store gets others.
type settings struct {
	durable  bool
	policy   Operation // opReplace and opDirect, where no path rule says otherwise
	fileMode uint32    // of new files
	dirMode  uint32    // of new directories
	exact    bool      // these modes, whatever umask the process has
	hideDots bool
	// In lower case.
	allowed, denied []string
}

// Configure puts other settings in force, for what begins from now on. The root
// is not looked at.
func (s *Store) Configure(c config.Storage) error {
	umask, err := c.UmaskBits()
	if err != nil {
		return err
	}
	next := &settings{
		durable:  c.Durability != config.DurabilityNone,
		policy:   rule{uploads: c.Uploads, overwrite: c.Overwrite}.policy(opReplace),
		fileMode: 0o644, dirMode: 0o755,
		hideDots: c.HiddenFiles == config.HiddenFilesHide,
		allowed:  lower(c.Names.Allowed),
		denied:   lower(c.Names.Denied),
	}
	if c.Umask != "" {
		next.fileMode, next.dirMode, next.exact = uint32(0o666&^umask), uint32(0o777&^umask), true
	}
	s.current.Store(next)
	return nil
}

func (s *Store) settings() *settings { return s.current.Load() }

func (s *Store) durable() bool { return s.settings().durable }

func lower(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = strings.ToLower(p)
	}
	return out
}

// mayBeNamed holds a new name against the patterns. Of a directory, only those
// that are denied count: patterns such as *.pdf say what files are to be stored.
func (s *settings) mayBeNamed(name string, dir bool) error {
	if len(s.denied) == 0 && len(s.allowed) == 0 {
		return nil
	}
	name = strings.ToLower(name)
	for _, p := range s.denied {
		if ok, _ := path.Match(p, name); ok {
			return fmt.Errorf("%w: %q", ErrNameDenied, p)
		}
	}
	if dir || len(s.allowed) == 0 {
		return nil
	}
	for _, p := range s.allowed {
		if ok, _ := path.Match(p, name); ok {
			return nil
		}
	}
	return ErrNameNotAllowed
}

// hides tells whether a name is left out of listings.
func (s *settings) hides(name string) bool {
	return hidden(name) || s.hideDots && strings.HasPrefix(name, ".")
}

// mode makes a new file or directory have its mode. Where no umask is
// configured, that of the process has taken from it, as it should. What a
// directory has inherited from its parent beyond that (the set-group-ID bit)
// stays.
func (s *settings) mode(sys system.Calls, fd int, want uint32) error {
	if !s.exact {
		return nil
	}
	var st unix.Stat_t
	err := retry(func() (err error) {
		st, err = sys.Fstat(fd)
		return err
	})
	if err != nil {
		return err
	}
	if st.Mode&0o777 == want {
		return nil // not every file system can change modes
	}
	return retry(func() error { return sys.Fchmod(fd, st.Mode&0o7000|want) })
}

// create makes a file, which must not be there. Where that fails, it is not.
func (d *folder) create(name, shown string, s *settings) (*os.File, error) {
	f, err := openAt(d.sys, d.fd(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, s.fileMode, shown)
	if err != nil {
		return nil, err
	}
	if err := s.mode(d.sys, int(f.Fd()), s.fileMode); err != nil {
		_ = d.sys.Close(f) // which is empty
		return nil, stays(err, d.unlink(name))
	}
	return f, nil
}

// stays adds to the error of what was made in part that this is still there.
func stays(err, undo error) error {
	if undo != nil {
		return errors.Join(err, errStays)
	}
	return err
}

// mkdir makes a directory, as create makes a file.
func (d *folder) mkdir(name string, s *settings) error {
	err := retry(func() error { return d.sys.Mkdirat(d.fd(), name, s.dirMode) })
	if err != nil || !s.exact {
		return err
	}
	if err = d.chmodDir(name, s); err != nil {
		return stays(err, d.rmdir(name))
	}
	return nil
}

func (d *folder) chmodDir(name string, s *settings) error {
	made, err := d.enter(name)
	if err != nil {
		return err
	}
	defer made.close()
	return s.mode(d.sys, made.fd(), s.dirMode)
}

package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// FS opens the view of a user: the home, or the whole root for an Admin. The
// home and the directories of path rules are made if they are absent. The home
// is held open, one descriptor, until Close.
func (s *Store) FS(u config.User) (*FS, error) {
	held, known := roles[u.Role]
	if !known {
		return nil, fmt.Errorf("open home: role %q is not known", u.Role)
	}
	p, err := locate("open home", u.Home)
	if err != nil {
		return nil, err
	}
	home, err := s.openHome(p)
	if err != nil {
		return nil, fail("open home", p.virtual, err)
	}
	f := &FS{store: s, home: home, start: "/", top: rule{held: held}, only: everything, identity: u.Name + "\x00" + u.UID + "\x00"}
	if u.Role == config.RoleAdmin {
		f.start, p = p.virtual, parse("/")
		_ = home.Close()
		if f.home, err = s.sys.OpenRoot(s.root, "."); err != nil {
			return nil, fail("open home", "/", err)
		}
	}
	if err := f.setQuota(p, u.Quota); err != nil {
		_ = f.Close()
		return nil, fail("open home", p.virtual, err)
	}
	if err := f.setRules(u.Paths); err != nil {
		_ = f.Close()
		return nil, err
	}
	f.account.start()
	return f, nil
}

// openHome checks that the home is a directory before it opens it: the opening
// of a FIFO would wait for a writer.
func (s *Store) openHome(p place) (*os.Root, error) {
	fi, err := s.sys.Stat(s.root, p.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = s.makeDirs(s.root, p.rel)
	case err == nil && !fi.IsDir():
		return nil, ErrNotDir
	}
	if err != nil {
		return nil, walkError(err)
	}
	home, err := s.sys.OpenRoot(s.root, p.rel)
	if err != nil {
		return nil, walkError(err)
	}
	return home, nil
}

// makeDirs makes each missing directory down to a path as durable as what will
// be stored in it, and tells how many it has made.
func (s *Store) makeDirs(jail *os.Root, to string) (made int64, err error) {
	rel := ""
	for name := range strings.SplitSeq(to, "/") {
		dir := path.Join(".", rel)
		rel = path.Join(rel, name)
		err := s.makeDir(jail, rel)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			made++
			if s.durable() {
				err = s.syncDir(jail, dir)
			}
		}
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

func (s *Store) makeDir(jail *os.Root, rel string) error {
	now := s.settings()
	err := s.sys.Mkdir(jail, rel, os.FileMode(now.dirMode))
	if err != nil || !now.exact {
		return err
	}
	d, err := openDir(s.sys, jail, rel)
	if err != nil {
		return err
	}
	defer d.close()
	return now.mode(d.sys, d.fd(), now.dirMode)
}

func (s *Store) syncDir(jail *os.Root, rel string) error {
	d, err := openDir(s.sys, jail, rel)
	if err != nil {
		return err
	}
	defer d.close()
	return d.sync()
}

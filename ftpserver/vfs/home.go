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
// is held open until Close; all views of it share one descriptor.
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
	f := &FS{&scope{store: s, home: home, start: "/", top: rule{held: held}, identity: u.Name + "\x00" + u.UID + "\x00"}, everything}
	if u.Role == config.RoleAdmin {
		f.start, p = p.virtual, parse("/")
		_ = s.leave(home)
		if f.home, err = s.openHome(p); err != nil {
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

// openHome finds the directory that the path leads to now, which may be one that
// others hold open. It checks that it is a directory before it opens it: the
// opening of a FIFO would wait for a writer.
func (s *Store) openHome(p place) (*jail, error) {
	fi, err := s.sys.Stat(s.root, p.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = s.makeDirs(s.root, p.rel)
	case err == nil && !fi.IsDir():
		return nil, ErrNotDir
	case err == nil:
		if one := s.homes.share(infoOfFile(".", fi).identity()); one != nil {
			return newJail(one), nil
		}
	}
	if err != nil {
		return nil, walkError(err)
	}
	root, err := s.sys.OpenRoot(s.root, p.rel)
	if err != nil {
		return nil, walkError(err)
	}
	one, err := s.homes.hold(root)
	if err != nil {
		return nil, walkError(err)
	}
	return newJail(one), nil
}

// leave closes a view's jail, if it was not closed before.
func (s *Store) leave(j *jail) error {
	if j.root.Swap(s.closed) == s.closed {
		return nil
	}
	return s.homes.leave(j.of)
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

package vfs

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// rule gives a directory, and all below it, a role other than the user's.
type rule struct {
	at        place
	held      Operation
	uploads   config.Uploads   // absent: the server's
	overwrite config.Overwrite // absent: the server's
}

// policy is the rule's, where it has one, else what holds otherwise.
func (r rule) policy(otherwise Operation) Operation {
	switch r.uploads {
	case config.UploadsAtomic:
		otherwise &^= opDirect
	case config.UploadsDirect:
		otherwise |= opDirect
	}
	switch r.overwrite {
	case config.OverwriteAllow:
		otherwise |= opReplace
	case config.OverwriteDeny:
		otherwise &^= opReplace
	}
	return otherwise
}

// holds is what a user may do where the rule counts, and how.
func (r rule) holds(s *settings) Operation { return r.held | r.policy(s.policy) }

// setRules takes over the path rules of a user, and makes the directories that
// are missing, as it makes a home: a drop box is there before its first upload.
func (f *FS) setRules(paths []config.PathRule) error {
	for _, p := range paths {
		held, known := roles[p.Role]
		if !known {
			return fmt.Errorf("path rule: role %q is not known", p.Role)
		}
		at, err := locate("path rule", p.Path)
		if err != nil {
			return err
		}
		if at.isHome() {
			f.top, f.homeRule = rule{at, held, p.Uploads, p.Overwrite}, true
			continue
		}
		f.rules = append(f.rules, rule{at, held, p.Uploads, p.Overwrite})
		if err := f.makeRuleDir(at); err != nil {
			return fail("path rule", at.virtual, walkError(err))
		}
	}
	return nil
}

func (f *FS) makeRuleDir(at place) error {
	fi, err := f.store.sys.Stat(f.home.dir(), at.rel)
	if errors.Is(err, fs.ErrNotExist) {
		made, merr := f.store.makeDirs(f.home.dir(), at.rel)
		f.account.change(tally{files: made})
		if merr != nil {
			return merr
		}
		fi, err = f.store.sys.Stat(f.home.dir(), at.rel) // a link that leads to nothing is still one
	}
	if err == nil && !fi.IsDir() {
		return unix.ENOTDIR
	}
	return err
}

// identity tells one file or directory from all others, whatever paths lead to
// it and however they are spelled.
type identity struct{ device, inode uint64 }

func (i Info) identity() identity { return identity{i.Device, i.Inode} }

// view is an FS for the length of one operation: it knows where the path rules
// lead at this moment. A rule is for the directory that its path leads to, and
// for what lies below that on the disk. So a symbolic link, or another spelling
// of a name where the file system knows several, lifts no rule.
//
// It holds the directories of the rules open until close: not every file system
// keeps to the inode number of one that nobody uses.
type view struct {
	*FS
	now    *settings              // those that the operation is carried out by
	base   Operation              // what the role holds outside of all rules
	home   *folder                // nil without rules
	held   map[identity]Operation // what the role holds in the directories of rules
	fixed  map[identity]bool      // these, and what lies on the way to them, links too
	gone   map[entry]bool         // what is missing on the way to others
	opened []int
}

// entry is a name in a directory.
type entry struct {
	in   identity
	name string
}

func (f *FS) view() (*view, error) {
	now := f.store.settings()
	v := &view{FS: f, now: now, base: f.top.holds(now)}
	if len(f.rules) == 0 {
		return v, nil
	}
	v.held, v.fixed, v.gone = map[identity]Operation{}, map[identity]bool{}, map[entry]bool{}
	if err := v.openTop(); err != nil {
		v.close()
		return nil, err
	}
	for _, r := range f.rules {
		if err := v.find(r); err != nil {
			v.close()
			return nil, err
		}
	}
	return v, nil
}

// openTop opens the home, where all walks begin. If there is a rule for it, that
// is one of those that lead to this directory.
func (v *view) openTop() (err error) {
	if v.home, err = openDir(v.store.sys, v.FS.home.dir(), "."); err != nil || !v.homeRule {
		return err
	}
	i, err := v.home.lstat(".")
	if err == nil {
		v.held[i.identity()] = v.base
	}
	return err
}

func (v *view) walker() walker {
	return walker{sys: v.store.sys, top: v.home.fd(), role: v.base, held: v.held}
}

func (v *view) close() {
	if v.home != nil {
		v.home.close()
		v.home = nil
	}
	for _, fd := range v.opened {
		_ = unix.Close(fd) // only looked at: nothing can be lost
	}
	v.opened = nil
}

// find notes where a rule leads. One whose directory is gone is for nothing:
// whoever makes it again, makes it under the rule. Of two that lead to one
// directory, it gets what both hold; uploads are Direct there if both say so.
func (v *view) find(r rule) error {
	w := v.walker()
	w.met = func(i Info) { v.fixed[i.identity()] = true }
	defer w.close()
	err := w.walk(r.at.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return v.note(&w)
	case err != nil:
		return err
	case w.base != "":
		return ErrNotDir
	}
	i, err := w.here()
	if err != nil {
		return err
	}
	held, twice := v.held[i.identity()]
	if !twice {
		held = anything
	}
	v.held[i.identity()] = held & r.holds(v.now)
	v.opened = append(v.opened, w.keep())
	return nil
}

// note keeps in mind where the way to a rule's directory ends. The directory
// where that is stays open like one of a rule.
func (v *view) note(w *walker) error {
	if !w.open {
		return nil // it was removed while it was walked through
	}
	i, err := statOf(w.sys, w.fd, ".")
	if err != nil {
		return err
	}
	v.gone[entry{i.identity(), w.name}] = true
	v.opened = append(v.opened, w.keep())
	return nil
}

// mayAppear refuses something other than a directory where a rule's directory
// is missing, or one on the way to it: the rule could not be applied any more,
// and its user neither do anything nor log in.
func (v *view) mayAppear(d *folder, name string) error {
	if len(v.gone) == 0 {
		return nil
	}
	i, err := d.lstat(".")
	if err == nil && v.gone[entry{i.identity(), name}] {
		err = ErrRuled
	}
	return err
}

// mayMove refuses what would carry a rule's directory away or lift the rule:
// to rename or remove that directory, or a directory or link on the way to it.
func (v *view) mayMove(i Info) error {
	if v.fixed[i.identity()] {
		return ErrRuled
	}
	return nil
}

// mayRemove is mayMove for a name in a directory.
func (v *view) mayRemove(d *folder, name string) error {
	if len(v.fixed) == 0 {
		return nil
	}
	i, exists, err := d.present(name)
	if err != nil || !exists {
		return err
	}
	return v.mayMove(i)
}

// judge notes in an entry of a directory what the user may do with it.
func (v *view) judge(i *Info, in Operation) {
	i.Content, i.Entry = in.told(), in.told()
	if held, ok := v.held[i.identity()]; ok && i.Dir {
		i.Content = held.told()
	}
	if v.fixed[i.identity()] {
		i.Entry &^= OpRename | OpDelete
	}
}

// dir opens a directory, with what the user may do in it. It follows links
// inside the home.
func (v *view) dir(rel string) (*folder, error) {
	if len(v.rules) == 0 {
		d, err := openDir(v.store.sys, v.FS.home.dir(), rel)
		if err == nil {
			d.held = v.base
		}
		return d, err
	}
	w := v.walker()
	defer w.close()
	if err := w.walk(rel); err != nil {
		return nil, err
	}
	if w.base != "" {
		return nil, ErrNotDir
	}
	return w.folder()
}

// stat describes what a path leads to.
func (v *view) stat(at place) (Info, error) {
	if len(v.rules) == 0 {
		fi, err := v.store.sys.Stat(v.FS.home.dir(), at.rel)
		if err != nil {
			return Info{}, v.base.untold(walkError(err))
		}
		i := infoOfFile(at.base, fi)
		v.judge(&i, v.base)
		return i, nil
	}
	w := v.walker()
	defer w.close()
	if err := w.walk(at.rel); err != nil {
		return Info{}, w.inside.untold(err)
	}
	i, err := w.here()
	if err != nil {
		return Info{}, w.inside.untold(err)
	}
	in := w.inside
	if i.Dir {
		in = w.above
	}
	v.judge(&i, in)
	i.Content = w.inside.told()
	return i, nil
}

package vfs

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// CheckRename tells whether Rename could take from: it exists, and the role
// there and the path rules allow it.
func (f *FS) CheckRename(from string) error {
	at, err := locateRename(from)
	if err != nil {
		return err
	}
	v, err := f.view()
	if err != nil {
		return fail("rename", at.virtual, err)
	}
	defer v.close()
	d, _, err := v.renamed(at)
	if err != nil {
		return fail("rename", at.virtual, err)
	}
	d.close()
	return nil
}

// Rename gives a file, link or directory another path. It needs OpRename where
// that is, and where it is to be OpCreate, for a directory OpMakeDir. A file
// that is there is replaced where the role may overwrite; a directory never is
// (ErrIsDir).
func (f *FS) Rename(from, to string) error {
	src, err := locateRename(from)
	if err != nil {
		return err
	}
	dst, err := locateNew("rename to", to)
	if err == nil && dst.isHome() {
		err = fail("rename to", dst.virtual, ErrIsDir)
	}
	if err != nil {
		return err
	}
	m := move{from: src.base, to: dst.base}
	if m.view, err = f.view(); err != nil {
		return fail("rename", src.virtual, err)
	}
	defer m.view.close()
	if m.source, m.what, err = m.renamed(src); err != nil {
		return fail("rename", src.virtual, err)
	}
	defer m.source.close()
	if m.target, err = m.dir(dst.dir); err != nil {
		return fail("rename to", dst.virtual, err)
	}
	defer m.target.close()
	if err := m.do(); err != nil {
		return fail("rename to", dst.virtual, err)
	}
	return nil
}

func locateRename(from string) (place, error) {
	at, err := locate("rename", from)
	if err == nil && at.isHome() {
		err = fail("rename", at.virtual, errTheHome)
	}
	return at, err
}

// renamed opens the directory of what may be renamed, and describes that.
func (v *view) renamed(at place) (*folder, Info, error) {
	d, err := v.dir(at.dir)
	if err != nil {
		return nil, Info{}, err
	}
	err = v.need(d.held, OpRename)
	var i Info
	if err == nil {
		i, err = d.lstat(at.base)
	}
	if err == nil {
		err = v.mayMove(i)
	}
	if err != nil {
		d.close()
		return nil, Info{}, err
	}
	return d, i, nil
}

// move is a rename between two open directories.
type move struct {
	*view
	source, target *folder
	what           Info
	from, to       string
}

func (m *move) do() error {
	if err := m.rename(); err != nil {
		return err
	}
	m.forget(m.target, m.to)
	if !m.store.durable() {
		return nil
	}
	return m.sync()
}

func (m *move) rename() error {
	defer m.store.publishing.both(m.from, m.to)()
	if err := m.again(); err != nil {
		return err
	}
	if err := m.mayPut(); err != nil {
		return err
	}
	defer m.account.moves(m.what)()
	defer m.account.goes()()
	if !m.what.Dir && !m.target.held.overwrites() {
		return m.renameNew()
	}
	replaced, err := m.replaces()
	if err != nil {
		return err
	}
	err = m.source.rename(m.from, m.target, m.to)
	if errors.Is(err, unix.EINVAL) {
		return errIntoSelf
	}
	if err == nil {
		m.account.change(tally{}.minus(replaced))
	}
	return err
}

// again looks at what is renamed now that nobody publishes, renames or removes it.
func (m *move) again() (err error) {
	if m.what, err = m.source.lstat(m.from); err != nil {
		return err
	}
	return m.mayMove(m.what)
}

// replaces is what goes from the account with the file that is replaced. One
// that is renamed to itself stays.
func (m *move) replaces() (tally, error) {
	if m.account == nil {
		return tally{}, nil
	}
	old, exists, err := m.target.present(m.to)
	if err != nil || !exists || old.identity() == m.what.identity() {
		return tally{}, err
	}
	return m.weigh(m.target, m.to)
}

// renameNew never replaces anything, whoever else is at it.
func (m *move) renameNew() error {
	err := retry(func() error { return m.source.sys.Linkat(m.source.fd(), m.from, m.target.fd(), m.to) })
	if errors.Is(err, fs.ErrExist) {
		return ErrTaken
	}
	if err != nil {
		return err
	}
	if err = m.source.unlink(m.from); err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	m.unname()
	return err
}

// unname takes the new name back of what could not lose the old one.
func (m *move) unname() {
	if err := m.target.unlink(m.to); err != nil {
		m.store.log.Warn("File has two names: neither could be removed", "old", m.from, "new", m.to, "error", err)
		m.account.change(tallyOf(m.what, true))
	}
}

// mayPut holds the role at the target against what comes and what is there.
func (m *move) mayPut() error {
	put := OpCreate
	if m.what.Dir {
		put = OpMakeDir
	}
	if err := m.need(m.target.held, put); err != nil {
		return err
	}
	if err := m.now.mayBeNamed(m.to, m.what.Dir); err != nil {
		return err
	}
	if !m.what.Dir {
		if err := m.mayAppear(m.target, m.to); err != nil {
			return err
		}
	}
	old, exists, err := m.target.present(m.to)
	switch {
	case err != nil || !exists:
		return err
	case old.Dir:
		return ErrIsDir
	}
	if err := m.mayMove(old); err != nil {
		return err
	}
	if m.what.Dir {
		return m.need(m.target.held, OpOverwrite) // the kernel says that it is no directory
	}
	return m.mayReplace(m.target.held)
}

// sync flushes the new name first: a crash in between leaves two, not none.
func (m *move) sync() error {
	if err := m.target.sync(); err != nil {
		return err
	}
	same, err := m.sameFolder()
	if err != nil || same {
		return err
	}
	return m.source.sync()
}

func (m *move) sameFolder() (bool, error) {
	a, err := m.source.lstat(".")
	if err != nil {
		return false, err
	}
	b, err := m.target.lstat(".")
	return a.Inode == b.Inode && a.Device == b.Device, err
}

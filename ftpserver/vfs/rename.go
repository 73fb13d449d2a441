package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// CheckRename tells whether Rename could take from: it exists and the role
// allows it.
func (f *FS) CheckRename(from string) error {
	at, err := f.locateRename(from)
	if err != nil {
		return err
	}
	d, err := openDir(f.home, at.dir)
	if err != nil {
		return fail("rename", at.virtual, err)
	}
	defer d.close()
	if _, err := d.lstat(at.base); err != nil {
		return fail("rename", at.virtual, err)
	}
	return nil
}

// Rename gives a file, link or directory another path. A file that is there is
// replaced where the role may overwrite; a directory never is (ErrIsDir).
func (f *FS) Rename(from, to string) error {
	src, err := f.locateRename(from)
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
	m := move{fs: f, from: src.base, to: dst.base}
	if m.source, err = openDir(f.home, src.dir); err != nil {
		return fail("rename", src.virtual, err)
	}
	defer m.source.close()
	if _, err = m.source.lstat(m.from); err != nil {
		return fail("rename", src.virtual, err)
	}
	if m.target, err = openDir(f.home, dst.dir); err != nil {
		return fail("rename to", dst.virtual, err)
	}
	defer m.target.close()
	if err := m.do(); err != nil {
		return fail("rename to", dst.virtual, err)
	}
	return nil
}

func (f *FS) locateRename(from string) (place, error) {
	at, err := locate("rename", from)
	if err == nil && !f.Allows(OpRename) {
		err = fail("rename", at.virtual, ErrRole)
	}
	if err == nil && at.isHome() {
		err = fail("rename", at.virtual, errTheHome)
	}
	return at, err
}

// move is a rename between two open directories.
type move struct {
	fs             *FS
	source, target *folder
	from, to       string
}

func (m *move) do() error {
	if err := m.rename(); err != nil {
		return err
	}
	m.fs.forget(m.target, m.to)
	if !m.fs.store.durable() {
		return nil
	}
	return m.sync()
}

func (m *move) rename() error {
	lock := m.fs.store.publishing.of(m.to)
	lock.Lock()
	defer lock.Unlock()
	if err := m.mayReplace(); err != nil {
		return err
	}
	err := m.source.rename(m.from, m.target, m.to)
	if errors.Is(err, unix.EINVAL) {
		return errIntoSelf
	}
	return err
}

func (m *move) mayReplace() error {
	old, exists, err := m.target.present(m.to)
	switch {
	case err != nil || !exists:
		return err
	case old.Dir:
		return ErrIsDir
	}
	return m.fs.need(OpOverwrite)
}

// sync flushes the new name first: a crash in between leaves two, not none.
func (m *move) sync() error {
	if err := m.target.file.Sync(); err != nil {
		return err
	}
	same, err := m.sameFolder()
	if err != nil || same {
		return err
	}
	return m.source.file.Sync()
}

func (m *move) sameFolder() (bool, error) {
	a, err := m.source.lstat(".")
	if err != nil {
		return false, err
	}
	b, err := m.target.lstat(".")
	return a.Inode == b.Inode && a.Device == b.Device, err
}

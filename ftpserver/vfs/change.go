package vfs

import (
	"errors"
	"io/fs"
)

// Mkdir makes a directory. Its parent must exist.
func (f *FS) Mkdir(p string) error {
	at, err := locateNew("make directory", p)
	if err == nil && at.isHome() {
		err = fail("make directory", at.virtual, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	return f.change("make directory", at, OpMakeDir, func(v *view, d *folder) error {
		if err := v.now.mayBeNamed(at.base, true); err != nil {
			return err
		}
		undo, err := f.named()
		if err != nil {
			return err
		}
		defer f.alone(at.base)() // a directory may be renamed to an empty one, which goes then
		if err = d.mkdir(at.base, v.now); err != nil {
			undo()
			f.recountIfStays(err)
		}
		return err
	})
}

// Remove removes a file or a link, never a directory (ErrIsDir), and this
// user's partial upload to the same name.
func (f *FS) Remove(p string) error {
	at, err := locate("delete", p)
	if err == nil && at.isHome() {
		err = fail("delete", at.virtual, ErrIsDir)
	}
	if err != nil {
		return err
	}
	return f.change("delete", at, OpDelete, func(v *view, d *folder) error {
		if err := v.mayRemove(d, at.base); err != nil {
			return err
		}
		err := f.unlink(d, at.base)
		gone := errors.Is(err, fs.ErrNotExist)
		if (err == nil || gone) && f.forget(d, at.base) {
			return nil
		}
		return err
	})
}

// unlink removes a name, and what it holds from the account.
func (f *FS) unlink(d *folder, name string) error {
	defer f.alone(name)()
	return f.unlinkAlone(d, name)
}

// unlinkAlone is unlink for whoever is alone with the name.
func (f *FS) unlinkAlone(d *folder, name string) error {
	was, err := f.weigh(d, name)
	if err == nil {
		err = d.unlink(name)
	}
	if err == nil {
		f.account.change(tally{}.minus(was))
	}
	return err
}

// Rmdir removes an empty directory. It is empty if its user sees nothing in it
// and no upload into it runs.
func (f *FS) Rmdir(p string) error {
	at, err := locate("remove directory", p)
	if err == nil && at.isHome() {
		err = fail("remove directory", at.virtual, errTheHome)
	}
	if err != nil {
		return err
	}
	return f.change("remove directory", at, OpDelete, func(v *view, d *folder) error {
		if err := v.mayRemove(d, at.base); err != nil {
			return err
		}
		err := f.rmdir(d, at.base)
		if errors.Is(Classify(err), ErrNotEmpty) {
			err = f.rmdirHidden(d, at.base)
		}
		return err
	})
}

// rmdirHidden removes a directory that holds nothing but what interrupted
// uploads have left.
func (f *FS) rmdirHidden(parent *folder, name string) error {
	d, err := parent.enter(name)
	if err != nil {
		return err
	}
	defer d.close()
	err = d.names(func(name string) error {
		if f.store.leftover(name) {
			return nil
		}
		return ErrNotEmpty
	})
	if err == nil {
		err = f.dropLeftovers(d)
	}
	if err != nil {
		return err
	}
	return f.rmdir(parent, name)
}

// rmdir removes an empty directory, and its name from the account.
func (f *FS) rmdir(d *folder, name string) error {
	defer f.alone(name)()
	err := d.rmdir(name)
	if err == nil {
		f.account.change(tally{files: -1})
	}
	return err
}

// dropLeftovers judges every name again: a file may have been published since
// somebody last looked.
func (f *FS) dropLeftovers(d *folder) error {
	return d.names(func(name string) error {
		if !f.store.leftover(name) {
			return nil
		}
		if err := f.unlink(d, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// change does something in the directory of a path and makes it last.
func (f *FS) change(op string, at place, needed Operation, do func(*view, *folder) error) error {
	v, err := f.view()
	if err != nil {
		return fail(op, at.virtual, err)
	}
	defer v.close()
	d, err := v.dir(at.dir)
	if err != nil {
		return fail(op, at.virtual, err)
	}
	defer d.close()
	if err = f.need(d.held, needed); err == nil {
		err = do(v, d)
	}
	if err == nil && f.store.durable() {
		err = d.sync()
	}
	if err != nil {
		return fail(op, at.virtual, err)
	}
	return nil
}

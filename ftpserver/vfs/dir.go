package vfs

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system"
)

// Dir is an open listing. It holds no more of the directory than was asked for
// at once, whatever its size. It is for one goroutine at a time.
type Dir struct {
	view    *view
	folder  *folder
	virtual string
	infos   []Info
}

// OpenDir opens a directory for listing. The caller closes it.
func (f *FS) OpenDir(p string) (*Dir, error) {
	at, err := locate("list", p)
	if err != nil {
		return nil, err
	}
	v, err := f.view()
	if err != nil {
		return nil, fail("list", at.virtual, err)
	}
	d, err := v.dir(at.rel)
	if err == nil {
		if err = f.need(d.held, OpList); err != nil {
			d.close()
		}
	}
	if err != nil {
		v.close()
		return nil, fail("list", at.virtual, err)
	}
	return &Dir{view: v, folder: d, virtual: at.virtual}, nil
}

// Next returns up to n (at least 1) further entries, in the order of the
// directory, and io.EOF with none at the end. Links are described themselves.
// Hidden files, those that settings hide, and entries that vanish meanwhile, are left out. The next call
// overwrites the slice.
func (d *Dir) Next(n int) ([]Info, error) {
	d.infos = d.infos[:0]
	for len(d.infos) == 0 {
		names, err := d.Names(n)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			i, there, err := d.folder.present(name)
			if err != nil {
				return nil, fail("list", d.virtual, err)
			}
			if there {
				d.view.judge(&i, d.folder.held)
				d.infos = append(d.infos, i)
			}
		}
	}
	return d.infos, nil
}

// Names is Next for the names alone, which costs no look at each file.
func (d *Dir) Names(n int) ([]string, error) {
	for {
		names, err := d.folder.sys.Readdirnames(d.folder.file, max(n, 1))
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, fail("list", d.virtual, err)
		}
		if names = slices.DeleteFunc(names, d.view.now.hides); len(names) > 0 {
			return names, nil
		}
	}
}

// Close gives the directory's descriptor back.
func (d *Dir) Close() error {
	d.view.close()
	return d.folder.sys.Close(d.folder.file)
}

// nameBatch is how many names are held at once where a whole directory is gone
// through.
const nameBatch = 256

func eachName(sys system.Calls, dir *os.File, visit func(name string) error) error {
	for {
		names, err := sys.Readdirnames(dir, nameBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := visit(name); err != nil {
				return err
			}
		}
	}
}

package vfs

import "golang.org/x/sys/unix"

// Available tells how many bytes the user may still store in a directory: what
// its file system has left, and what the quota leaves. It is for roles that may
// store there and may list what is stored: in a drop box, how the space shrinks
// would tell of others.
func (f *FS) Available(p string) (int64, error) {
	at, err := locate("tell space", p)
	if err != nil {
		return 0, err
	}
	n, err := f.available(at)
	if err != nil {
		return 0, fail("tell space", at.virtual, err)
	}
	return n, nil
}

func (f *FS) available(at place) (int64, error) {
	v, err := f.view()
	if err != nil {
		return 0, err
	}
	defer v.close()
	i, err := v.stat(at)
	if err != nil {
		return 0, err
	}
	if err := f.need(i.Content, OpList|OpCreate); err != nil {
		return 0, err
	}
	d, err := v.dir(at.rel) // ErrNotDir for a file
	if err != nil {
		return 0, Classify(err)
	}
	defer d.close()
	if err := f.need(d.held, OpList|OpCreate); err != nil {
		return 0, err
	}
	n, err := d.free()
	if err != nil {
		return 0, err
	}
	if u, limited := f.Quota(); limited && u.MaxBytes > 0 {
		if u.Bytes < 0 {
			return 0, ErrCounting
		}
		n = min(n, max(u.MaxBytes-u.Bytes, 0))
	}
	return n, nil
}

// free is the space that the server may still fill on the directory's file
// system, in bytes.
func (d *folder) free() (int64, error) {
	var st unix.Statfs_t
	err := retry(func() (err error) {
		st, err = d.sys.Fstatfs(d.fd())
		return err
	})
	if err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Frsize, nil //nolint:gosec // no disk has 2^63 blocks
}

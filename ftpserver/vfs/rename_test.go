package vfs

import (
	"io/fs"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestRename(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/file", "/new", nil},
		{"/file", "/other", nil},
		{"/file", "/file", nil},
		{"/file", "/dir/new", nil},
		{"/dir", "/dir2", nil},
		{"/dir/sub", "/moved", nil},
		{"/link", "/link2", nil},
		{"/file", "/dir", ErrIsDir},
		{"/dir", "/dir/sub", ErrIsDir},
		{"/dir", "/dir", ErrIsDir},
		{"/dir", "/dir/sub/in", fs.ErrInvalid},
		{"/dir", "/file", ErrNotDir},
		{"/none", "/new", fs.ErrNotExist},
		{"/file", "/none/new", fs.ErrNotExist},
		{"/file", "/other/new", ErrNotDir},
		{"/", "/new", fs.ErrPermission},
		{"/file", "/", ErrIsDir},
		{"/file", "/.ftpserver-x", ErrName},
		{"/.ftpserver-x", "/new", fs.ErrNotExist},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			d := newDisk(t)
			f := d.user("u", config.RoleReadWrite)
			d.configure(config.Storage{Durability: config.DurabilityFull})
			d.write("file", "file")
			d.write("other", "other")
			d.mkdir("dir/sub")
			d.symlink("dir", "link")
			err := f.Rename(c.from, c.to)
			if c.want != nil {
				wantError(t, "Rename", err, c.want)
				d.wantFile("file", "file")
				d.wantFile("other", "other")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.from == "/file" {
				d.wantFile(c.to, "file")
			} else if _, err := f.Stat(c.to); err != nil {
				t.Error(err)
			}
			if c.from != c.to {
				d.wantAbsent(c.from)
			}
		})
	}
}

func TestCheckRename(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	d.write("file", "x")
	d.symlink("none", "dangling")
	for _, p := range []string{"/file", "/dangling"} {
		if err := f.CheckRename(p); err != nil {
			t.Error(err)
		}
	}
	for p, want := range map[string]error{"/": fs.ErrPermission, "/none": fs.ErrNotExist, "/file/x": ErrNotDir} {
		wantError(t, p, f.CheckRename(p), want)
	}
}

func TestRenameOverwritesByRoleOnly(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	f.top.held = OpRename | OpCreate
	d.write("a", "a")
	d.write("b", "b")
	wantError(t, "Rename", f.Rename("/a", "/b"), ErrRole)
	d.wantFile("b", "b")
	if err := f.Rename("/a", "/c"); err != nil {
		t.Error(err)
	}
}

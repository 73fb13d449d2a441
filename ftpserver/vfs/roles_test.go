package vfs

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// attempts are every call that a role is asked about, each on files that let
// it succeed where the role does.
var attempts = map[string]func(f *FS) error{
	"enter":  func(f *FS) error { _, err := f.Stat("/dir"); return err },
	"list":   func(f *FS) error { return closing(f.OpenDir("/dir")) },
	"stat":   func(f *FS) error { _, err := f.Stat("/old"); return err },
	"read":   func(f *FS) error { file, _, err := f.Open("/old"); return closing(file, err) },
	"create": func(f *FS) error { return publish(f.Create("/new", CreateTruncate, 0)) },
	"append to nothing": func(f *FS) error {
		return publish(f.Create("/new", CreateAppend, 0))
	},
	"overwrite":    func(f *FS) error { return publish(f.Create("/old", CreateTruncate, 0)) },
	"restart":      func(f *FS) error { return publish(f.Create("/old", CreateAt, 1)) },
	"append":       func(f *FS) error { return publish(f.Create("/old", CreateAppend, 0)) },
	"check rename": func(f *FS) error { return f.CheckRename("/old") },
	"rename":       func(f *FS) error { return f.Rename("/old", "/renamed") },
	"delete":       func(f *FS) error { return f.Remove("/old") },
	"delete dir":   func(f *FS) error { return f.Rmdir("/dir") },
	"set time": func(f *FS) error {
		_, err := f.SetAttributes("/old", Attributes{Modified: new(time.Unix(1, 0))})
		return err
	},
	"set mode of dir": func(f *FS) error {
		_, err := f.SetAttributes("/dir", Attributes{Mode: new(fs.FileMode(0o700))})
		return err
	},
	"create unique": func(f *FS) error { return publish(f.CreateUnique("/old")) },
	"tell space":    func(f *FS) error { _, err := f.Available("/dir"); return err },
	"combine": func(f *FS) error {
		_, _, err := f.Combine(context.Background(), "/new", []string{"/old"}, nil)
		return err
	},
	"make dir":      func(f *FS) error { return f.Mkdir("/made") },
	"go on with it": func(f *FS) error { return publish(f.Create("/part", CreateAppend, 0)) },
	"go on at":      func(f *FS) error { return publish(f.Create("/part", CreateAt, 2)) },
	"partial size": func(f *FS) error {
		if size, ok := f.PartialSize("/part"); !ok || size != 3 {
			return ErrRole
		}
		return nil
	},
}

func closing(c interface{ Close() error }, err error) error {
	if err == nil {
		err = c.Close()
	}
	return err
}

func publish(u *Upload, err error) error {
	if err == nil {
		err = u.Prepare(context.Background())
	}
	if err == nil {
		_, err = u.Commit()
	}
	return err
}

func TestRoles(t *testing.T) {
	all := map[string]bool{}
	for name := range attempts {
		all[name] = true
	}
	for role, allowed := range map[config.Role]map[string]bool{
		config.RoleReadOnly: {"enter": true, "list": true, "stat": true, "read": true},
		config.RoleWriteOnly: {"enter": true, "create": true, "create unique": true, "append to nothing": true,
			"go on with it": true, "go on at": true, "partial size": true},
		config.RoleReadWrite: all,
		config.RoleAdmin:     all,
	} {
		for name, attempt := range attempts {
			t.Run(string(role)+"/"+name, func(t *testing.T) {
				err := attempt(roleFS(t, role))
				if allowed[name] && err != nil {
					t.Errorf("refused: %v", err)
				}
				if !allowed[name] && (!errors.Is(err, ErrRole) || !errors.Is(err, fs.ErrPermission)) {
					t.Errorf("error is %v, want ErrRole", err)
				}
			})
		}
	}
}

// roleFS is a view, by a role, of a home with a file, a directory and a partial
// upload of the same user.
func roleFS(t *testing.T, role config.Role) *FS {
	t.Helper()
	d := newDisk(t)
	d.write("old", "old")
	d.mkdir("dir")
	interrupt(t, d.user("u", config.RoleReadWrite), "/part", "par")
	if role != config.RoleAdmin {
		return d.user("u", role)
	}
	s := openDisk(t, d.path(""), Options{BootID: "b"}).store // whose top is the home
	f, err := s.FS(config.User{Name: "u", Home: "/", Role: role})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A command gets no more than it needs, whatever the role.
func TestOnly(t *testing.T) {
	d := newDisk(t)
	d.write("file", "x")
	f := d.user("u", config.RoleReadWrite)
	for op, err := range everyOperation(f.Only(0), "/file") {
		if op != "OpenDir" { // which is for directories
			wantError(t, op, err, ErrRole)
		}
	}
	wantError(t, "list", closing(f.Only(0).OpenDir("/")), ErrRole)
	u, err := f.Only(OpAppend).Create("/file", CreateAppend, 0)
	if err := publish(u, err); err != nil {
		t.Error(err)
	}
	if err := f.Only(OpDelete).Remove("/file"); err != nil {
		t.Error(err)
	}
}

package vfs

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestNoDescriptorLeaks goes through every operation, its errors too, and
// counts the descriptors of the process before and after.
func TestNoDescriptorLeaks(t *testing.T) {
	d := newHome(t)
	d.symlink("/", "out")
	d.symlink("half/../half", "link")
	d.symlink("nowhere", "dangling")
	d.mkdir("up")
	if err := os.Chmod(d.path("dir"), 0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what leaks
	before := descriptors(t)
	rules := []config.PathRule{{Path: "/half/ruled", Role: config.RoleReadOnly}, {Path: "/up/../link", Role: config.RoleWriteOnly}}
	for i, role := range []config.Role{config.RoleReadWrite, config.RoleReadOnly, config.RoleWriteOnly, config.RoleAdmin, config.RoleReadWrite} {
		u := config.User{Name: "u", Home: "/home", Role: role}
		if i > 2 {
			u.Paths = rules
		}
		f, err := d.store.FS(u)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"/", "/dir", "/dir/x", "/out", "/out/x", "/new", "/none/x", "/.ftpserver-x", "/old", "/old/x", "/home/old", "/x\x00", "/up/../old", "/link/x", "/half/ruled"} {
			everyOperation(f, p)
			_ = f.Rename("/old", p)
			f.PartialSize(p)
			_, _, _ = f.Combine(t.Context(), p, []string{"/part", "/part2"}, nil)
			if u, err := f.CreateUnique(p); err == nil {
				_ = u.Discard()
			}
			for _, end := range []func(*Upload){func(u *Upload) { _, _ = u.Commit() }, func(u *Upload) { _ = u.Interrupt() }} {
				if u, err := f.Create(p, CreateAppend, 0); err == nil {
					_ = u.Prepare(t.Context())
					_, _ = u.File().WriteString("x")
					end(u)
				}
			}
		}
		_ = f.Mkdir("/half")
		if u, err := f.Create("/half/x", CreateTruncate, 0); err == nil {
			_ = u.Prepare(t.Context())
			_, _ = u.File().WriteString("x")
			_ = u.Interrupt()
		}
		_ = f.Rmdir("/half")
		_ = f.Close()
	}
	for _, home := range []string{"/home/out", "/home/dir/x", "/home/a/b"} {
		if f, err := d.store.FS(config.User{Name: "u", Home: home, Role: config.RoleReadOnly}); err == nil {
			_ = f.Close()
		}
	}
	for _, p := range []string{"/out", "/out/x", "/dangling"} {
		if _, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadOnly, Paths: []config.PathRule{{Path: p, Role: config.RoleReadOnly}}}); err == nil {
			t.Errorf("a rule for %s is taken", p)
		}
	}
	if _, err := d.store.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	d.store.FreeBytes()
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

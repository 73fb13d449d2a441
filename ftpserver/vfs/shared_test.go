package vfs

import (
	"io/fs"
	"os"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestViewsShareADescriptor: as many views as there may be of one home hold one
// descriptor, until the last is closed.
func TestViewsShareADescriptor(t *testing.T) {
	d := newDisk(t)
	before := descriptors(t)
	const number = 20
	views := make([]*FS, number)
	var all sync.WaitGroup
	first := d.user("first", config.RoleReadWrite) // those that come at once may open it each
	for i := range views {
		all.Go(func() {
			var err error
			if views[i], err = d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if held := descriptors(t) - before; held != 1 {
		t.Errorf("%d views hold %d descriptors, want 1", number+1, held)
	}
	_ = first.Close()
	for i, f := range views {
		if _, err := f.Stat("/"); err != nil {
			t.Errorf("view %d, after others were closed: %v", i, err)
		}
		_ = f.Close()
		_ = f.Close() // counts once
	}
	if held := descriptors(t) - before; held != 0 {
		t.Errorf("%d descriptors are held after the last view", held)
	}
	if n := len(d.store.homes.held); n != 0 {
		t.Errorf("%d homes are remembered after the last view", n)
	}
}

// TestANewHomeOfTheSameName: who comes after a home was replaced gets the present
// one, and who was there before keeps the other.
func TestANewHomeOfTheSameName(t *testing.T) {
	d := newDisk(t)
	d.write("which", "old")
	old := d.user("u", config.RoleReadWrite)
	if err := os.Rename(d.path("."), d.path("../away")); err != nil {
		t.Fatal(err)
	}
	d.write("which", "new one")
	present := d.user("u", config.RoleReadWrite)
	for f, size := range map[*FS]int64{old: 3, present: 7, d.user("v", config.RoleReadWrite): 7} {
		if i, err := f.Stat("/which"); err != nil || i.Size != size {
			t.Errorf("a file of %d bytes, %v; want %d", i.Size, err, size)
		}
	}
	if err := os.RemoveAll(d.path(".")); err != nil {
		t.Fatal(err)
	}
	f := d.user("u", config.RoleReadWrite) // makes it anew
	_, err := f.Stat("/which")
	wantError(t, "Stat in a home that was removed and made anew", err, fs.ErrNotExist)
	store(t, f, "/a", CreateTruncate, 0, "x")
	d.wantFile("a", "x")
}

// TestAStaleHomeIsNotShared: a server of network file systems may give the inode
// number of a directory that was removed, and is held here, to a new one.
func TestAStaleHomeIsNotShared(t *testing.T) {
	d := newDisk(t)
	d.mkdir("../other")
	other, err := d.store.root.OpenRoot("other")
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	d.write("mine", "x")
	fi, err := os.Stat(d.path("."))
	if err != nil {
		t.Fatal(err)
	}
	is := infoOfFile(".", fi).identity()
	stale := &home{root: other, is: is, views: 1}
	d.store.homes.held = map[identity]*home{is: stale}
	f := d.user("u", config.RoleReadWrite)
	if _, err := f.Stat("/mine"); err != nil {
		t.Error(err)
	}
	if d.store.homes.held[is] == stale {
		t.Error("what is stale is still shared")
	}
	_ = f.Close()
	if err := d.store.homes.leave(stale); err != nil {
		t.Error(err)
	}
	if held := descriptors(t) - before; held != -1 {
		t.Errorf("%d descriptors are left", held+1)
	}
}

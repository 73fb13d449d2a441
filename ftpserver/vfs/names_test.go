package vfs

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]place{
		"":               {"/", ".", ".", "."},
		"/":              {"/", ".", ".", "."},
		"/..":            {"/", ".", ".", "."},
		"/../../etc":     {"/etc", "etc", ".", "etc"},
		"a":              {"/a", "a", ".", "a"},
		"/a/":            {"/a", "a", ".", "a"},
		"//a//b/./c":     {"/a/b/c", "a/b/c", "a/b", "c"},
		"/a/b/../../../": {"/", ".", ".", "."},
		"/a b/ü\n":       {"/a b/ü\n", "a b/ü\n", "a b", "ü\n"},
	} {
		if got := parse(in); got != want {
			t.Errorf("parse(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestLocate(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	for _, c := range []struct {
		path          string
		old, creating error
	}{
		{"/a/b", nil, nil},
		{"/" + long[1:], nil, nil},
		{"/" + long, ErrName, ErrName},
		{"/" + long + "/b", ErrName, ErrName},
		{"/a\x00", ErrName, ErrName},
		{strings.Repeat("/d", maxDepth), nil, nil},
		{strings.Repeat("/d", maxDepth+1), ErrName, ErrName},
		{"/.ftpserver-tmp-0-b-1", fs.ErrNotExist, ErrName},
		{"/.FTPserver-x", fs.ErrNotExist, ErrName},
		{"/.ftpserver-x/b", fs.ErrNotExist, fs.ErrNotExist},
		{"/.ftpserver-x/.ftpserver-y", fs.ErrNotExist, fs.ErrNotExist},
		{"/.ftpserver", nil, nil},
		{"/.ftpserver-x/../b", nil, nil},
	} {
		_, err := locate("op", c.path)
		_, errNew := locateNew("op", c.path)
		if (err == nil) != (c.old == nil) || (errNew == nil) != (c.creating == nil) {
			t.Errorf("%.20q: errors are %v and %v, want %v and %v", c.path, err, errNew, c.old, c.creating)
		}
		wantError(t, c.path, err, c.old)
		wantError(t, c.path, errNew, c.creating)
	}
}

func TestStale(t *testing.T) {
	s := &Store{slot: 1, bootID: "abc-1"}
	for name, want := range map[string]bool{
		s.temporaryName():          false,
		".ftpserver-tmp-1-abc-0-7": true,
		".ftpserver-tmp-1-abc-7":   true,
		".ftpserver-tmp-1-abc-1-7": false,
		".ftpserver-tmp-11-abc-7":  false,
		".ftpserver-tmp-2-abc-1-7": false,
		".ftpserver-part-1-x":      false,
		"x":                        false,
	} {
		if got := s.stale(name); got != want {
			t.Errorf("stale(%q) is %t", name, got)
		}
	}
}

func TestPartialNameTellsUsersApart(t *testing.T) {
	d := newDisk(t)
	open := func(name, uid string) *FS {
		f, err := d.store.FS(config.User{Name: name, UID: uid, Home: "/home", Role: config.RoleReadWrite})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	seen := map[string]string{}
	for _, c := range [][3]string{{"a", "", "bc"}, {"ab", "", "c"}, {"a", "b", "c"}, {"a", "", "c"}, {"a", "1", "bc"}} {
		name := open(c[0], c[1]).partialName(c[2])
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q share %s", c, other, name)
		}
		seen[name] = strings.Join(c[:], ",")
		if again := open(c[0], c[1]).partialName(c[2]); again != name {
			t.Errorf("%q: another session calls the partial %s, not %s", c, again, name)
		}
		if !hidden(name) || !isPartial(name) || len(name) > maxName {
			t.Errorf("%s is no name of a partial", name)
		}
	}
}

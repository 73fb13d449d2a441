package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// ruled opens the view of a user of /home with path rules.
func (d *disk) ruled(role config.Role, rules ...config.PathRule) *FS {
	d.t.Helper()
	f, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: role, Paths: rules})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = f.Close() })
	return f
}

func rulesOf(pairs ...string) []config.PathRule {
	var out []config.PathRule
	for _, p := range pairs {
		at, role, _ := strings.Cut(p, " ")
		out = append(out, config.PathRule{Path: at, Role: config.Role(role)})
	}
	return out
}

// rightsAt finds out by trying which role holds in a directory.
func rightsAt(f *FS, dir string) config.Role {
	list := closing(f.OpenDir(dir))
	create := publish(f.Create(dir+"/.probe", CreateTruncate, 0))
	switch {
	case list == nil && create == nil:
		return config.RoleReadWrite
	case list == nil && errors.Is(create, ErrRole):
		return config.RoleReadOnly
	case errors.Is(list, ErrRole) && create == nil:
		return config.RoleWriteOnly
	}
	return config.Role(fmt.Sprintf("%v, %v", list, create))
}

// The longest rule that holds a path counts, wherever links lead and however
// the path is spelled.
func TestTheRuleOfAPath(t *testing.T) {
	const (
		rw = config.RoleReadWrite
		ro = config.RoleReadOnly
		wo = config.RoleWriteOnly
	)
	for name, c := range map[string]struct {
		role  config.Role
		rules []config.PathRule
		links map[string]string // name: target
		want  map[string]config.Role
	}{
		"longest": {ro, rulesOf("/a ReadWrite", "/a/b WriteOnly", "/a/b/c ReadOnly"), nil,
			map[string]config.Role{"/": ro, "/a": rw, "/a/x": rw, "/a/b": wo, "/a/b/c": ro, "/a/b/c/x": ro, "/ab": ro, "/a/b/../x": rw}},
		"in any order": {ro, rulesOf("/a/b/c ReadOnly", "/a/b WriteOnly", "/a ReadWrite"), nil,
			map[string]config.Role{"/a": rw, "/a/b": wo, "/a/b/c/x": ro}},
		"everywhere": {ro, rulesOf("/ WriteOnly", "/a ReadWrite"), nil,
			map[string]config.Role{"/": wo, "/x": wo, "/a": rw}},
		"a link into a rule": {rw, rulesOf("/a ReadOnly"), map[string]string{"x/l": "../a", "x/deep": "../a/x"},
			map[string]config.Role{"/x": rw, "/x/l": ro, "/x/l/x": ro, "/x/deep": ro}},
		"a link out of a rule": {rw, rulesOf("/a ReadOnly"), map[string]string{"a/l": "../x"},
			map[string]config.Role{"/a": ro, "/a/l": rw}},
		"a link and back": {rw, rulesOf("/a ReadOnly"), map[string]string{"l": "x/../a/x/.."},
			map[string]config.Role{"/l": ro, "/l/x": ro}},
		"links in a row": {rw, rulesOf("/a ReadOnly"), map[string]string{"l1": "l2", "l2": "./x/l3", "x/l3": "../a/"},
			map[string]config.Role{"/l1": ro, "/l1/x": ro, "/x": rw}},
		"a rule through a link": {rw, rulesOf("/l ReadOnly"), map[string]string{"l": "a"},
			map[string]config.Role{"/l": ro, "/a": ro, "/a/x": ro, "/": rw}},
		"two rules for one directory": {rw, rulesOf("/a ReadOnly", "/l ReadWrite"), map[string]string{"l": "a"},
			map[string]config.Role{"/a": ro, "/l": ro}},
		"two rules for the home": {rw, rulesOf("/ ReadOnly", "/l ReadWrite", "/x/l ReadWrite"), map[string]string{"l": ".", "x/l": "../a/.."},
			map[string]config.Role{"/": ro, "/l": ro, "/a": ro, "/x/l/a": ro}},
		"a rule for the home through a link": {rw, rulesOf("/l ReadOnly", "/a ReadWrite"), map[string]string{"l": "."},
			map[string]config.Role{"/": ro, "/x": ro, "/a": rw}},
		"Admin": {config.RoleAdmin, rulesOf("/home/a ReadOnly"), nil,
			map[string]config.Role{"/": rw, "/home": rw, "/home/a": ro, "/home/a/x": ro}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			for _, dir := range []string{"a/x", "a/b/c/x", "x", "ab"} {
				d.mkdir(dir)
			}
			for link, target := range c.links {
				d.symlink(target, link)
			}
			f := d.ruled(c.role, c.rules...)
			for p, want := range c.want {
				if got := rightsAt(f, p); got != want {
					t.Errorf("%s: %s, want %s", p, got, want)
				}
			}
		})
	}
}

// Every operation is judged where the file lies, not where the name was.
func TestLinksLiftNoRule(t *testing.T) {
	d := newDisk(t)
	d.write("ro/file", "protected")
	d.write("wo/file", "delivered")
	d.symlink("ro/file", "file")
	d.symlink("ro", "dir")
	d.symlink("wo/file", "secret")
	d.symlink("wo", "box")
	f := d.ruled(config.RoleReadWrite, rulesOf("/ro ReadOnly", "/wo WriteOnly")...)
	for _, p := range []string{"/dir/file", "/dir/new"} {
		for op, err := range everyOperation(f, p) {
			if strings.HasPrefix(op, "Stat") || op == "Open" || op == "OpenDir" {
				continue
			}
			if err == nil {
				t.Errorf("%s %s: allowed", op, p)
			}
		}
	}
	if err := closing(secondOf(f.Open("/file"))); err != nil {
		t.Errorf("what may be read there can't be read through a link: %v", err)
	}
	for _, p := range []string{"/secret", "/box/file"} {
		wantError(t, "open "+p, closing(secondOf(f.Open(p))), ErrRole)
		_, err := f.Stat(p)
		wantError(t, "stat "+p, err, ErrRole)
	}
	wantError(t, "list", closing(f.OpenDir("/box")), ErrRole)
	wantError(t, "store through a link", publish(f.Create("/file", CreateTruncate, 0)), ErrNotRegular)
	wantError(t, "rename into", f.Rename("/file", "/dir/x"), ErrRole)
	wantError(t, "replace in a drop box", f.Rename("/file", "/box/file"), ErrRole)
	d.wantFile("ro/file", "protected")
	d.wantFile("wo/file", "delivered")
	d.wantNames("ro", "file")
}

func secondOf(f *os.File, _ Info, err error) (*os.File, error) { return f, err }

// Renaming and removing cannot carry a rule's directory away, nor pull the path
// to it from under the rule.
func TestRulesStayInPlace(t *testing.T) {
	d := newDisk(t)
	d.write("a/b/ro/file", "protected")
	d.mkdir("real/deep")
	d.symlink("real", "way")
	d.write("other", "x")
	d.mkdir("a/b/free")
	f := d.ruled(config.RoleReadWrite, rulesOf("/a/b/ro ReadOnly", "/way/deep ReadOnly", "/gone/dir ReadOnly")...)
	for _, p := range []string{"/a", "/a/b", "/a/b/ro", "/way", "/real", "/real/deep", "/gone", "/a/b/../b", "/gone/dir"} {
		wantError(t, "check rename "+p, f.CheckRename(p), ErrRuled, fs.ErrPermission)
		wantError(t, "rename "+p, f.Rename(p, "/elsewhere"), ErrRuled)
		wantError(t, "remove directory "+p, f.Rmdir(p), ErrRuled)
	}
	wantError(t, "delete the link", f.Remove("/way"), ErrRuled)
	wantError(t, "rename over the link", f.Rename("/other", "/way"), ErrRuled)
	d.wantFile("a/b/ro/file", "protected")
	if err := errors.Join(f.Rename("/a/b/free", "/a/b/free2"), f.Rmdir("/a/b/free2")); err != nil {
		t.Errorf("what no rule is for: %v", err)
	}
	if err := errors.Join(os.Remove(d.path("gone/dir")), f.Mkdir("/gone/dir")); err != nil {
		t.Fatal(err)
	}
	if got := rightsAt(f, "/gone/dir"); got != config.RoleReadOnly {
		t.Errorf("made again, the directory is %s", got)
	}
}

// A rename is judged at both ends.
func TestRenameAcrossRules(t *testing.T) {
	rules := rulesOf("/ro ReadOnly", "/wo WriteOnly", "/rw ReadWrite")
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"/file", "/rw/new", nil},
		{"/file", "/wo/new", nil},
		{"/file", "/wo/file", ErrRole},
		{"/file", "/ro/new", ErrRole},
		{"/file", "/rw/file", nil},
		{"/rw/file", "/new", nil},
		{"/wo/file", "/new", ErrRole},
		{"/ro/file", "/new", ErrRole},
		{"/ro/file", "/ro/new", ErrRole},
		{"/dir", "/rw/new", nil},
		{"/dir", "/wo/new", ErrRole},
		{"/dir", "/ro/new", ErrRole},
	} {
		d := newDisk(t)
		for _, p := range []string{"file", "ro/file", "wo/file", "rw/file", "dir/file"} {
			d.write(p, p)
		}
		f := d.ruled(config.RoleReadWrite, rules...)
		err := f.Rename(c.from, c.to)
		if c.want == nil && err != nil {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
		wantError(t, c.from+" to "+c.to, err, c.want)
		if c.want != nil {
			for _, p := range []string{"file", "ro/file", "wo/file", "rw/file", "dir/file"} {
				d.wantFile(p, p)
			}
		} else if c.from == "/file" {
			d.wantFile(c.to, "file")
			d.wantAbsent("file")
		}
	}
}

// Who moves a file into a drop box never replaces one, whoever else is at it.
func TestRenameIntoADropBoxIsExclusive(t *testing.T) {
	d := newDisk(t)
	f := d.ruled(config.RoleReadWrite, rulesOf("/wo WriteOnly")...)
	other := openDisk(t, d.root, Options{BootID: "other"}) // a replica: no lock is shared
	g := other.ruled(config.RoleReadWrite, rulesOf("/wo WriteOnly")...)
	for i := range 200 {
		name := fmt.Sprintf("/wo/%d", i)
		d.write("one", "one")
		d.write("two", "two")
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = f.Rename("/one", name) })
		wg.Go(func() { errs[1] = g.Rename("/two", name) })
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("both or none was moved: %v, %v", errs[0], errs[1])
		}
		want := map[bool]string{true: "one", false: "two"}[errs[0] == nil]
		d.wantFile(name, want)
	}
}

// A drop box below a rule publishes as one of a role does.
func TestDropBoxOfARuleIsExclusive(t *testing.T) {
	d := newDisk(t)
	f := d.ruled(config.RoleReadWrite, rulesOf("/wo WriteOnly")...)
	a := begin(t, f, "/wo/x", CreateTruncate, 0, "first")
	b := begin(t, f, "/wo/x", CreateTruncate, 0, "second")
	if _, err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	_, err := b.Commit()
	wantError(t, "second", err, fs.ErrExist)
	d.wantFile("wo/x", "first")
	interrupt(t, f, "/wo/part", "half")
	if size, ok := f.PartialSize("/wo/part"); !ok || size != 4 {
		t.Errorf("partial: %d, %v", size, ok)
	}
	store(t, f, "/wo/part", CreateAt, 4, " and half")
	d.wantFile("wo/part", "half and half")
}

func TestRuleDirectoriesAreMade(t *testing.T) {
	d := openDisk(t, t.TempDir(), Options{BootID: "b", Durability: config.DurabilityFull})
	f := d.ruled(config.RoleReadOnly, rulesOf("/in/box WriteOnly", "/in ReadOnly")...)
	if i, err := f.Stat("/in/box"); err != nil || !i.Dir {
		t.Errorf("%+v, %v", i, err)
	}
	d.write("file", "x")
	d.symlink("/", "out")
	for p, want := range map[string]error{
		"/file": ErrNotDir, "/file/x": ErrNotDir, "/out": fs.ErrPermission, "/out/x": fs.ErrPermission, "/.ftpserver-x": fs.ErrNotExist,
	} {
		_, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite, Paths: rulesOf(p + " ReadOnly")})
		wantError(t, "rule for "+p, err, want)
		if err != nil && strings.Contains(err.Error(), d.root) {
			t.Errorf("error tells the real path: %v", err)
		}
	}
	_, err := d.store.FS(config.User{Name: "u", Home: "/home", Role: config.RoleReadWrite, Paths: rulesOf("/x Owner")})
	if err == nil {
		t.Error("a rule with an unknown role is taken")
	}
}

// Where a rule's directory is missing, nothing but a directory can be put: a
// file there would lock its user out.
func TestNothingTakesThePlaceOfARule(t *testing.T) {
	d := newDisk(t)
	d.write("file", "x")
	d.mkdir("dir")
	d.mkdir("real/box")
	d.symlink("file", "link")
	d.symlink("real/box", "way")
	rules := rulesOf("/ro/deep ReadOnly", "/ro2 ReadOnly", "/ro3 ReadOnly", "/way/rule ReadOnly")
	f := d.ruled(config.RoleReadWrite, rules...)
	for _, p := range []string{"/ro/deep", "/ro", "/ro2", "/ro3", "/way/rule", "/real/box"} {
		if err := os.Remove(d.path(strings.TrimPrefix(p, "/"))); err != nil {
			t.Fatal(err)
		}
	}
	before := descriptors(t)
	for _, p := range []string{"/ro", "/ro2", "/real/box", "/dir/../ro"} {
		for _, mode := range []CreateMode{CreateTruncate, CreateAppend} {
			wantError(t, "store "+p, publish(f.Create(p, mode, 0)), ErrRuled, fs.ErrPermission)
		}
		wantError(t, "rename a file to "+p, f.Rename("/file", p), ErrRuled)
		wantError(t, "rename a link to "+p, f.Rename("/link", p), ErrRuled)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are left open", after-before)
	}
	d.wantFile("file", "x")
	d.wantNames("", "dir", "file", "link", "real", "way")
	d.wantNames("real")
	if err := errors.Join(f.Mkdir("/ro"), f.Mkdir("/ro/deep"), f.Rename("/dir", "/ro2"), f.Mkdir("/real/box")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/ro/deep", "/ro2"} {
		if got := rightsAt(f, p); got != config.RoleReadOnly {
			t.Errorf("made again, %s is %s", p, got)
		}
	}
	if err := publish(f.Create("/ro4", CreateTruncate, 0)); err != nil {
		t.Errorf("beside a rule: %v", err)
	}
	_ = d.ruled(config.RoleReadWrite, rules...) // the user can still log in
}

// Where a rule cannot be applied any more, nothing is allowed rather than too
// much.
func TestABrokenRuleFailsClosed(t *testing.T) {
	d := newDisk(t)
	d.write("file", "x")
	f := d.ruled(config.RoleReadWrite, rulesOf("/ro ReadOnly")...)
	if err := os.Remove(d.path("ro")); err != nil {
		t.Fatal(err)
	}
	d.write("ro", "a file in the way")
	for op, err := range everyOperation(f, "/file") {
		if err == nil {
			t.Errorf("%s is allowed", op)
		}
	}
	d.wantFile("file", "x")
}

// What a listing says of an entry is what the user may do with it.
func TestEntriesTellTheirRole(t *testing.T) {
	d := newDisk(t)
	d.write("rw/file", "x")
	d.mkdir("rw/way/box")
	d.mkdir("rw/dir")
	f := d.ruled(config.RoleReadOnly, rulesOf("/rw ReadWrite", "/rw/way/box WriteOnly")...)
	for p, want := range map[string][2]Operation{
		"/":           {mayLook, 0},
		"/rw":         {everything, mayLook},
		"/rw/file":    {everything, everything},
		"/rw/dir":     {everything, everything},
		"/rw/way":     {everything, everything &^ (OpRename | OpDelete)},
		"/rw/way/box": {OpEnter | OpCreate, everything &^ (OpRename | OpDelete)},
	} {
		i, err := f.Stat(p)
		if err != nil || i.Content != want[0] || i.Entry != want[1] {
			t.Errorf("stat %s: %b, %b (%v), want %b", p, i.Content, i.Entry, err, want)
		}
		if p != "/" && listed(t, f, p) != want {
			t.Errorf("listed %s: %b, want %b", p, listed(t, f, p), want)
		}
	}
}

// listed is what the listing of its directory says of a path.
func listed(t *testing.T, f *FS, p string) [2]Operation {
	t.Helper()
	at := parse(p)
	dir, err := f.OpenDir("/" + at.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	for {
		infos, err := dir.Next(10)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		for _, i := range infos {
			if i.Name == at.base {
				return [2]Operation{i.Content, i.Entry}
			}
		}
	}
}

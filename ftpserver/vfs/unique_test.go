package vfs

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestUniqueNames: each has what was proposed in it, and can be a name.
func TestUniqueNames(t *testing.T) {
	letters := strings.Repeat("a", uniqueLetters)
	long := strings.Repeat("ü", 200)
	for base, want := range map[string]string{
		"file":                             "file-" + letters,
		"report.pdf":                       "report-" + letters + ".pdf",
		"archive.tar.gz":                   "archive.tar-" + letters + ".gz",
		".profile":                         ".profile-" + letters,
		long + ".pdf":                      strings.Repeat("ü", 119) + "-" + letters + ".pdf",
		"x." + strings.Repeat("e", 200):    "x." + strings.Repeat("e", 200) + "-" + letters,
		strings.Repeat("\xff", 300) + ".p": "-" + letters + ".p",
	} {
		got := uniqueName(base, letters)
		if got != want {
			t.Errorf("%.20q: %q, want %q", base, got, want)
		}
		if len(got) > maxName || utf8.ValidString(base) != utf8.ValidString(got) && len(base) <= maxName {
			t.Errorf("%.20q: %q has %d bytes", base, got, len(got))
		}
	}
}

// TestCreateUnique: many at once of one proposal, by every role that may store,
// each get a name of their own, which has the proposal in it.
func TestCreateUnique(t *testing.T) {
	for _, role := range []config.Role{config.RoleReadWrite, config.RoleWriteOnly} {
		d := newDisk(t)
		d.write("dir/report.pdf", "there before")
		f := d.user("u", role)
		var wg sync.WaitGroup
		var names sync.Map
		for range 50 {
			wg.Go(func() {
				u, err := f.CreateUnique("/dir/report.pdf")
				if err := publish(u, err); err != nil {
					t.Error(err)
					return
				}
				if !regexp.MustCompile(`^/dir/report-[a-z2-7]{12}\.pdf$`).MatchString(u.Name()) {
					t.Errorf("the name is %s", u.Name())
				}
				names.Store(path.Base(u.Name()), true)
			})
		}
		wg.Wait()
		want := []string{"report.pdf"}
		names.Range(func(name, _ any) bool { want = append(want, name.(string)); return true })
		if len(want) != 51 {
			t.Errorf("%d names", len(want))
		}
		d.wantNames("dir", want...)
		d.wantFile("dir/report.pdf", "there before")
	}
}

// TestUniqueIsNeverReplaced: who takes the name meanwhile keeps it, also where
// the role may overwrite.
func TestUniqueIsNeverReplaced(t *testing.T) {
	d := newDisk(t)
	f := d.user("u", config.RoleReadWrite)
	u, err := f.CreateUnique("/file")
	if err != nil {
		t.Fatal(err)
	}
	d.write(path.Base(u.Name()), "somebody else's")
	wantError(t, "publish", publish(u, nil), fs.ErrExist)
	d.wantFile(path.Base(u.Name()), "somebody else's")
	_, err = f.CreateUnique("/.ftpserver-x")
	wantError(t, "reserved", err, ErrName)
	_, err = f.CreateUnique("/")
	wantError(t, "the home", err, ErrIsDir)
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archive stands in for Debian's archive and the tools that front.sh has of the
// machine, in a directory of its own.
type archive struct {
	t   *testing.T
	dir string
}

// The tools know no package but by its name: a .deb holds the line that dpkg-deb shows.
var tools = map[string]string{
	"apt-get": `
[ -e $ARCHIVE/off ] && { echo "no network" >&2; exit 100; }
while [ $# -gt 0 ]; do
	case $1 in
	-o) shift ;;
	indextargets) cat $ARCHIVE/sources; exit ;;
	update) echo update >>$ARCHIVE/updates ;;
	haproxy=*) [ "${1#*=}" = "$(cat $ARCHIVE/version)" ] || exit 100; echo "haproxy ${1#*=} x" >haproxy.deb ;;
	haproxy) echo "haproxy $(cat $ARCHIVE/version) x" >haproxy.deb ;;
	lib*|gcc*) echo "$1 1 x" >$1.deb ;;
	esac
	shift
done`,
	"dpkg": `
name=$(basename $2 .deb)
mkdir -p $3/usr/sbin $3/usr/share/doc/$name
echo rights >$3/usr/share/doc/$name/copyright
[ $name != haproxy ] || cp $2 $3/usr/sbin/haproxy`,
	"dpkg-deb": `
case $1 in
--field) basename $2 .deb ;;
--show) cat $4 ;;
esac`,
	"go": `mkdir -p $5/usr/sbin && cp $4/$3 $5/usr/sbin/`,
}

func newArchive(t *testing.T, version string) *archive {
	a := &archive{t, t.TempDir()}
	for name, script := range tools {
		a.write("bin/"+name, "#!/bin/sh\n"+script)
	}
	a.write("version", version)
	a.write("sources", "http://example.com/other/\nhttp://example.com/debian-security/\nhttp://example.com/debian/\n")
	return a
}

func (a *archive) write(name, content string) {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		a.t.Fatal(err)
	}
}

// run runs front.sh. It returns the HAProxy that there is then, empty for none,
// what was said of it, and how often the archive was asked so far.
func (a *archive) run() (haproxy, said string, asked int) {
	a.t.Helper()
	out := filepath.Join(a.dir, "out")
	cmd := exec.Command("./front.sh", "amd64", out)
	cmd.Env = []string{"PATH=" + filepath.Join(a.dir, "bin") + ":/usr/bin:/bin", "ARCHIVE=" + a.dir, "XDG_CACHE_HOME=" + filepath.Join(a.dir, "cache")}
	text, err := cmd.CombinedOutput()
	if err == nil {
		program, err := os.ReadFile(filepath.Join(out, "usr/sbin/haproxy"))
		if err != nil {
			a.t.Fatalf("%v\n%s", err, text)
		}
		haproxy = strings.Fields(string(program))[1]
	}
	updates, _ := os.ReadFile(filepath.Join(a.dir, "updates"))
	return haproxy, string(text), strings.Count(string(updates), "\n")
}

// age has what is kept be of days ago.
func (a *archive) age(days int) {
	a.t.Helper()
	kept, err := filepath.Glob(filepath.Join(a.dir, "cache/ftp-operator/front/*/usr/share/doc/packages"))
	if err != nil || len(kept) != 1 {
		a.t.Fatalf("%v is kept: %v", kept, err)
	}
	at := time.Now().AddDate(0, 0, -days)
	if err := os.Chtimes(kept[0], at, at); err != nil {
		a.t.Fatal(err)
	}
}

// pinned is the version in front.sh.
func pinned(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("front.sh")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(line, "version="); ok {
			return strings.TrimSpace(version)
		}
	}
	t.Fatal("front.sh has no version")
	return ""
}

// Packages are fetched again after a week, so that the image gets the updates of its
// libraries; where that cannot be, the old ones do, and it is said.
func TestFrontIsFetchedAgain(t *testing.T) {
	version := pinned(t)
	a := newArchive(t, version)
	step := func(what, warns string, wantAsked int) {
		t.Helper()
		haproxy, said, asked := a.run()
		if haproxy != version || asked != wantAsked || strings.Contains(said, "warning") != (warns != "") || !strings.Contains(said, warns) {
			t.Errorf("%s: HAProxy %q, asked %d times, want %q, %d times\n%s", what, haproxy, asked, version, wantAsked, said)
		}
	}
	step("at first", "", 1)
	a.age(5)
	step("within a week", "", 1)
	a.age(8)
	step("after a week", "", 2)
	a.age(8)
	a.write("off", "")
	step("without a network", "no updates could be fetched", 2)
}

// What follows the pinned version is taken, is said each time, and never passes for
// the pinned one.
func TestFrontOfANewerVersion(t *testing.T) {
	a := newArchive(t, "9:newer")
	for want := range 2 {
		haproxy, said, asked := a.run()
		if haproxy != "9:newer" || !strings.Contains(said, "warning") || asked != want+1 {
			t.Errorf("HAProxy %q, asked %d times\n%s", haproxy, asked, said)
		}
	}
	version := pinned(t)
	a.write("version", version)
	if haproxy, said, _ := a.run(); haproxy != version || strings.Contains(said, "warning") {
		t.Errorf("HAProxy %q, want %s\n%s", haproxy, version, said)
	}
}

// With nothing kept and nothing to be had, it fails.
func TestFrontOfNothing(t *testing.T) {
	a := newArchive(t, pinned(t))
	a.write("off", "")
	if haproxy, said, _ := a.run(); haproxy != "" || !strings.Contains(said, "could not be fetched") {
		t.Errorf("HAProxy %q\n%s", haproxy, said)
	}
}

// A machine whose sources lack one of Debian's archives is told which.
func TestFrontWithoutAnArchive(t *testing.T) {
	a := newArchive(t, pinned(t))
	a.write("sources", "http://example.com/debian/\n")
	if haproxy, said, _ := a.run(); haproxy != "" || !strings.Contains(said, "no source that ends in /debian-security") {
		t.Errorf("HAProxy %q\n%s", haproxy, said)
	}
}

package ftp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestParseListOptions(t *testing.T) {
	for arg, want := range map[string]struct {
		o    listOptions
		path string
	}{
		"":                   {},
		"-la":                {},
		"-la dir":            {path: "dir"},
		"-l -a  dir":         {path: "dir"},
		"-lR":                {o: listOptions{recursive: true}},
		"-R -t x":            {o: listOptions{recursive: true, order: byTime}, path: "x"},
		"-tSr":               {o: listOptions{order: bySize, reverse: true}},
		"-St":                {o: listOptions{order: byTime}},
		"-d dir":             {o: listOptions{itself: true}, path: "dir"},
		"-":                  {path: "-"},
		"- x":                {path: "- x"},
		"-l -":               {path: "-"},
		"--":                 {},
		"-- -R":              {path: "-R"},
		"-R -- -t":           {o: listOptions{recursive: true}, path: "-t"},
		"./-R":               {path: "./-R"},
		"--recursive --time": {},
		"dir -R":             {path: "dir -R"},
		" -R":                {path: " -R"},
		"-%1\xff":            {},
	} {
		if o, path := parseListOptions(arg); o != want.o || path != want.path {
			t.Errorf("%q: %+v and %q, want %+v and %q", arg, o, path, want.o, want.path)
		}
	}
}

// listed is what a listing shows, without what may differ: of LIST, the last
// name of each line.
func (c *client) listed(command string) []string {
	c.t.Helper()
	content, reply := c.download(command)
	if !strings.HasPrefix(reply, "226") {
		c.t.Errorf("%s: %s", command, reply)
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimSuffix(content, "\r\n"), "\r\n") {
		if strings.HasPrefix(command, "LIST") {
			line = line[strings.LastIndexByte(line, ' ')+1:]
		}
		out = append(out, line)
	}
	return out
}

// TestListOptions: orders, the directory itself, names that look like options.
func TestListOptions(t *testing.T) {
	b := newBench(t, nil)
	for i, name := range []string{"b", "c", "a", "-R", ".dot"} {
		path := b.file("d/"+name, strings.Repeat("x", 10*(7*i%5)))
		when := time.Date(2020, 1, 1+(3*i)%5, 0, 0, 0, 0, time.UTC)
		must(t, os.Chtimes(path, when, when))
	}
	b.file("d/.ftpserver-tmp-0-x-1", "hidden")
	c := b.login()
	c.do("CWD d", "250")
	for _, test := range []struct{ command, want string }{
		// times: b 1, c 4, a 2, -R 5, .dot 3; sizes: b 0, c 20, a 40, -R 10, .dot 30
		{"LIST -t", "-R c .dot a b"},
		{"LIST -la -tr", "b a .dot c -R"},
		{"LIST -S", "a .dot c -R b"},
		{"LIST -Sr", "b -R c .dot a"},
		{"LIST -r", "c b a .dot -R"},
		{"LIST -t *", "-R c .dot a b"},
		{"LIST -t [a-c]", "c a b"},
		{"NLST -t", "-R c .dot a b"},
		{"NLST -r", "c b a .dot -R"},
		{"NLST -rl ../d", "../d/c ../d/b ../d/a ../d/.dot ../d/-R"},
		{"LIST -d", "."},
		{"LIST -d ../d", "../d"},
		{"NLST -d /d", "/d"},
		{"LIST ./-R", "./-R"},
		{"LIST -- -R", "-R"},
		{"NLST a", "a"},
		{"NLST /d/a", "/d/a"},
		{"NLST nothing*", ""},
		{"LIST nothing*", ""},
		{"NLST .ftp*", ""},
	} {
		if got := strings.Join(c.listed(test.command), " "); got != test.want {
			t.Errorf("%s shows %q, want %q", test.command, got, test.want)
		}
	}
	for command, begins := range map[string]string{
		"LIST " + strings.Repeat("*", 256): "553",
		"NLST -x missing":                  "550",
		"LIST -d .ftpserver-tmp-0-x-1":     "550",
	} {
		c.open()
		c.do(command, begins)
	}
}

// TestRecursive: the directories below, each after those above it, without what
// links lead to and what the user may not list.
func TestRecursive(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Users[0].Paths = []config.PathRule{{Path: "/a/box", Role: config.RoleWriteOnly}}
	})
	b.file("a/box/secret", "")
	b.file("a/x", "")
	b.file("a/y/z", "")
	b.file("a/y/.ftpserver-part-x", "hidden")
	b.file("b/\nw", "")
	must(t, os.Symlink(".", filepath.Join(b.home, "a", "loop")))
	must(t, os.Symlink("../b", filepath.Join(b.home, "a", "other")))
	c := b.login()
	for _, test := range []struct{ command, want string }{
		{"LIST -lRr", "b|a||./b:|?w||./a:|y|x|other|loop|box||./a/y:|z"},
		{"LIST -Rr a", "y|x|other|loop|box||a/y:|z"},
		{"LIST -Rr /a/", "y|x|other|loop|box||/a/y:|z"},
		{"NLST -Rr", "b|a|b/?w|a/y|a/x|a/other|a/loop|a/box|a/y/z"},
		{"NLST -Rr a", "a/y|a/x|a/other|a/loop|a/box|a/y/z"},
		{"NLST -R a/x", "a/x"},
		{"NLST -Rr a/*", "a/y|a/x|a/other|a/loop|a/box"},
	} {
		if got := strings.Join(c.listed(test.command), "|"); got != test.want {
			t.Errorf("%s shows\n%q, want\n%q", test.command, got, test.want)
		}
	}
	if got := c.do("STAT -R a", "212-"); !strings.Contains(got, "\n a/y:\n") {
		t.Errorf("STAT -R: %q", got)
	}
}

// TestListingEndsWithTheClient: a client that leaves has no listing go on.
func TestListingEndsWithTheClient(t *testing.T) {
	b := newBench(t, nil)
	for i := range 2000 {
		b.file(fmt.Sprintf("%d/%s", i, strings.Repeat("x", 200)), "")
	}
	c := b.login()
	conn := c.openNarrow()
	c.do("LIST -R", "150")
	paced(t, conn, 1)
	_ = c.raw.Close()
	eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
}

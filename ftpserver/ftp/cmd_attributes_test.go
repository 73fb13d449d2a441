package ftp

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func (b *bench) fifo(name string) {
	b.t.Helper()
	must(b.t, unix.Mkfifo(filepath.Join(b.home, name), 0o644))
}

func TestParseTime(t *testing.T) {
	at := func(year, month, day, hour, minute, second, nano int) time.Time {
		return time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"20200102030405":             at(2020, 1, 2, 3, 4, 5, 0),
		"20200102030405.5":           at(2020, 1, 2, 3, 4, 5, 5e8),
		"20200102030405.000000001":   at(2020, 1, 2, 3, 4, 5, 1),
		"20200102030405.0000000019":  at(2020, 1, 2, 3, 4, 5, 1),
		"20200229000000":             at(2020, 2, 29, 0, 0, 0, 0),
		"20161231235960":             at(2017, 1, 1, 0, 0, 0, 0),
		"00010101000000":             at(1, 1, 1, 0, 0, 0, 0),
		"99991231235959":             at(9999, 12, 31, 23, 59, 59, 0),
		"20190229000000":             {},
		"20200100000000":             {},
		"20200102240000":             {},
		"20200102030461":             {},
		"2020010203040":              {},
		"202001020304055":            {},
		"20200102030405.":            {},
		"20200102030405.x":           {},
		"20200102030405.1.2":         {},
		"+0200102030405":             {},
		"2020-01-02T03:04:05":        {},
		"２０２０":                       {},
		"":                           {},
		".5":                         {},
		"202001020304 5":             {},
		"20200102030405.99999999999": at(2020, 1, 2, 3, 4, 5, 999999999),
	} {
		got, ok := parseTime(text)
		if ok == want.IsZero() || ok && !got.Equal(want) {
			if text != "00010101000000" || !ok { // the zero time is one
				t.Errorf("%q: %v, %v", text, got, ok)
			}
		}
	}
}

// TestSetTimeAfterUpload: what a mirror does with every file, and what the
// listing tells then. The partial upload of the name stays usable.
func TestSetTimeAfterUpload(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		if got := c.upload("STOR dir-less", "content"); !strings.HasPrefix(got, "226") {
			t.Fatal(got)
		}
		c.do("MFMT 20010203040506.789 dir-less", "213 Modify=20010203040506; dir-less")
		if facts := c.do("MLST dir-less", "250-"); !strings.Contains(facts, ";modify=20010203040506;") {
			t.Errorf("facts are %q", facts)
		}
		st, err := os.Stat(filepath.Join(b.home, "dir-less"))
		must(t, err)
		if want := time.Date(2001, 2, 3, 4, 5, 6, 789e6, time.UTC); !st.ModTime().Equal(want) {
			t.Errorf("the time is %v", st.ModTime())
		}
	})
}

// TestMDTMOfANameWithATime: a file that is called so as a whole is meant.
func TestMDTMOfANameWithATime(t *testing.T) {
	b := newBench(t, nil)
	when := time.Date(2002, 2, 2, 2, 2, 2, 0, time.UTC)
	for _, name := range []string{"file", "20010203040506 file", strings.Repeat("n", 250)} {
		must(t, os.Chtimes(b.file(name, "x"), when, when))
	}
	c := b.login()
	c.do("MDTM 20010203040506 file", "213 20020202020202")
	c.do("MDTM file", "213 20020202020202")
	c.do("DELE 20010203040506 file", "250")
	c.do("MDTM 20010203040506 file", "213 Modify=20010203040506; file")
	c.do("MDTM file", "213 20010203040506")
	c.do("MDTM 20010203040506 "+strings.Repeat("n", 250), "213 Modify=") // as a whole no name at all
}

// TestUtimeForms: which of the two forms is meant, and what each sets.
func TestUtimeForms(t *testing.T) {
	const one, two, three = "20010203040506", "20020203040506", "20030203040506"
	for arg, want := range map[string][3]string{ // path, accessed, modified
		one + " file":       {"file", "", one},
		one + " two words":  {"two words", "", one},
		"200102030405 file": {"file", "", "20010203040500"},
		"file " + one + " " + two + " " + three + " UTC":      {"file", one, two},
		"two words " + one + " " + two + " " + three + " utc": {"two words", one, two},
		one + " " + one + " " + two + " " + three + " UTC":    {one, one, two},
		one + " " + two + " " + three + " UTC":                {two + " " + three + " UTC", "", one},
		one + " file " + two + " UTC":                         {"file " + two + " UTC", "", one},
		"file " + one + " " + two + " " + three:               {},
		"file " + one + " " + two + " 20031303040506 UTC":     {},
		one:               {},
		one + " ":         {},
		"2001020304 file": {},
		"file":            {},
		"":                {},
	} {
		name, a, ok := parseUtime(arg)
		var got [3]string
		if ok {
			got = [3]string{name, "", a.Modified.Format(timeFormat)}
			if a.Accessed != nil {
				got[1] = a.Accessed.Format(timeFormat)
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", arg, got, want)
		}
	}
}

// TestUniqueInADropBox: the name that is told is the file's, and tells nothing
// of others: what is proposed is never the name itself.
func TestUniqueInADropBox(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Users[0].Role = config.RoleWriteOnly })
	b.file("taken", "there before")
	c := b.login()
	for _, proposed := range []string{"taken", "free"} {
		data := c.open()
		reply := c.do("STOU "+proposed, "150 FILE: ")
		_, err := data.Write([]byte("content"))
		must(t, err)
		must(t, data.Close())
		c.expect("226")
		name := strings.TrimPrefix(reply, "150 FILE: ")
		if !regexp.MustCompile(`^` + proposed + `-[a-z2-7]{12}$`).MatchString(name) {
			t.Errorf("the name is %q", name)
		}
		if got := b.content(name); got != "content" {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if got := b.content("taken"); got != "there before" {
		t.Errorf("what was there holds %q", got)
	}
}

// TestUniqueInterrupted: the client that was told the name can go on under it.
func TestUniqueInterrupted(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	data := c.open()
	name := strings.TrimPrefix(c.do("STOU", "150 FILE: "), "150 FILE: ")
	_, err := data.Write([]byte("half"))
	must(t, err)
	c.arrived(4)
	c.do("ABOR", "426")
	c.expect("226")
	c.do("SIZE "+name, "213 4")
	c.do("REST 4", "350")
	if got := c.upload("STOR "+name, "+half"); !strings.HasPrefix(got, "226") {
		t.Error(got)
	}
	if got := b.content(name); got != "half+half" {
		t.Errorf("the file holds %q", got)
	}
}

package ftp

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cut uploads the beginning of a file and aborts.
func (c *client) cut(command, content string) {
	c.t.Helper()
	data := c.begin(command)
	_, err := io.WriteString(data, content)
	must(c.t, err)
	c.arrived(len(content))
	c.do("ABOR", "426")
	c.expect("226")
	_ = data.Close()
}

// arrived waits until so many bytes of the running upload have come: over TLS
// they are counted at once, in clear they are in the file at once.
func (c *client) arrived(n int) {
	c.t.Helper()
	so := fmt.Sprintf(": %d bytes so far", n)
	eventually(c.t, "the data", func() bool {
		return c.bench.temporary() == int64(n) || strings.Contains(c.do("STAT", "211-"), so)
	})
}

// temporary is the size of the one upload that is on its way; -1 if there is none.
func (b *bench) temporary() int64 {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.home, ".ftpserver-tmp-*"))
	must(b.t, err)
	deeper, err := filepath.Glob(filepath.Join(b.home, "*", ".ftpserver-tmp-*"))
	must(b.t, err)
	names = append(names, deeper...)
	if len(names) != 1 {
		return -1
	}
	st, err := os.Stat(names[0])
	must(b.t, err)
	return st.Size()
}

// TestInterruptedOverwrite: SIZE and MLST tell of the file that RETR sends. What
// goes on and what is refused is the table in docs/storage.md.
func TestInterruptedOverwrite(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("doc", strings.Repeat("o", 50_000))
		c.do("TYPE I", "200")
		c.cut("STOR doc", "begin")
		c.do("SIZE doc", "213 50000")
		if facts := c.do("MLST doc", "250-"); !strings.Contains(facts, "size=50000;") {
			t.Errorf("facts are %q", facts)
		}
		content, _ := c.download("RETR doc")
		if len(content) != 50_000 {
			t.Errorf("%d bytes came", len(content))
		}
		_ = c.open()
		c.do("APPE doc", "554 An upload of this file was interrupted")
		c.do("REST 6", "350")
		_ = c.open()
		c.do("APPE doc", "554 APPE adds at the end")
		c.do("REST 6", "350")
		_ = c.open()
		c.do("STOR doc", "554 An upload of this file was interrupted")
		c.do("REST 5", "350")
		if got := c.upload("STOR doc", "+end"); !strings.HasPrefix(got, "226") {
			t.Errorf("the resumed upload: %s", got)
		}
		if got := b.content("doc"); got != "begin+end" {
			t.Errorf("the file holds %.40q", got)
		}
	})
}

// TestInterruptedNewFile: where nothing is published, they tell what arrived.
func TestInterruptedNewFile(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		c.cut("STOR new", "begin")
		c.do("SIZE new", "213 5")
		if facts := c.do("MLST new", "250-"); !strings.Contains(facts, "type=file;size=5; /new") {
			t.Errorf("facts are %q", facts)
		}
		if got := c.upload("APPE new", "+end"); !strings.HasPrefix(got, "226") {
			t.Errorf("the resumed upload: %s", got)
		}
		c.do("SIZE new", "213 9")
	})
}

// TestInterruptedText: of text nothing is kept, as nobody knows how much of the
// client's has come: going on with it in TYPE I would end in another file.
func TestInterruptedText(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		c.cut("STOR new", "begin")
		c.do("TYPE A", "200")
		c.cut("STOR new", "one\r\ntwo\r")
		c.do("TYPE I", "200")
		c.do("SIZE new", "550")
		c.do("REST 7", "350")
		_ = c.open()
		c.do("STOR new", "554")
		if left := b.partials(); len(left) > 0 {
			t.Errorf("%v stay", left)
		}
	})
}

// partials are what interrupted uploads have left in alice's home.
func (b *bench) partials() []string {
	b.t.Helper()
	left, err := filepath.Glob(filepath.Join(b.home, ".ftpserver-part-*"))
	must(b.t, err)
	return left
}

// TestUploadThatNeverBegins: without a data connection nothing is cut, and
// nothing is copied.
func TestUploadThatNeverBegins(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE I", "200")
		c.cut("STOR new", strings.Repeat("n", 100_000))
		c.do("EPSV", "229")
		c.do("REST 5", "350")
		c.do("STOR new", "150")
		c.do("ABOR", "426")
		c.expect("226")
		c.do("SIZE new", "213 100000")

		b.file("old", "content")
		c.do("EPSV", "229")
		c.do("APPE old", "150")
		if size := b.temporary(); size != 0 {
			t.Errorf("before the data connection the copy has %d bytes", size)
		}
		c.do("ABOR", "426")
		c.expect("226")
	})
}

// another is a second session, secured as the first is.
func (b *bench) another(c *client) *client {
	if c.protect {
		return b.loginTLS()
	}
	return b.login()
}

// TestAppendsAtOnce: of two appends to one file, the one that would drop what
// the other has brought is told to try again.
func TestAppendsAtOnce(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("log", "old,")
		other := b.another(c)
		late := other.begin("APPE log")
		eventually(t, "the copy", func() bool { return b.temporary() >= int64(len("old,")) })
		_, err := io.WriteString(late, "late")
		must(t, err)
		if got := c.upload("APPE log", "first,"); !strings.HasPrefix(got, "226") {
			t.Errorf("the first append: %s", got)
		}
		must(t, late.Close())
		other.expect("450 The file was changed meanwhile")
		if got := other.upload("APPE log", "again"); !strings.HasPrefix(got, "226") {
			t.Errorf("the second append: %s", got)
		}
		if got := b.content("log"); got != "old,first,again" {
			t.Errorf("the file holds %q", got)
		}
	})
}

// TestAllOfAFileThatIsNotPublished: of an upload that has come whole and whose control
// connection is lost before its end, a client finds less than all by SIZE, and goes on
// with the rest.
func TestAllOfAFileThatIsNotPublished(t *testing.T) {
	const whole = "the whole file"
	b := newBench(t, nil)
	lost := b.login()
	_, err := io.WriteString(lost.begin("STOR doc"), whole)
	must(t, err)
	eventually(t, "all has come", func() bool { return b.temporary() == int64(len(whole)) })
	must(t, lost.raw.Close())
	eventually(t, "the session is over", func() bool { return len(b.server.all()) == 0 })
	c := b.login()
	c.do("TYPE I", "200")
	c.do("SIZE doc", "213 13")
	c.do("REST 13", "350")
	if got := c.upload("STOR doc", whole[13:]); !strings.HasPrefix(got, "226") || b.content("doc") != whole {
		t.Errorf("%s, and the file holds %q", got, b.content("doc"))
	}
}

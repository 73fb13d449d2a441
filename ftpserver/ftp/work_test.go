package ftp

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// hugeFile is one that no hash gets through in the time of a test.
func (b *bench) hugeFile(name string) {
	b.t.Helper()
	must(b.t, os.Truncate(b.file(name, ""), 1<<40))
}

// holdWork lets nobody read for such commands until the returned function is called.
func (b *bench) holdWork() (release func()) {
	for range cap(b.server.works) {
		b.server.works <- struct{}{}
	}
	return func() {
		for range cap(b.server.works) {
			<-b.server.works
		}
	}
}

// TestHashAborted: a hash is reported on while it runs, and ABOR ends it.
func TestHashAborted(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.hugeFile("huge")
		b.file("file", "content")
		for _, command := range []string{"HASH huge", "XMD5 huge"} {
			verb, _, _ := strings.Cut(command, " ")
			c.send(command)
			eventually(t, "progress", func() bool {
				status := c.do("STAT", "211-")
				return strings.Contains(status, verb+" /huge: ") && !strings.Contains(status, ": 0 bytes so far")
			})
			c.do("NOOP", "200")
			c.do("ABOR", "426 Aborted")
			c.expect("226")
			if status := c.do("STAT", "211-"); strings.Contains(status, "so far") {
				t.Errorf("after ABOR: %s", status)
			}
		}
		c.do("HASH file", "213 SHA-256 0-6 ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73 file")
	})
}

// TestHashOfAClientThatLeaves ends with the control connection, also when a
// further command was sent before.
func TestHashOfAClientThatLeaves(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.hugeFile("huge")
		leaving := []*client{c}
		for _, more := range []string{"PWD", "QUIT"} {
			other := b.another(c)
			leaving = append(leaving, other)
			_, err := io.WriteString(other.conn, "HASH huge\r\n"+more+"\r\n")
			must(t, err)
		}
		c.send("HASH huge")
		eventually(t, "all hash", func() bool { return b.hashing() == len(leaving) })
		for _, l := range leaving {
			must(t, l.conn.Close())
		}
		eventually(t, "all have ended", func() bool { return len(b.server.all()) == 0 })
	})
}

// TestHashAndQuit: a client that says all at once, closes its end and only reads
// then, gets its answer.
func TestHashAndQuit(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "content")
	c := b.login()
	release := b.holdWork()
	_, err := io.WriteString(c.conn, "HASH file\r\nQUIT\r\n")
	must(t, err)
	must(t, c.raw.CloseWrite())
	eventually(t, "it waits", func() bool { return b.server.all()[0].running() != nil })
	release()
	c.expect("213 SHA-256 0-6 ")
	c.expect("221")
	c.ended()
}

// hashing is how many sessions have got on with a command of some length.
func (b *bench) hashing() (n int) {
	for _, s := range b.server.all() {
		if t := s.running(); t != nil && t.bytes.Load() > 0 {
			n++
		}
	}
	return n
}

// TestHashesTakeTurns: some of huge files, more than may work at a time, hold up
// neither a small one nor each other.
func TestHashesTakeTurns(t *testing.T) {
	b := newBench(t, nil)
	b.hugeFile("huge")
	b.file("file", "content")
	many := cap(b.server.works) + 2
	for range many {
		b.login().send("HASH huge")
	}
	eventually(t, "all huge ones get on", func() bool { return b.hashing() == many })
	c := b.login()
	for range 10 {
		c.do("HASH file", "213 SHA-256 0-6 ")
	}
	if n := b.hashing(); n < many { // that of c may be about to end
		t.Errorf("%d of %d huge ones are left", n, many)
	}
}

// TestHashIsNotIdle: whoever waits for its turn is neither served out of it nor
// sent away.
func TestHashIsNotIdle(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Limits.IdleTimeout = time.Second })
	b.file("file", "content")
	release := b.holdWork()
	c := b.login()
	c.send("HASH file")
	b.login().expect("421 No command for too long") // so long that c would be too
	if n := b.hashing(); n != 0 {
		t.Errorf("%d read while nobody may", n)
	}
	release()
	c.expect("213 SHA-256 0-6 ")
}

// TestHashIsCut when its session is ended.
func TestHashIsCut(t *testing.T) {
	b := newBench(t, nil)
	b.hugeFile("huge")
	c := b.login()
	c.send("HASH huge")
	eventually(t, "it hashes", func() bool { return b.hashing() == 1 })
	for _, s := range b.server.all() {
		s.end(endNow)
	}
	c.expect("426 Ended by the server")
	c.expect("421")
	c.ended()
}

// TestHashOfAShrinkingFile: no hash is told of something that never was.
func TestHashOfAShrinkingFile(t *testing.T) {
	b := newBench(t, nil)
	path := b.file("file", "content")
	c := b.login()
	for _, command := range []string{"HASH file", "XCRC file", "SIZE file"} {
		must(t, os.WriteFile(path, []byte("content"), 0o644))
		if command == "SIZE file" {
			c.do("TYPE A", "200")
		}
		eventually(t, "the one before is over", func() bool { return b.server.all()[0].running() == nil })
		release := b.holdWork()
		c.send(command)
		eventually(t, "it waits", func() bool { return b.server.all()[0].running() != nil })
		must(t, os.Truncate(path, 3))
		release()
		c.expect("451 The file became shorter")
	}
}

// TestHashOfOtherThings: a partial upload has no hash, and no time.
func TestHashOfOtherThings(t *testing.T) {
	c := newBench(t, nil).login()
	c.cut("STOR part", "half of it")
	c.do("SIZE part", "213 10")
	for _, verb := range []string{"HASH", "XCRC", "XSHA256"} {
		c.do(verb+" part", "550 No such file")
	}
	c.do("MFMT 20200102030405 part", "550 No such file")
	c.do("TYPE A", "200")
	c.do("SIZE part", "550 No such file")
}

// TestCombineAborted: nothing has changed, and nothing is left behind.
func TestCombineAborted(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("all", "all")
		b.file("a", "a")
		release := b.holdWork()
		defer release()
		c.send(`COMB "all" "a"`)
		eventually(t, "it waits", func() bool { return b.temporary() == 0 })
		c.do("STAT", "211-")
		c.do("ABOR", "426 Aborted")
		c.expect("226")
		if b.content("all") != "all" || b.content("a") != "a" {
			t.Errorf("the files hold %q and %q", b.content("all"), b.content("a"))
		}
		if left, _ := filepath.Glob(filepath.Join(b.home, ".ftpserver*")); len(left) > 0 {
			t.Errorf("left behind are %q", left)
		}
	})
}

// TestManyParts: COMB takes as many as it says, whatever the length of the line.
func TestManyParts(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	line, want := `COMB "all"`, ""
	for i := range 101 {
		name := fmt.Sprintf(`part "%d"`, i)
		b.file(name, name)
		line += ` "` + strings.ReplaceAll(name, `"`, `""`) + `"`
		want += name
	}
	c.do(line, "553 Too many files at once")
	last := strings.LastIndex(line, ` "part`)
	c.do(line[:last], "250 Combined into ")
	if got := b.content("all"); got+`part "100"` != want {
		t.Errorf("the file holds %q", got)
	}
	c.do(`SIZE part "99"`, "550")
	c.do(`SIZE part "100"`, "213")
}

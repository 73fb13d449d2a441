package ftp

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAbortBehindACommand: an ABOR is seen behind commands that wait for the end
// of the transfer, which are answered in their order.
func TestAbortBehindACommand(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.largeFile("large")
		data := c.begin("RETR large")
		_, err := io.ReadFull(data, make([]byte, 1<<20))
		must(t, err)
		c.send("SIZE large\r\nNO\xff\xf4\xff\xf2OP\r\n\xff\xf4\xff\xf2ABOR\r\nPWD\r\nABOR")
		for _, begins := range []string{"426 Transfer aborted", "213 ", "200", "226", "257", "226"} {
			c.expect(begins)
		}
		_ = data.Close()

		c.do("EPSV", "229")
		c.send("STOR awaited\r\nPWD\r\nABOR\r\nABOR")
		for _, begins := range []string{"150", "426 Transfer aborted", "257", "226", "226"} {
			c.expect(begins)
		}
		if got := c.upload("STOR awaited", "content"); !strings.HasPrefix(got, "226") {
			t.Errorf("the next upload: %s", got)
		}
	})
}

// TestWaiting: a command that waits, and half of one, are heeded as soon as the
// transfer is over.
func TestWaiting(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR up")
		_, err := io.WriteString(data, "12345")
		must(t, err)
		_, err = io.WriteString(c.conn, "SIZE up\r\nPW")
		must(t, err)
		waitAhead(t, b)
		must(t, data.Close())
		c.expect("226")
		c.expect("213 5")
		c.do("D", "257")
	})
}

// TestRepliesInOrder: what is no command is answered after those before it.
func TestRepliesInOrder(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("file", "content")
		for line, begins := range map[string]string{"BOGUS": "500", "": "500", strings.Repeat("x", maxLine+1): "500", "CWD a\x00b": "501"} {
			release := b.holdWork()
			c.send("HASH file")
			c.send(line)
			waitAhead(t, b)
			c.send("PWD")
			release()
			c.expect("213 SHA-256")
			c.expect(begins)
			c.expect("257")
		}
		data := c.begin("STOR up")
		c.send("BOGUS")
		waitAhead(t, b)
		must(t, data.Close())
		c.expect("226")
		c.expect("500")
	})
}

// TestAbortOfTheSecond: what was read ahead starts a transfer, and the ABOR that
// was read with it is for that one too.
func TestAbortOfTheSecond(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR first")
		c.send("PWD\r\nEPSV\r\nSTOR second\r\nPWD\r\nABOR\r\nNOOP")
		c.expect("426 Transfer aborted")
		for _, begins := range []string{"257", "229", "150", "426 Transfer aborted", "257", "226", "200"} {
			c.expect(begins)
		}
		_ = data.Close()
	})
}

// TestQuitBehindACommand: a client that has said QUIT has taken its leave,
// whatever it had asked for before that; its upload counts. Of one that has not,
// nothing more is done.
func TestQuitBehindACommand(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.file("kept", "old")
		for _, quit := range []bool{false, true} {
			b.file("old", "content")
			data := c.begin("STOR kept")
			_, err := io.WriteString(data, "new")
			must(t, err)
			c.send("DELE old\r\nSIZE kept")
			if quit {
				c.send("QUIT")
			}
			must(t, c.raw.CloseWrite())
			_ = data.Close() // without QUIT, the server may have cut it already
			if quit {
				for _, begins := range []string{"226", "250", "213", "221"} {
					c.expect(begins)
				}
			}
			eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
			if got, want := b.content("kept"), map[bool]string{true: "new", false: "old"}[quit]; got != want {
				t.Errorf("QUIT %t: the file holds %q", quit, got)
			}
			if _, err := os.Stat(filepath.Join(b.home, "old")); (err == nil) == quit {
				t.Errorf("QUIT %t: what was to be removed afterwards: %v", quit, err)
			}
			c = b.again(c)
		}
	})
}

// TestEndBehindATransfer: a client whose command waits is told why its session
// ends as any other is.
func TestEndBehindATransfer(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		data := c.begin("STOR up")
		c.send("PWD\r\nPWD")
		waitAhead(t, b)
		b.server.all()[0].end(endNow)
		c.expect("426 Transfer ended by the server")
		c.expect("421 This session was ended by the server")
		c.ended()
		_ = data.Close()
	})
}

// TestAheadIsBounded: a client may send as much as it likes during a transfer;
// all is answered, and little of it is held.
func TestAheadIsBounded(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		const commands = 500
		data := c.begin("STOR up")
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c.conn, strings.Repeat("SIZE "+strings.Repeat("x", 250)+"\r\n", commands))
			sent <- err
		}()
		must(t, data.Close())
		c.expect("226")
		for range commands {
			c.expect("550")
		}
		must(t, <-sent)
		c.do("NOOP", "200")
	})
	var a ahead
	for n := 0; a.room(); n++ {
		if n == maxAheadLines {
			t.Fatal("there is always room for one more")
		}
		a.add(aheadLine{text: "NOOP"})
	}
	a = ahead{}
	for n := 0; a.room(); n++ {
		if n > maxAheadBytes/maxLine {
			t.Fatal("there is room for any length")
		}
		a.add(aheadLine{text: strings.Repeat("x", maxLine)})
	}
	for _, ok := a.take(); ok; _, ok = a.take() {
		continue
	}
	if a.lines != nil || a.bytes != 0 {
		t.Errorf("what was taken is still held: %d lines, %d bytes", len(a.lines), a.bytes)
	}
}

// waitAhead waits until the only session has read all that was sent, behind a
// command that waits.
func waitAhead(t *testing.T, b *bench) {
	t.Helper()
	s := b.server.all()[0]
	eventually(t, "the lines are read ahead", func() bool {
		s.mu.Lock()
		waiting := s.waiting
		s.mu.Unlock()
		unread := 0
		must(t, withFD(s.ctrl.raw, func(fd int) { unread, _ = unix.IoctlGetInt(fd, unix.TIOCINQ) }))
		return waiting && unread == 0
	})
}

// TestClientGoneBehindACommand: the end of the control connection is seen behind
// a command that waits, and ends the transfer.
func TestClientGoneBehindACommand(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		b.largeFile("large")
		_, err := io.ReadFull(c.begin("RETR large"), make([]byte, 1<<20))
		must(t, err)
		c.send("PWD")
		must(t, c.raw.Close())
		eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
	})
}

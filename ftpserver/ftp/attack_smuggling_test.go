package ftp

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestAttackSmuggling: a line is one command, whatever it holds, and a command is
// one line. Nothing that a client puts into a name becomes a command of its own,
// but for a line end: both CRLF and LF are one.
func TestAttackSmuggling(t *testing.T) {
	t.Run("in a line", smuggledInALine)
	t.Run("behind a line that is too long", smuggledBehindLength)
	t.Run("without an end", smuggledWithoutEnd)
	t.Run("in a flood", smuggledInAFlood)
}

// smuggledInALine: CR, NUL and Telnet end no line.
func smuggledInALine(t *testing.T) {
	b := newBench(t, nil)
	b.file("victim", "content")
	for name, test := range map[string]struct {
		sent    string
		replies []string
	}{
		"CR":                        {"SIZE a\rDELE victim\r\n", []string{"501 CR and NUL"}},
		"CR at the end":             {"SIZE a\r\rDELE victim\r\n", []string{"501 CR and NUL"}},
		"NUL":                       {"SIZE a\x00DELE victim\r\n", []string{"501 CR and NUL"}},
		"CR NUL, Telnet's own end":  {"SIZE a\r\x00DELE victim\r\n", []string{"501 CR and NUL"}},
		"vertical tab, form feed":   {"SIZE a\v\fDELE victim\r\n", []string{"550"}},
		"NEL, LS and PS of Unicode": {"SIZE a\u0085DELE victim\u2028DELE victim\u2029\r\n", []string{"550"}},
		"overlong UTF-8 of LF":      {"SIZE a\xc0\x8aDELE victim\r\n", []string{"550"}},
		"URL's spelling of CRLF":    {"SIZE a%0d%0aDELE victim\r\n", []string{"550"}},
		"Telnet's synch":            {"SIZE a\xff\xf4\xff\xf2DELE victim\r\n", []string{"550"}},
		"Telnet's subnegotiation":   {"SIZE a\xff\xfa\x18\r\x00DELE victim\xff\xf0\r\n", []string{"550"}},
		"Telnet around a CR":        {"SIZE a\r\xff\xf1DELE victim\r\n", []string{"501 CR and NUL"}},
		"two verbs":                 {"NOOP DELE victim\r\n", []string{"501 There is no argument"}},
		"LF in a name":              {"SIZE a\nNOOP\r\n", []string{"550", "200"}},
		"LF in a name, as CRLF":     {"SIZE a\r\nNOOP\r\n", []string{"550", "200"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []*client{b.login(), b.loginTLS()} {
				c.sends(t, test.sent)
				for _, begins := range test.replies {
					c.expect(begins)
				}
				c.do("SYST", "215") // and there was no other reply
				if b.content("victim") == "" {
					t.Fatal("the command in the name was obeyed")
				}
				c.do("QUIT", "221")
			}
		})
	}
	b.goesOn()
}

// smuggledBehindLength: of a line that is too long, the tail is no command,
// wherever the buffer ends.
func smuggledBehindLength(t *testing.T) {
	b := newBench(t, nil)
	b.file("victim", "content")
	const tail = "DELE victim"
	for _, length := range []int{
		smallLine - 1, smallLine, smallLine + 1, maxLine - len("SIZE ") - len(tail) - 1, maxLine - len("SIZE ") - 1, maxLine - len("SIZE "),
		maxLine, maxLine + 1, 2*maxLine - len("SIZE "), 3 * maxLine, 1 << 20,
	} {
		c := b.login()
		c.sends(t, "SIZE "+strings.Repeat("x", length)+tail+"\r\n")
		begins := "500 Command line longer"
		if len("SIZE ")+length+len(tail)+2 <= maxLine {
			begins = "5"
		}
		c.expect(begins)
		c.do("SYST", "215")
		c.do("QUIT", "221")
		if b.content("victim") == "" {
			t.Fatalf("the tail behind %d bytes was obeyed", length)
		}
	}
	b.goesOn()
}

// smuggledWithoutEnd: a line that never ends takes no memory, and is no activity
// that keeps a session from its timeout.
func smuggledWithoutEnd(t *testing.T) {
	b := newBench(t, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := b.connect()
	for range 64 {
		c.sends(t, strings.Repeat("A", 1<<20))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("64 MiB without an end took %d bytes", grown)
	}
	s := b.server.all()[0]
	s.mu.Lock()
	s.loginSince = time.Now().Add(-time.Hour) // the time is over
	s.mu.Unlock()
	s.rearm()
	_ = c.raw.SetReadDeadline(time.Now().Add(patience))
	for {
		_, err := io.WriteString(c.conn, strings.Repeat("A", 4096))
		if err != nil {
			break // which still types when the session ends
		}
	}
	eventually(t, "the session ends", func() bool { return len(b.server.all()) == 0 })
	b.goesOn()
}

// smuggledInAFlood: commands without end, sent at once by somebody who takes the
// replies late, are all answered in order, hold no memory, and keep nobody from
// being served meanwhile.
func smuggledInAFlood(t *testing.T) {
	b := newBench(t, nil)
	const rounds = 20_000
	c := b.login()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.conn, strings.Repeat("NOOP\r\nSYST\r\nBOGUS x\r\n", rounds))
		sent <- err
	}()
	b.goesOn() // while nobody reads what the flood is answered
	for range rounds {
		c.expect("200")
		c.expect("215")
		c.expect("500")
	}
	must(t, <-sent)
	c.do("PWD", "257")
	b.goesOn()
}

package ftp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// wire is a control connection that gives what a client has sent, in pieces.
type wire struct {
	net.Conn
	in      io.Reader
	piece   int
	written bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)       { return w.in.Read(p[:min(len(p), w.piece)]) }
func (w *wire) Write(p []byte) (int, error)      { return w.written.Write(p) }
func (*wire) SetWriteDeadline(_ time.Time) error { return nil }

// FuzzReadLine: whatever comes and in whatever pieces, lines end, hold no line
// ends, come out the same, and what is held goes back.
func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{
		"", "NOOP\r\n", "NOOP\n", "\n\n", "\r\r\n", "a\x00b\r\nNOOP\r\n", "NO\xff\xf4\xff\xf2OP\r\n", "\xff\xfb\x01\xff\xfd\x03X\r\n",
		"\xff\xfa\x18\x00\xff\xf0X\r\n", "\xff\xfa\r\n", "RETR \xff\xff\r\n", "\xff\n", "no end", strings.Repeat("x", 300) + "\r\nNOOP\r\n",
		strings.Repeat("\xff\xfd\x01", 5*maxRefusals) + "\r\n",
		strings.Repeat("y", maxLine+10) + "\r\nNOOP\r\n",
	} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 1000)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		if len(sent) > 8*maxLine || piece < 1 {
			return
		}
		whole := readLines(t, sent, 1<<20)
		if pieces := readLines(t, sent, piece); strings.Join(pieces, "\n") != strings.Join(whole, "\n") {
			t.Errorf("in pieces of %d: %q, at once %q", piece, pieces, whole)
		}
		if want := bytes.Count(sent, []byte{'\n'}); len(whole) != want {
			t.Errorf("%d lines of %d", len(whole), want)
		}
	})
}

func readLines(t *testing.T, sent []byte, piece int) []string {
	t.Helper()
	w := &wire{in: bytes.NewReader(sent), piece: piece}
	c := &control{conn: w, patience: func() time.Duration { return replyTimeout }}
	c.buf = c.small[:]
	var lines []string
	for {
		line, err := c.readLine()
		switch {
		case err != nil && !recoverable(err):
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if answers := w.written.Len(); answers > 3*maxRefusals*(len(lines)+1) || answers > len(sent) {
				t.Fatalf("%d bytes of answers", answers)
			}
			return lines
		case err != nil:
			line = "error: " + err.Error()
		case strings.ContainsAny(line, "\r\n\x00") || len(line) > maxLine:
			t.Fatalf("line %q", line)
		}
		lines = append(lines, line)
		if c.borrowed != nil && c.end-c.start <= smallLine {
			t.Fatal("a buffer is kept that is not needed")
		}
	}
}

// FuzzPort: what is accepted is what is written, and nothing else.
func FuzzPort(f *testing.F) {
	for _, seed := range []string{"127,0,0,1,4,1", "1,2,3,4,0,0", "256,0,0,1,1,1", " 1, 2,3,4,5,6", "1,2,3,4,5", "1,2,3,4,5,6,7", "+1,2,3,4,5,6", "1,2,3,4,05,6", ",,,,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		to, ok := parsePort(arg)
		if !ok {
			return
		}
		a, p := to.Addr(), to.Port()
		if !a.Is4() || p == 0 || strings.Count(arg, ",") != 5 || strings.Trim(arg, "0123456789, ") != "" {
			t.Errorf("%q is taken for %s", arg, to)
		}
	})
}

// FuzzEPRT: the family is the address's, and the port is one.
func FuzzEPRT(f *testing.F) {
	for _, seed := range []string{"|1|127.0.0.1|40000|", "|2|::1|1|", "!2!fe80::1%eth0!65535!", "|1|::ffff:1.2.3.4|1|", "|2|::ffff:1.2.3.4|1|", "|3|x|y|", "||||", "1111", "|1|1.2.3.4|+1|", "\xff1\xff1.2.3.4\xff1\xff", "|01|1.2.3.4|1|"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		family, to, ok := parseEPRT(arg)
		if !ok {
			return
		}
		if !isNumber(family) || strings.ContainsAny(family, "\r\n") {
			t.Errorf("%q has the family %q", arg, family)
		}
		if known := family == "1" || family == "2"; known && (to.Port() == 0 || to.Addr().Is4() != (family == "1") || to.Addr().Zone() != "" || to.Addr().Is4In6()) {
			t.Errorf("%q is taken for %s of the family %s", arg, to, family)
		}
	})
}

// FuzzListOptions: what is left is the end of what was there, and a path that
// stands behind "--" is left as it is.
func FuzzListOptions(f *testing.F) {
	for _, seed := range []string{"", "-la", "-l -R dir", "-- -x", "-", "--", "- -", "-t  x y ", "--a -b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		o, p := parseListOptions(arg)
		if !strings.HasSuffix(arg, p) {
			t.Errorf("%q leaves %q", arg, p)
		}
		if !strings.HasPrefix(arg, "-") && (p != arg || o != listOptions{}) {
			t.Errorf("%q has options %+v and leaves %q", arg, o, p)
		}
		behind := strings.TrimLeft(arg, " ")
		if _, got := parseListOptions("-t -- " + behind); got != behind {
			t.Errorf("behind --: %q, want %q", got, behind)
		}
	})
}

// FuzzPattern: a pattern that is accepted matches without an error, and in time
// that is bounded by the lengths.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"*.txt", "a.txt"}, {"[a-", "a"}, {"[]", "]"}, {"\\", "\\"}, {strings.Repeat("*a", 100), strings.Repeat("a", 255)}, {strings.Repeat("*", 255), "x"}, {"[^a]?", "\xffb"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if _, err := path.Match(pattern, ""); err != nil || len(pattern) > 255 || len(name) > 255 {
			return
		}
		target := listTarget{pattern: pattern}
		start := time.Now()
		target.shows(name)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s", took)
		}
	})
}

// FuzzFacts: what is chosen is told back, and choosing that again changes nothing.
func FuzzFacts(f *testing.F) {
	for _, seed := range []string{"", "type;size;", "Modify", "UNIX.mode;;unique; perm", ";;;", "frob;type"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		set := parseFacts(arg)
		if again := parseFacts(set.list()); again != set {
			t.Errorf("%q: %v, then %v", arg, set, again)
		}
		line := string(appendFacts(nil, set, &vfs.Info{Size: 1}))
		if strings.ContainsAny(line, " \r\n") {
			t.Errorf("%q: facts %q", arg, line)
		}
	})
}

// FuzzDeflateLevel: a level is one of zlib's.
func FuzzDeflateLevel(f *testing.F) {
	for _, seed := range []string{"Z LEVEL 6", "z level 9 engine zlib", "Z", "Z METHOD 8", "Z LEVEL 99999999999999999999", "Z LEVEL", "S LEVEL 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if level, ok := parseDeflateLevel(value); ok && (level < 1 || level > 9) {
			t.Errorf("%q is level %d", value, level)
		}
	})
}

// FuzzReply: no name can end a line, of a reply or of a listing, and what is
// quoted is told back whole.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{"", "a", `quo"te`, `""`, "a\r\n226 Done", "\x00\x7f\x1b[31m", "\xff\xfe", "zwei Wörter", "\u2028\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		w := &wire{}
		c := &control{conn: w, patience: func() time.Duration { return replyTimeout }}
		must(t, c.reply(257, quoted(name)+" is the current directory"))
		must(t, c.replyLines(212, "Status of "+quoted(name), []string{name, name}, "End"))
		if got := w.written.String(); strings.Count(got, "\r\n") != 5 || strings.Count(got, "\n") != 5 || strings.Count(got, "\r") != 5 {
			t.Errorf("%q makes %q", name, got)
		}
		first, _, _ := strings.Cut(w.written.String(), "\r\n")
		inside := strings.TrimSuffix(strings.TrimPrefix(first, `257 "`), `" is the current directory`)
		if told := strings.ReplaceAll(inside, `""`, `"`); told != oneLine(name) || strings.Count(inside, `"`) != 2*strings.Count(name, `"`) {
			t.Errorf("%q is told as %q", name, first)
		}
		line := string(formatLong(nil, nil, &vfs.Info{Name: name}))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\r\n") || strings.Count(line, "\r") != 1 {
			t.Errorf("%q is listed as %q", name, line)
		}
	})
}

// FuzzCommands: whatever is typed, each line has one reply of its own, and the
// session goes on.
func FuzzCommands(f *testing.F) {
	for _, seed := range []string{
		"NOOP", "EPSV ALL", "OPTS MLST type", "LANG x-y", "TYPE L 8", "HELP HELP", "CSID a=b;", "PORT 1,2,3,4,5,6", "STAT -R *", "LIST -lR [", "PASV\x01",
		"SITE x", "REST 99999999999999999999", "EPRT |1|", "MODE Z", "PROT P", "PBSZ 4294967296", "RNTO \xff", "CWD \"a\"", "SIZE ..", "NLST -",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		verb, _, _ := strings.Cut(line, " ")
		switch fullVerb(verb) {
		case "QUIT", "AUTH", "USER", "PASS", "REIN":
			return // change who types
		}
		if strings.Contains(line, "\n") || strings.Contains(line, "\xff") || len(line) > maxLine/2 {
			return
		}
		c := newBench(t, allowModeZ).login()
		c.send(line)
		if got := c.reply(); len(got) < 4 || got[0] < '2' || got[0] > '5' {
			t.Errorf("%q: reply %q", line, got)
		}
		c.do("SYST", "215")
	})
}

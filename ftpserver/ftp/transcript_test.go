package ftp

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

var update = flag.Bool("update", false, "write the replies of this run into the transcripts")

// TestTranscripts plays testdata/transcripts/*.txt against a server, in clear
// and over TLS. Of their lines,
//
//	# says what follows; "# plain only" that TLS makes another dialogue of it
//	> is sent
//	< is what comes back
//	^ is what the next transfer uploads, in Go's quotes
//	v is what a transfer downloaded, in Go's quotes
//
// What differs from run to run is masked: see mask.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	must(t, err)
	for _, path := range files {
		data, err := os.ReadFile(path)
		must(t, err)
		script := string(data)
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name+"/plain", func(t *testing.T) {
			got := play(t, script, false)
			if *update {
				must(t, os.WriteFile(path, []byte(got), 0o644))
				script = got
			}
			compare(t, got, script)
		})
		if strings.Contains(script, "# plain only\n") {
			continue
		}
		t.Run(name+"/TLS", func(t *testing.T) { compare(t, play(t, script, true), script) })
	}
}

// exchange is a command of a transcript, and the digits of its replies.
type exchange struct {
	verb, arg string // the verb as it stands in the table
	codes     []string
}

func exchanges(t *testing.T) []exchange {
	t.Helper()
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	must(t, err)
	var out []exchange
	for _, path := range files {
		data, err := os.ReadFile(path)
		must(t, err)
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSuffix(line, "\n")
			if sent, ok := strings.CutPrefix(line, "> "); ok {
				verb, arg, _ := strings.Cut(sent, " ")
				out = append(out, exchange{verb: fullVerb(verb), arg: arg})
			} else if reply, ok := strings.CutPrefix(line, "< "); ok && len(out) > 0 && len(reply) > 3 && reply[0] != ' ' {
				e := &out[len(out)-1]
				e.codes = append(e.codes, reply[:3])
			}
		}
	}
	return out
}

// TestEveryCommandHasATranscript: of each command, every kind of form that its
// entry in the table calls for: one that works, unless it is refused always; one
// that doesn't, unless it can't be wrong; none before a login where it needs
// one; none without an argument, or with one, where that is wrong.
func TestEveryCommandHasATranscript(t *testing.T) {
	all := exchanges(t)
	has := func(verb string, fits func(e exchange) bool) bool {
		return slices.ContainsFunc(all, func(e exchange) bool { return e.verb == verb && len(e.codes) > 0 && fits(e) })
	}
	last := func(e exchange) string { return e.codes[len(e.codes)-1] }
	neverFails := map[string]bool{"QUIT": true}
	for _, verb := range verbs() {
		c := commands[verb]
		for _, form := range []struct {
			name   string
			wanted bool
			fits   func(e exchange) bool
		}{
			{"that works", !c.refused, func(e exchange) bool { return last(e)[0] == '2' || last(e)[0] == '3' }},
			{"that is refused", !neverFails[verb], func(e exchange) bool { return last(e)[0] >= '4' }},
			{"before a login", c.login, func(e exchange) bool { return last(e) == "530" }},
			{"without its argument", c.arg, func(e exchange) bool { return strings.TrimSpace(e.arg) == "" && last(e) == "501" }},
			{"with an argument too many", c.bare, func(e exchange) bool { return e.arg != "" && last(e) == "501" }},
			{"without a data connection", c.data, func(e exchange) bool { return last(e) == "425" }},
		} {
			if form.wanted && !has(verb, form.fits) {
				t.Errorf("%s: there is no transcript of a form %s", verb, form.name)
			}
		}
		if c.refused && has(verb, func(e exchange) bool { return last(e)[0] < '4' }) {
			t.Errorf("%s is refused always, and yet works", verb)
		}
	}
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := at(gotLines, i), at(wantLines, i)
		if g != w {
			t.Fatalf("line %d:\ngot  %s\nwant %s", i+1, g, w)
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// player plays one transcript and writes what it sees.
type player struct {
	*client
	out      strings.Builder
	data     net.Conn     // passive, connected
	listener net.Listener // active
	upload   *string
}

func play(t *testing.T, script string, secured bool) string {
	b := newBench(t, func(c *config.Config) { c.Active, c.ModeZ = true, config.ModeZAllow })
	b.furnish()
	p := &player{client: b.connect()}
	if secured {
		p.secure()
	}
	defer p.dropData()
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&p.out, line)
			p.command(line[2:])
		case strings.HasPrefix(line, "^ "):
			fmt.Fprintln(&p.out, line)
			content, err := strconv.Unquote(line[2:])
			must(t, err)
			p.upload = &content
		case strings.HasPrefix(line, "< "), strings.HasPrefix(line, "v "):
		default:
			fmt.Fprintln(&p.out, line)
		}
	}
	return strings.TrimSuffix(p.out.String(), "\n") + "\n"
}

// furnish fills alice's home with files whose times never change.
func (b *bench) furnish() {
	b.t.Helper()
	b.file("file.txt", "Hello, world\n")
	b.file("empty", "")
	b.file("dir/inner.txt", "inner")
	b.file(`quo"te`, "quoted")
	b.file("zwei Wörter", "two words")
	b.file("latin\xe9", "one byte")
	b.file("line\nbreak", "never two lines")
	must(b.t, os.Symlink("file.txt", filepath.Join(b.home, "link")))
	must(b.t, os.Chmod(filepath.Join(b.home, "empty"), 0o600))
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, name := range []string{"file.txt", "empty", "dir/inner.txt", "dir", `quo"te`, "zwei Wörter", "latin\xe9", "line\nbreak", "."} {
		must(b.t, os.Chtimes(filepath.Join(b.home, name), when, when))
	}
}

func (p *player) command(line string) {
	p.t.Helper()
	p.send(p.active(line))
	for {
		r := p.reply()
		for l := range strings.SplitSeq(r, "\n") {
			fmt.Fprintln(&p.out, "< "+mask(l))
		}
		if port, ok := portOf(r); ok {
			p.dropData()
			p.data = p.dial(port)
		}
		if !strings.HasPrefix(r, "150") {
			break
		}
		p.transfer()
	}
	p.follow()
}

// follow does what the last reply asks of a client.
func (p *player) follow() {
	p.t.Helper()
	switch out := p.out.String(); {
	case strings.HasSuffix(out, "\n< 234 Start TLS now\n"):
		p.handshake()
	case strings.HasSuffix(out, "\n< 200 Data connections will be secured\n"):
		p.protect = true
	case strings.HasSuffix(out, "\n< 200 Data connections will be in clear\n"):
		p.protect = false
	case strings.HasSuffix(out, "\n< 221 Goodbye\n"):
		p.ended()
	}
}

// active puts a port that the player listens on into PORT and EPRT.
func (p *player) active(line string) string {
	if !strings.Contains(line, "MINE") {
		return line
	}
	p.dropData()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(p.t, err)
	p.listener = l
	port := l.Addr().(*net.TCPAddr).Port
	if strings.HasPrefix(line, "PORT") {
		return strings.ReplaceAll(line, "MINE", fmt.Sprintf("%d,%d", port>>8, port&0xff))
	}
	return strings.ReplaceAll(line, "MINE", strconv.Itoa(port))
}

func (p *player) dropData() {
	if p.data != nil {
		_ = p.data.Close()
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.data, p.listener = nil, nil
}

// transfer moves data after a 150.
func (p *player) transfer() {
	p.t.Helper()
	if p.listener != nil {
		conn, err := p.listener.Accept()
		must(p.t, err)
		_ = conn.SetDeadline(time.Now().Add(patience))
		_ = p.listener.Close()
		p.data, p.listener = conn, nil
	}
	conn := p.wrap(p.data.(*net.TCPConn))
	if p.upload != nil {
		_, err := io.WriteString(conn, *p.upload)
		must(p.t, err)
	} else {
		p.download(conn)
	}
	_ = conn.Close()
	p.upload, p.data = nil, nil
}

// download notes what comes, line by line. A listing is sorted: the order of a
// directory is the file system's.
func (p *player) download(conn net.Conn) {
	p.t.Helper()
	content, err := io.ReadAll(conn)
	must(p.t, err)
	lines := slices.Collect(strings.Lines(string(content)))
	if len(lines) == 0 {
		lines = []string{""}
	}
	if strings.HasSuffix(p.out.String(), "Sending the listing\n") {
		slices.SortFunc(lines, func(a, b string) int {
			return strings.Compare(a[strings.LastIndexByte(a, ' ')+1:], b[strings.LastIndexByte(b, ' ')+1:])
		})
	}
	for _, line := range lines {
		fmt.Fprintln(&p.out, "v "+strconv.Quote(mask(line)))
	}
}

var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\(\|\|\|\d+\|\)`), "(|||PORT|)"},
	{regexp.MustCompile(`\(127,0,0,1,\d+,\d+\)`), "(127,0,0,1,P,P)"},
	{regexp.MustCompile(`unique=[0-9a-f]+g[0-9a-f]+;`), "unique=U;"},
	{regexp.MustCompile(`modify=20[2-9]\d+;`), "modify=NOW;"},
	{regexp.MustCompile(`^( ?d[rwx-]+) +\d+( ftp +ftp) +\d+`), "${1} N${2} SIZE"},
	{regexp.MustCompile(`^213 20[2-9]\d{11}`), "213 NOW"},
	{regexp.MustCompile(`^213 (\d{7,13}|\d{15,})$`), "213 FREE"},
	{regexp.MustCompile(`(FILE: .*)-[a-z2-7]{12}`), "${1}-UNIQUE"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d`), "NOW"},
}

// mask replaces what no two runs have in common.
func mask(s string) string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.with)
	}
	return s
}

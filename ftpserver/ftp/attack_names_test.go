package ftp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
)

// hostileNames are names of files that try to be more than one line, field or
// reply. Some can only be made by another program: no command can hold them.
var hostileNames = []string{
	"cr\rlf", "a\r\nb", "x\r\n226 Transfer complete", "\n-rw-r--r--   1 ftp      ftp                 0 Jan  1 00:00 forged", strings.Repeat("\n", 100), "\r", "dot\r\n.",
	"escape\x1b[2J\x1b[31mred\x1b]0;title\a", "back\b\b\bspace", "tab\tx", "vertical\vform\fx", "del\x7f",
	`quo"te`, `""`, `"`, `back\slash`, `\`, `'`, "`id`", "$(id)", "%0d%0a", "%s%n%d", "${jndi:ldap:x}", "<script>",
	"line\u2028separator", "paragraph\u2029x", "next\u0085line", "c1\u009b31m", "gnp.\u202eexe", "zero\u200bwidth", "\ufeffbom",
	" leading", "trailing ", "  two  inside  ", "-R", "-rf", "--", "-", "type=dir;size=0; forged", "Type=file; x", ";", "a -> ..", "a -> etc", "550 no",
	"\xff\xfe", "caf\xe9", "\xc3\x28", "телефон", "\xff\xf4\xf2ABOR",
	`","msg":"Login","user":"root`, `x" outcome=complete user=root msg="Login`, `{"time":"2026-01-01T00:00:00Z","level":"Info","msg":"Login refused","client":"203.0.113.1:1"}`,
	"Wed Nov  4 13:05:09 2026 1 203.0.113.1 0 %2f b _ o r root ftp 0 * c", `time=2026-01-01T00:00:00Z level=Info msg="Login refused" client=203.0.113.1:1`,
}

// sayable tells whether a command can hold a name.
func sayable(name string) bool { return !strings.ContainsAny(name, "\r\n\x00") }

// say is a name as a client sends it (RFC 854: IAC is doubled).
func say(name string) string { return strings.ReplaceAll(name, "\xff", "\xff\xff") }

// TestAttackInjectionIntoListings: whatever a file is called, it is one line of a
// listing, with its own facts, and whoever can say its name gets it.
func TestAttackInjectionIntoListings(t *testing.T) {
	b := newBench(t, nil)
	want := make([]string, 0, len(hostileNames))
	for i, name := range hostileNames {
		b.file("files/"+name, fmt.Sprint(i))
		must(t, os.MkdirAll(filepath.Join(b.home, "dirs", name), 0o755))
		want = append(want, oneLine(name))
	}
	slices.Sort(want)
	c := b.login()
	long, facts := regexp.MustCompile(`^-rw-r--r--   1 ftp      ftp  +\d\d? [A-Z][a-z]{2} [ \d]\d (?:\d\d:\d\d| \d{4}) `), regexp.MustCompile(`^(?:[A-Za-z.]+=[^;= ]*;)+ `)
	for line, form := range map[string]*regexp.Regexp{
		"LIST files": long, "NLST files": regexp.MustCompile("^files/"), "MLSD files": facts, "LIST files/*": long, "NLST files/*": regexp.MustCompile("^files/"),
		"LIST -t files": long, "LIST -R files": long,
	} {
		reply, data := c.ask(true, line)
		if !strings.HasPrefix(reply, "150") || !strings.Contains(reply, "\n226 ") || strings.Count(reply, "\n") != 1 {
			t.Errorf("%s: %q", line, reply)
		}
		checkLines(t, line, strings.Split(strings.TrimSuffix(data, "\r\n"), "\r\n"), form, want)
	}
	for line, code := range map[string]string{"STAT files": "212", "STAT files/*": "212"} {
		lines := strings.Split(c.do(line, code+"-"), "\n")
		if last := lines[len(lines)-1]; last != code+" End of status" {
			t.Errorf("%s ends with %q", line, last)
		}
		checkLines(t, line, lines[1:len(lines)-1], regexp.MustCompile("^ "+long.String()[1:]), want)
	}
	for i, name := range hostileNames {
		if !sayable(name) {
			continue
		}
		if got, reply := c.download("RETR files/" + say(name)); got != fmt.Sprint(i) {
			t.Errorf("RETR %q: %q, %s", name, got, reply)
		}
		for _, line := range []string{"LIST -- files/%s", "MLST files/%s", "CWD dirs/%s", "PWD", "MLST .", "STAT -d -- /dirs/%s", "CWD /", "RNFR files/%s", "MKD made%s", "RMD made%s"} {
			line := strings.ReplaceAll(line, "%s", say(name))
			word, _, _ := strings.Cut(line, " ")
			reply, data := c.ask(commands[word].data, line)
			if strings.ContainsFunc(strings.ReplaceAll(reply, "\n", ""), isControl) || strings.ContainsFunc(strings.TrimSuffix(data, "\r\n"), isControl) {
				t.Errorf("%q: %q %q", line, reply, data)
			}
			if reply[0] == '5' {
				t.Errorf("%q: %q", line, reply)
			}
		}
	}
	b.servesOn("alice")
}

// checkLines holds the lines of a listing against the names that are there.
func checkLines(t *testing.T, what string, lines []string, form *regexp.Regexp, want []string) {
	t.Helper()
	var got []string
	for _, line := range lines {
		begin := form.FindString(line)
		if begin == "" || strings.ContainsFunc(line, isControl) {
			t.Errorf("%s: the line %q", what, line)
		}
		got = append(got, line[len(begin):])
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s shows\n%q, want\n%q", what, got, want)
	}
}

// TestAttackInjectionIntoReplies: what a client says is in no reply more than a
// part of its line.
func TestAttackInjectionIntoReplies(t *testing.T) {
	b := newBench(t, nil)
	for _, name := range hostileNames {
		if !sayable(name) {
			continue
		}
		c := b.connect()
		for _, line := range []string{"HOST %s", "CLNT %s", "CSID Name=%s;", "LANG %s", "OPTS %s", "OPTS UTF8 %s", "OPTS MLST %s", "HELP %s", "%s", "AUTH %s", "USER %s"} {
			c.answersOnce(strings.ReplaceAll(line, "%s", say(name)))
		}
		c.do("USER alice", "331")
		c.do("PASS "+password, "230")
		for _, line := range []string{
			"SITE %s", "SITE HELP %s", "SITE CHMOD %s", "OPTS HASH %s", "TYPE %s", "MODE %s", "STRU %s", "REST %s", "RANG %s", "ALLO %s", "ACCT %s", "EPSV %s", "EPRT %s", "PORT %s", "SMNT %s", "MFF %s", "MDTM %s", "COMB %s",
		} {
			c.answersOnce(strings.ReplaceAll(line, "%s", say(name)))
		}
		c.do("QUIT", "221")
	}
	b.servesOn("alice")
}

// answersOnce fails unless there is one reply, of printable lines.
func (c *client) answersOnce(line string) {
	c.t.Helper()
	c.send(line)
	if reply := c.reply(); strings.ContainsFunc(strings.ReplaceAll(reply, "\n", ""), isControl) {
		c.t.Errorf("%q: %q", line, reply)
	}
	c.do("NOOP", "200 OK") // and not what came after the first
}

// TestAttackInjectionIntoLogs: a name is one value of one line of the log in both
// of its forms, of the log of transfers, and of the status.
func TestAttackInjectionIntoLogs(t *testing.T) {
	for _, format := range []string{"JSON", "Text"} {
		t.Run(format, func(t *testing.T) {
			const odd = "we\"ird\u2028 user=root msg=Login"
			var log logBuffer
			logger, _ := telemetry.NewLogger(&log, "Debug", format)
			transfers := xferlog.New(logger, func() { t.Error("a line of the log of transfers is lost") })
			path := filepath.Join(t.TempDir(), "xferlog")
			transfers.SetPath(path)
			t.Cleanup(transfers.Close)
			b := newBenchWith(t, parts{log: logger, xferlog: transfers}, func(c *config.Config) { addUsers(c, config.User{Name: odd, Home: "/alice"}) })
			c := b.loginAs(odd)
			c.do("CLNT x\x1b[31m\u2028\"}", "200")
			stored := 0
			for _, name := range hostileNames {
				if !sayable(name) {
					continue
				}
				if reply := c.upload("STOR "+say(name), "x"); !strings.HasPrefix(reply, "226") {
					t.Fatalf("STOR %q: %s", name, reply)
				}
				stored++
				c.do("RNFR "+say(name), "350")
				c.do("RNTO renamed", "250")
				c.do("DELE renamed", "250")
				c.open()
				c.do("RETR "+say(name), "550")
			}
			c.showsInStatus(t, "st\x1b[31m\"atus\u2028")
			b.servesOn("alice")
			transfers.Close()
			checkLog(t, format, log.String(), odd)
			checkXferlog(t, path, stored+3) // what the two steps before have moved
		})
	}
}

// showsInStatus has the status of sessions tell a path as it is.
func (c *client) showsInStatus(t *testing.T, name string) {
	t.Helper()
	conn := c.begin("STOR " + name)
	data, err := json.Marshal(config.Status{SessionList: c.bench.server.Sessions(10)})
	must(t, err)
	var status config.Status
	must(t, json.Unmarshal(data, &status))
	if got := status.SessionList[0].Transfer; got == nil || got.Path != "/"+name || strings.ContainsFunc(string(data), isControl) || strings.Contains(string(data), "\u2028") {
		t.Errorf("the status is %s", data)
	}
	must(t, conn.Close())
	c.expect("226")
	c.do("DELE "+name, "250")
}

// checkLog holds every line against the form of the log.
func checkLog(t *testing.T, format, text, user string) {
	t.Helper()
	stored := map[string]bool{}
	text = strings.TrimSuffix(text, "\n")
	form := regexp.MustCompile(`^time=\S+ level=(?:Debug|Info|Warn) msg=(?:\w+|"[\w' ]+")(?: \w+=(?:[^\s"=]+|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|""))*$`)
	for line := range strings.SplitSeq(text, "\n") {
		if strings.ContainsFunc(line, unicode.IsControl) || strings.ContainsAny(line, "\u2028\u2029") {
			t.Errorf("a line holds control characters: %q", line)
		}
		if format == "Text" {
			if !form.MatchString(line) {
				t.Errorf("no line of this log: %s", line)
			}
			continue
		}
		var fields struct{ Msg, Path, Verb, User, Name string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if fields.Msg == "Login" && fields.User != user && fields.User != "alice" {
			t.Errorf("a login of %q", fields.User)
		}
		if fields.Msg == "Transfer" && fields.Verb == "STOR" {
			stored[fields.Path] = true
		}
	}
	for _, name := range hostileNames {
		if format == "JSON" && sayable(name) && utf8.ValidString(name) && !stored["/"+name] {
			t.Errorf("the log tells nothing of an upload of %q", name)
		}
	}
}

func checkXferlog(t *testing.T, path string, want int) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != want {
		t.Errorf("%d lines in the log of transfers, want %d", len(lines), want)
	}
	for _, line := range lines {
		if n := len(strings.Fields(line)); n != 18 || strings.ContainsFunc(line, isControl) {
			t.Errorf("%d fields: %q", n, line)
		}
	}
}

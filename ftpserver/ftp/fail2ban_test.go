package ftp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/lockout"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
)

// asFail2ban prints, for each line, the address that the first expression finds
// in it, looking as fail2ban does: with re.search, after the time was taken out
// of the line.
const asFail2ban = `
import json, re, sys
given = json.load(sys.stdin)
ADDR = r'\[?(?:(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})|(?P<ip6>[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*))\]?'
exprs = [re.compile(e.replace('<ADDR>', ADDR)) for e in given['expressions']]
date = re.compile('|'.join(given['dates']))
def find(line):
    for e in exprs:
        m = e.search(line)
        if m:
            return m.group('ip4') or m.group('ip6')
    return ''
print(json.dumps([[find(l), find(date.sub('', l, count=1))] for l in given['lines']]))
`

// fail2banFilter reads what docs/fail2ban/ftpserver.conf says under a name.
func fail2banFilter(t *testing.T, name string) (out []string) {
	t.Helper()
	data, err := os.ReadFile("../../docs/fail2ban/ftpserver.conf")
	must(t, err)
	_, rest, found := strings.Cut(string(data), "\n"+name+" = ")
	if !found {
		t.Fatalf("the filter has no %s", name)
	}
	for line := range strings.Lines(rest) {
		if len(out) > 0 && !strings.HasPrefix(line, " ") {
			break
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// TestFail2ban: the filter in the docs finds the address of each failed login in
// the server's own log, and nobody can have it find another.
func TestFail2ban(t *testing.T) {
	python, err := exec.LookPath("/usr/bin/python3")
	if err != nil {
		python = "python3"
	}
	dates := fail2banFilter(t, "datepattern")
	for i, d := range dates {
		d = strings.NewReplacer("%%Y", `\d{4}`, "%%m", `\d\d`, "%%d", `\d\d`, "%%H", `\d\d`, "%%M", `\d\d`, "%%S", `\d\d`, "%%z", "Z").Replace(d)
		dates[i] = d
	}
	for _, format := range []string{"JSON", "Text"} {
		t.Run(format, func(t *testing.T) {
			lines := hostileLogins(t, format)
			in, err := json.Marshal(map[string]any{"expressions": fail2banFilter(t, "failregex"), "dates": dates, "lines": lines})
			must(t, err)
			cmd := exec.Command(python, "-c", asFail2ban)
			cmd.Stdin = bytes.NewReader(in)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var found [][2]string
			must(t, json.Unmarshal(out, &found))
			for i, line := range lines {
				want := ""
				if strings.Contains(line, "Login refused") && !strings.Contains(line, "NOT-REFUSED") {
					want = "127.0.0.1"
				}
				if found[i] != [2]string{want, want} {
					t.Errorf("found %q, want %q in\n%s", found[i], want, line)
				}
			}
			if n := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, lockedOutReason) }); n < 0 {
				t.Error("no login was locked out")
			}
		})
	}
}

// hostileLogins are the lines of a log of failed logins whose names try to look
// like something else, and of some things that are no failed logins.
func hostileLogins(t *testing.T, format string) []string {
	names := []string{
		"alice", "with space", `quo"te`, `back\slash`, `\`, "ta\tb", "line\u2028separator", "vertical\x0btab", "esc\x1b[31m", "caf\xe9\x80",
		`","client":"203.0.113.1:1","user":"x`,
		`x"}` + "\u0085" + `{"time":"2026-01-01T00:00:00Z","level":"Info","msg":"Login refused","session":1,"client":"203.0.113.2:1","user":"x"}`,
		`x" level=Info msg="Login refused" session=1 client=203.0.113.3:1 user=y`,
		`time=2026-01-01T00:00:00Z level=Info msg="Login refused" session=1 client=203.0.113.4:1 user=y`,
		"203.0.113.5", "[2001:db8::1]:1", strings.Repeat("203.0.113.6 ", 20),
	}
	var log logBuffer
	logger, _ := telemetry.NewLogger(&log, "Info", format)
	b := newBenchWith(t, parts{log: logger}, func(c *config.Config) {
		trusting(config.ProxyRequired, "127.0.0.5/32")(c)
		c.Limits.FailedLogins.Mode = config.GuessingDelay
		c.Limits.FailedLogins.Delay, c.Limits.FailedLogins.MaxDelay = 1e6, 1e6
	})
	tries := 0
	for _, name := range names {
		c := b.connect()
		c.try(name, "wrong", "530")
		tries++
	}
	c := b.over(b.dialFrom("127.0.0.5", b.address))
	c.sends(t, header(2, "127.0.0.1")) // as a balancer tells it
	c.expect("220")
	c.try("alice", "wrong", "530")
	tries++
	b.reload(func(c *config.Config) { c.Limits.FailedLogins.Mode = config.GuessingLockout })
	for range 10 {
		b.server.guesses.Failed(policy(b.source.Current().Config.Limits.FailedLogins),
			lockout.Attempt{Name: "bob", From: origin(b.server.all()[0].client)})
	}
	b.connect().try("bob", "wrong", "530")
	c = b.login()
	c.do("MKD "+`{"time":"NOT-REFUSED","level":"Info","msg":"Login refused","session":1,"client":"203.0.113.7:1",`, "257")
	c.do("STOR x", "425")
	c.upload(`STOR NOT-REFUSED Login refused client=203.0.113.8:1 user=x`, "content")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if n := strings.Count(log.String(), "\n"); n < tries+2 {
		t.Fatal(fmt.Sprint(n, " lines, want more than ", tries))
	}
	return lines
}

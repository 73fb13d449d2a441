package ftp

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// The canary lies outside of every home. Of what is told of it, nothing else in
// these tests looks alike.
const (
	canaryText = "CANARY: nobody is to read this"
	canaryTime = "20010203040506"
	onlyThere  = "name-that-is-only-there"
	ownTime    = "20150203040506" // in arguments
)

// canarySize is that of the canary, in bytes: no number of a port.
const canarySize = 87331

// cage is a bench with a canary, and with a user whose paths are tried.
type cage struct {
	*bench
	user string
	own  string // the user's home, on the disk
	// furnish fills the home anew.
	furnish func()
	// tells are the words that give the canary away. Its size is one by itself only: what
	// is free on a disk is a long number of any digits.
	tells *regexp.Regexp
	alike string // what is to stay as it is, as state tells it
	now   *client
}

// newCage makes the bench with users for each of the two ways that lead to a
// file: without path rules and with one.
func newCage(t *testing.T, user string, furnish func(home, outside string)) *cage {
	t.Helper()
	b := newBench(t, func(c *config.Config) {
		c.Passive.Ports = freePorts(t, 16)
		addUsers(c, config.User{Name: "ruled", Paths: []config.PathRule{{Path: "/rule", Role: config.RoleReadOnly}}})
	})
	outside := filepath.Join(b.root, "outside")
	must(t, os.MkdirAll(filepath.Join(outside, "sub"), 0o755))
	text := strings.Repeat(canaryText+"\n", canarySize/len(canaryText))[:canarySize]
	for _, name := range []string{"canary", onlyThere, "sub/canary"} {
		must(t, os.WriteFile(filepath.Join(outside, name), []byte(text), 0o644))
		when, _ := parseTime(canaryTime)
		must(t, os.Chtimes(filepath.Join(outside, name), when, when))
	}
	k := &cage{bench: b, user: user, own: filepath.Join(b.root, user)}
	tells := []string{canaryText, fmt.Sprintf(`\b%d\b`, canarySize), canaryTime, onlyThere, "root:"}
	for _, a := range hashAlgorithms {
		h := a.make()
		_, _ = h.Write([]byte(text))
		tells = append(tells, fmt.Sprintf("%x", h.Sum(nil)))
	}
	k.tells = regexp.MustCompile(strings.Join(tells, "|"))
	must(t, os.MkdirAll(k.own, 0o755))
	k.furnish = func() {
		entries, err := os.ReadDir(k.own)
		must(t, err)
		for _, e := range entries {
			must(t, os.RemoveAll(filepath.Join(k.own, e.Name())))
		}
		furnish(k.own, outside)
	}
	k.furnish()
	k.now = k.loginAs(user)
	must(t, os.MkdirAll(filepath.Join(k.own, "rule"), 0o755))
	k.alike = state(t, b.root, k.own)
	return k
}

// linesWith are the command lines that have a command work on a path: one that is
// new in the table has its path as its argument, or is to be added here.
func linesWith(t *testing.T, verb, p string) []string {
	t.Helper()
	switch verb {
	case "MDTM", "MFMT":
		return []string{verb + " " + p, verb + " " + ownTime + " " + p}
	case "MFF":
		return []string{"MFF Modify=" + ownTime + ";UNIX.mode=0600; " + p}
	case "SITE":
		var lines []string
		for name := range siteCommands {
			forms, known := map[string][]string{
				"CHMOD": {"CHMOD 600 %s"}, "UTIME": {"UTIME " + ownTime + " %s", "UTIME %s " + ownTime + " " + ownTime + " " + ownTime + " UTC"},
				"QUOTA": {"QUOTA %s"}, "HELP": {"HELP %s"},
			}[name]
			if !known {
				t.Errorf("SITE %s is new: say here where its path is", name)
			}
			for _, form := range forms {
				lines = append(lines, "SITE "+fmt.Sprintf(form, p))
			}
		}
		slices.Sort(lines)
		return lines
	case "COMB":
		q := quoted(p)
		return []string{`COMB "made" ` + q, "COMB " + q + ` "file"`, `COMB "made" "file" ` + q}
	case "LIST", "NLST", "STAT":
		return []string{verb + " " + p, verb + " -R " + p, verb + " -d -- " + p, verb + " " + p + "/*"}
	case "RNFR":
		return []string{"RNFR " + p, "RNTO made"}
	case "RNTO":
		return []string{"RNFR file", "RNTO " + p}
	case "CWD":
		return []string{"CWD " + p, "LIST", "RETR canary", "STOR canary", "CWD /"}
	case "CDUP":
		return []string{"CWD " + p, "CDUP", "MLSD", "CWD /"}
	}
	if _, sum := checksumVerbs[verb]; sum {
		return []string{verb + " " + p, verb + " " + quoted(p) + " 0 100"}
	}
	return []string{verb + " " + p}
}

// try has every command that touches files work on a path. Nothing that comes may
// tell of the canary.
func (k *cage) try(t *testing.T, p string) (replies map[string]string) {
	replies = map[string]string{}
	for _, verb := range verbs() {
		if len(commands[verb].needs) == 0 {
			continue
		}
		if commands[verb].operations()&^(vfs.OpEnter|vfs.OpList|vfs.OpRead) != 0 {
			k.furnish() // the one before may have changed it
		}
		for _, line := range linesWith(t, verb, p) {
			word, _, _ := strings.Cut(line, " ")
			reply, content := k.now.ask(commands[word].data, line)
			replies[line] = reply
			for _, tell := range k.tells.FindAllString(reply+content, -1) {
				if !strings.Contains(line, tell) {
					t.Errorf("%q tells %q: %.300q %.300q", line, tell, reply, content)
				}
			}
			if strings.Contains(reply+content, k.root) && !strings.Contains(line, k.root) {
				t.Errorf("%q tells where the files are: %q %q", line, reply, content)
			}
		}
	}
	return replies
}

// untouched fails unless all is as it was outside of the home.
func (k *cage) untouched(t *testing.T, what string) {
	t.Helper()
	if now := state(t, k.root, k.own); now != k.alike {
		t.Fatalf("%s has changed what is outside:\n%s\ninto\n%s", what, k.alike, now)
	}
}

// spellings are ways to say "outside, the canary".
func spellings(root string) []string {
	far := strings.Repeat("../", 40)
	out := []string{
		"..", "../", "/..", "/../..", ".", "", "/", "//", "~", "~root", "~bob", "~/..", "dir/../..", "./..", "../.", "...", "..//..",
		"../outside", "/../outside/", "../outside/*", "../*", "../o*/c*", "[.][.]/outside/*", "*/../../outside", "?./outside", "{..,.}/outside/canary",
		`..\outside\canary`, `..\..\outside`, `\\outside\canary`, `C:\..\outside\canary`, `../outside\canary`,
		"%2e%2e/outside/canary", "..%2foutside%2fcanary", "%2e%2e%2foutside%2fcanary", "..%c0%afoutside%c0%afcanary", "%252e%252e/outside/canary",
		"\xc0\xae\xc0\xae/outside/canary", "..\xc0\xafoutside\xc0\xafcanary", "\xe0\x80\xae\xe0\x80\xae/outside/canary", "．．/outside/canary", "..／outside／canary", "‥/outside/canary",
		"../outside/canary", "/../outside/canary", "//../outside/canary", "../../outside/canary", "./../outside/canary", "..//outside//canary",
		"dir/../../outside/canary", "dir/./../.././outside/canary", "file/../../outside/canary", "missing/../../outside/canary", "../outside/canary/", "../outside/canary/.", "../outside/sub/../canary",
		".. /outside/canary", " ../outside/canary", ".../outside/canary", "....//....//outside/canary", "..;/outside/canary", "..:/outside/canary", "..\t/outside/canary",
		`"../outside/canary"`, `'../outside/canary'`, "$HOME/../outside/canary", "`id`", "|cat ../outside/canary", "-R ../outside", "-- ../outside",
		far + "outside/canary", "/" + far + "etc/passwd", far + "etc/passwd", "/etc/passwd", "//etc/passwd", "/proc/self/root/etc/passwd", "/dev/fd/0", "/dev/stdin",
		root + "/outside/canary", "/" + root + "/outside/canary", far + root + "/outside/canary", "file://" + root + "/outside/canary", "//localhost" + root + "/outside/canary",
		"~alice/../outside/canary", "~/../../outside/canary", "~root/../outside/canary",
		strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a", 5000), strings.Repeat("../", 1500) + "outside/canary", strings.Repeat("dir/../", 1000) + "../outside/canary", strings.Repeat("a/", 2000) + "x",
		strings.Repeat("./", 2000) + "../outside/canary",
	}
	return out
}

// TestAttackPathTraversal: no spelling of a path leads a command out of the home.
// The commands are those of the table.
func TestAttackPathTraversal(t *testing.T) {
	for _, user := range []string{"alice", "ruled"} {
		t.Run(user, func(t *testing.T) {
			k := newCage(t, user, func(home, _ string) {
				must(t, os.MkdirAll(filepath.Join(home, "dir"), 0o755))
				must(t, os.WriteFile(filepath.Join(home, "file"), []byte("own"), 0o644))
				must(t, os.Chtimes(filepath.Join(home, "file"), time.Now(), time.Unix(1e9, 0)))
			})
			for _, p := range spellings(k.root) {
				replies := k.try(t, p)
				k.untouched(t, fmt.Sprintf("%.100q", p))
				if !strings.Contains(p, "canary") && !strings.Contains(p, "passwd") {
					continue // it may well be a name in the home
				}
				for _, line := range []string{"RETR " + p, "SIZE " + p, "HASH " + p, "MLST " + p, "AVBL " + p} {
					if reply := replies[line]; !strings.HasPrefix(reply, "55") {
						t.Errorf("%.200q: %s", line, reply)
					}
				}
			}
			k.now.do("PWD", `257 "/" `)
			k.servesOn(user)
		})
	}
}

// TestAttackNUL: a NUL ends no path early. The command is refused as a whole, and
// so is one that is longer than any path.
func TestAttackNUL(t *testing.T) {
	k := newCage(t, "alice", func(home, _ string) {
		must(t, os.WriteFile(filepath.Join(home, "file"), []byte("own"), 0o644))
	})
	before := state(t, k.own, "")
	for _, verb := range verbs() {
		if len(commands[verb].needs) == 0 {
			continue
		}
		for _, p := range []string{"file\x00", "file\x00.txt", "\x00file", "../outside/canary\x00", "file\x00/../../outside/canary", "\x00"} {
			for _, line := range linesWith(t, verb, p) {
				if !strings.Contains(line, "\x00") {
					continue
				}
				k.now.do(line, "501 ")
			}
		}
		k.now.do(verb+" "+strings.Repeat("../", maxLine/3)+"outside/canary", "500 Command line longer")
	}
	if now := state(t, k.own, ""); now != before {
		t.Errorf("a command that was refused has changed\n%s\ninto\n%s", before, now)
	}
	k.untouched(t, "a NUL")
	k.servesOn("alice")
}

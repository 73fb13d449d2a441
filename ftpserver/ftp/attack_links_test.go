package ftp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// escapes are links out of a home, by name. Each leads to the directory outside,
// or, with "-file", to the canary.
func escapes(home, outside string) map[string]string {
	return map[string]string{
		"relative": "../outside", "absolute": outside, "dotted": "dir/../../outside", "chain": "link1", "link1": "link2", "link2": "relative",
		"proc": "/proc/self/root" + outside, "cwd": "/proc/self/cwd", "descriptor": "/proc/self/fd", "top": "/", "above": "..", "others": "../bob",
		"relative-file": "../outside/canary", "absolute-file": outside + "/canary", "proc-file": "/proc/self/root" + outside + "/canary", "chain-file": "relative/canary",
		"passwd-file": "/etc/passwd", "new-file": "../outside/made", "own-absolute": home, "circle": "circle", "nowhere": "missing",
	}
}

// TestAttackSymlinkEscape: no link leads a command out of the home, whoever has
// made it: not even one to the home itself by its real path.
func TestAttackSymlinkEscape(t *testing.T) {
	for _, user := range []string{"alice", "ruled"} {
		t.Run(user, func(t *testing.T) {
			var links map[string]string
			var tried string
			k := newCage(t, user, func(home, outside string) {
				must(t, os.MkdirAll(filepath.Join(home, "dir"), 0o755))
				must(t, os.WriteFile(filepath.Join(home, "file"), []byte("own"), 0o644))
				links = escapes(home, outside)
				for name, to := range links {
					if name == tried || slices.Contains([]string{"link1", "link2", "relative"}, name) {
						must(t, os.Symlink(to, filepath.Join(home, name)))
					}
				}
			})
			must(t, os.MkdirAll(filepath.Join(k.root, "bob"), 0o755))
			must(t, os.WriteFile(filepath.Join(k.root, "bob", onlyThere), []byte(canaryText), 0o600))
			k.alike = state(t, k.root, k.own)
			for name := range links {
				tried = name
				for _, p := range []string{name, "dir/../" + name + "/canary"} {
					replies := k.try(t, p)
					k.untouched(t, p)
					for _, verb := range []string{"RETR", "SIZE", "HASH", "CWD", "MLST", "AVBL", "MLSD", "STOR", "APPE"} {
						if reply := replies[verb+" "+p]; !strings.HasPrefix(reply, "550") {
							t.Errorf("%s %s -> %s: %s", verb, p, links[name], reply)
						}
					}
				}
			}
			k.servesOn(user)
		})
	}
}

// TestAttackSymlinkOfANeighbour: on a volume that two users share, the one whose
// home is inside the other's follows no link out of that, whatever the other, who
// may be there, makes of it. There is no command that makes a link.
func TestAttackSymlinkOfANeighbour(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		addUsers(c, config.User{Name: "team", Home: "/team"}, config.User{Name: "member", Home: "/team/member"}, config.User{Name: "other", Home: "/team/other"})
	})
	must(t, os.MkdirAll(filepath.Join(b.root, "team", "member"), 0o755))
	must(t, os.MkdirAll(filepath.Join(b.root, "team", "other"), 0o755))
	must(t, os.WriteFile(filepath.Join(b.root, "team", "other", "canary"), []byte(canaryText), 0o600))
	must(t, os.Symlink("../other", filepath.Join(b.root, "team", "member", "link")))
	must(t, os.Symlink("other/canary", filepath.Join(b.root, "team", "flat")))
	c := b.loginAs("member")
	c.open()
	c.do("RETR link/canary", "550 ")
	c.do("CWD link", "550 ")
	team := b.loginAs("team")
	if got, reply := team.download("RETR member/link/canary"); got != canaryText {
		t.Errorf("inside of the other's home it leads somewhere: %q, %s", got, reply)
	}
	// The neighbour moves a link, and a directory with one, into the other's home:
	// each leads on from where it is now.
	team.do("RNFR flat", "350")
	team.do("RNTO member/flat", "250")
	c.open()
	c.do("RETR flat", "550 ")
	team.do("RNFR member/link", "350")
	team.do("RNTO other/link", "250")
	for _, line := range []string{"SITE LINK a b", "SITE SYMLINK a b", "LINK a b", "SYMLINK a b", "SITE EXEC ln"} {
		if reply := c.do(line, "5"); !strings.HasPrefix(reply, "50") {
			t.Errorf("%s: %s", line, reply)
		}
	}
	b.servesOn("member")
}

// swaps exchanges a directory and a link to the outside while rounds of work are
// done: so many, and then on until there were as many exchanges, and one round
// found the directory; mostRounds at the most.
func swaps(t *testing.T, home string, round func() (won int)) (exchanged, won int) {
	t.Helper()
	done := make(chan struct{})
	var n atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if unix.Renameat2(unix.AT_FDCWD, filepath.Join(home, "at"), unix.AT_FDCWD, filepath.Join(home, "link"), unix.RENAME_EXCHANGE) == nil {
					n.Add(1)
				}
			}
		}
	})
	for i := 0; i < mostRounds && (i < rounds || won == 0 || n.Load() < rounds); i++ {
		won += round()
	}
	close(done)
	wg.Wait()
	return int(n.Load()), won
}

// How often each command runs against the exchange.
const (
	rounds     = 100
	mostRounds = 20_000
)

// TestAttackSymlinkRace: a program that exchanges a directory for a link, while
// sessions work in it, gets nobody out of the home.
func TestAttackSymlinkRace(t *testing.T) {
	for _, user := range []string{"alice", "ruled"} {
		t.Run(user, func(t *testing.T) {
			k := newCage(t, user, func(home, _ string) {
				must(t, os.MkdirAll(filepath.Join(home, "at"), 0o755))
				must(t, os.WriteFile(filepath.Join(home, "at", "canary"), []byte("own"), 0o644))
				must(t, os.Symlink("../outside", filepath.Join(home, "link")))
			})
			for i, lines := range [][]string{
				{"RETR at/canary"}, {"STOR at/canary"}, {"APPE at/new"}, {"STOU at/x"}, {"LIST -R"}, {"MLSD at"}, {"NLST at/*"}, {"HASH at/canary"}, {"SIZE at/canary"},
				{"CWD at", "RETR canary", "CWD /"}, {"MKD at/made", "RMD at/made"}, {"MFMT " + ownTime + " at/canary"}, {"SITE CHMOD 600 at/canary"},
				{"STOR file", "RNFR file", "RNTO at/file", "DELE at/file"}, {"RNFR at/canary", "RNTO stolen", "RETR stolen", "RNFR stolen", "RNTO at/canary"},
				{"DELE at/canary", "STOR at/canary"}, {`COMB "all" "at/canary"`, "RETR all", "DELE all", "STOR at/canary"},
			} {
				n, won := swaps(t, k.own, func() (won int) {
					for _, line := range lines {
						won += k.once(t, line)
					}
					return won
				})
				if n == 0 || won == 0 {
					t.Errorf("%q: %d exchanges, %d times it reached the directory: this shows nothing", lines, n, won)
				}
				k.untouched(t, fmt.Sprintf("%d %q", i, lines))
			}
			k.servesOn(user)
		})
	}
}

// once carries one command of a race out, and tells whether it was: 1.
func (k *cage) once(t *testing.T, line string) int {
	verb, _, _ := strings.Cut(line, " ")
	_ = k.now.raw.SetDeadline(time.Now().Add(patience))
	reply, content := k.now.ask(commands[verb].data, line)
	if tell := k.tells.FindString(reply + content); tell != "" {
		t.Fatalf("%q tells %q: %.300q %.300q", line, tell, reply, content)
	}
	if strings.HasPrefix(reply, "5") || strings.HasPrefix(reply, "4") {
		return 0
	}
	return 1
}

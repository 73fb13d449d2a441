package ftp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// chain is what an attacker does, one command after the other. Each step is a
// command, "=>", and how its last reply begins; an upload sends "more".
type chain []string

func (c *client) follow(t *testing.T, steps chain) {
	t.Helper()
	for _, step := range steps {
		line, want, _ := strings.Cut(step, " => ")
		word, _, _ := strings.Cut(line, " ")
		reply, _ := c.ask(commands[word] != nil && commands[word].data, line)
		if lines := strings.Split(reply, "\n"); !strings.HasPrefix(lines[len(lines)-1], want) {
			t.Errorf("%q: %s answers %q, want %s", steps, line, reply, want)
		}
	}
}

// attackOf are chains of somebody who shares a home with its owner.
type attackOf struct {
	user   config.User
	chains []chain
	leaves []string // names that may have come
}

// attackers have each a role, and ways that a server might forget to judge by it.
func attackers() map[string]attackOf {
	readOnly := attackOf{user: config.User{Role: config.RoleReadOnly}, chains: []chain{
		{"RNFR file => 550", "RNTO x => 503"}, {"RNTO x => 503"},
		{"REST 3 => 350", "STOR file => 550"}, {"REST 0 => 350", "STOR new => 550"}, {"REST 7 => 350", "APPE file => 554"},
		{"APPE file => 550"}, {"APPE new => 550"}, {"STOU => 550"}, {"STOU file => 550"},
		{`COMB "new" "file" => 550`}, {`COMB "file" "dir/file" => 550`}, {`COMB "file" "missing" => 550`},
		{"MFMT 20200102030405 file => 550"}, {"MDTM 20200102030405 file => 550"}, {"MFF UNIX.mode=0777; file => 550"}, {"SITE CHMOD 777 file => 550"}, {"SITE UTIME 202001020304 dir => 550"},
		{"MKD x => 550"}, {"RMD dir => 550"}, {"DELE file => 550"}, {"CWD dir => 250", "DELE ../file => 550", "RNFR file => 550", "RNTO ../x => 503", "CWD / => 250"},
		{"MODE Z => 200", "STOR file => 550", "APPE file => 550", "MODE S => 200"}, {"TYPE A => 200", "STOR file => 550", "TYPE I => 200"},
		{"RANG 0 3 => 350", "STOR file => 504"}, {"RANG 0 3 => 350", "REST 1 => 350", "STOR file => 550"}, {"ALLO 5 => 202", "STOR new => 550"},
		// What another login has begun goes on under none.
		{"USER owner => 331", "PASS " + password + " => 230", "RNFR file => 350", "USER attacker => 331", "PASS " + password + " => 230", "RNTO stolen => 503"},
		{"USER owner => 331", "PASS " + password + " => 230", "TYPE I => 200", "REST 3 => 350", "USER attacker => 331", "PASS " + password + " => 230", "TYPE I => 200", "STOR file => 550"},
		{"REIN => 220", "DELE file => 530", "USER owner => 331", "DELE file => 530", "RNFR file => 530", "USER attacker => 331", "PASS " + password + " => 230", "TYPE I => 200"},
	}}
	dropBox := attackOf{user: config.User{Role: config.RoleWriteOnly}, leaves: []string{"mine", "file.", "file-"}, chains: []chain{
		{"RETR file => 550"}, {"REST 1 => 350", "RETR file => 550"}, {"RANG 0 3 => 350", "RETR file => 550"}, {"MODE Z => 200", "RETR file => 550", "MODE S => 200"},
		{"RNFR file => 550", "RNTO x => 503"}, {"STOR file => 553"}, {"APPE file => 553"}, {"REST 3 => 350", "STOR file => 553"}, {"REST 7 => 350", "STOR file => 553"}, {"TYPE A => 200", "APPE file => 553", "TYPE I => 200"},
		{`COMB "new" "file" => 550`}, {`COMB "file" "dir/file" => 550`}, {"DELE file => 550"}, {"MKD x => 550"}, {"RMD dir => 550"}, {"SITE CHMOD 777 file => 550"}, {"MFMT 20200102030405 file => 550"}, {"SIZE file => 550"}, {"MLST file => 550"}, {"HASH file => 550"}, {"XCRC file => 550"}, {"LIST => 550"}, {"NLST * => 550"}, {"STAT / => 550"},
		{"STOR mine => 226", "STOR mine => 553", "APPE mine => 553", "REST 2 => 350", "STOR mine => 553", "RETR mine => 550", "RNFR mine => 550", "DELE mine => 550", "SIZE mine => 550", `COMB "mine" "file" => 550`, `COMB "x" "mine" => 550`},
		{"CWD dir => 250", "STOR file => 553", "RETR ../file => 550", "CWD / => 250"}, {"STOU file => 226"},
	}}
	hidden := attackOf{user: config.User{}, chains: []chain{ // with every right, but to what is the server's own
		{"SIZE part => 550"}, {"RETR part => 550"}, {"HASH part => 550"}, {"REST 4 => 350", "STOR part => 554"}, {"RNFR part => 550"}, {"DELE part => 550"}, {`COMB "new" "part" => 550`}, {"MFMT 20200102030405 part => 550"},
		{"RETR %PART => 550"}, {"SIZE %PART => 550"}, {"RNFR %PART => 550"}, {"DELE %PART => 550"}, {"STOR %PART => 553"}, {"APPE %PART => 553"}, {"HASH %PART => 550"}, {`COMB "new" "%PART" => 550`}, {`COMB "%PART" "file" => 553`}, {"MFMT 20200102030405 %PART => 550"}, {"SITE CHMOD 777 %PART => 550"},
		{"RNFR file => 350", "RNTO %PART => 553"}, {"RNFR file => 350", "RNTO .FTPserver-tmp-0-x-1 => 553"}, {"MKD .ftpserver-x => 553"}, {"STOR .FTPSERVER-part-x => 553"}, {"STOR dir/.ftpserver-tmp-x => 553"}, {"CWD .ftpserver-x => 550"}, {"STOU .ftpserver-part-x => 553"},
	}}
	ruled := attackOf{user: config.User{Paths: []config.PathRule{
		{Path: "/ro", Role: config.RoleReadOnly}, {Path: "/box", Role: config.RoleWriteOnly}, {Path: "/deep/er/ro", Role: config.RoleReadOnly},
		{Path: "/keep", Role: config.RoleReadWrite, Overwrite: config.OverwriteDeny}, {Path: "/boxed", Role: config.RoleWriteOnly, Uploads: config.UploadsDirect},
	}}, leaves: []string{"tmp"}, chains: []chain{
		{"RNFR ro/file => 550"}, {"RNFR ro => 550"}, {"RNFR deep => 550"}, {"RNFR deep/er => 550"}, {"RMD ro => 550"}, {"RMD deep/er/ro => 550"}, {"RMD box => 550"},
		{"RNFR file => 350", "RNTO ro/new => 550"}, {"RNFR file => 350", "RNTO ro/file => 550"}, {"RNFR file => 350", "RNTO box/file => 553"}, {"RNFR file => 350", "RNTO ro => 550"}, {"RNFR file => 350", "RNTO deep/er/ro/new => 550"}, {"RNFR file => 350", "RNTO keep/file => 553"}, {"RNFR file => 350", "RNTO boxed/file => 553"},
		{"RNFR box/file => 550"}, {"RNFR dir => 350", "RNTO box/dir => 550"}, {"RNFR dir => 350", "RNTO ro/dir => 550"}, {"MKD tmp => 257", "RNFR tmp => 350", "RNTO ro => 550", "RNFR tmp => 350", "RNTO deep => 550"},
		{`COMB "new" "ro/file" => 550`}, {`COMB "ro/new" "file" => 550`}, {`COMB "ro/file" "file" => 550`}, {`COMB "new" "box/file" => 550`}, {`COMB "box/file" "file" => 553`}, {`COMB "new" "file" "ro/file" => 550`}, {`COMB "boxed/file" "file" => 553`},
		{"APPE ro/file => 550"}, {"APPE box/file => 553"}, {"APPE boxed/file => 553"}, {"REST 3 => 350", "STOR ro/file => 550"}, {"REST 3 => 350", "STOR box/file => 553"}, {"REST 3 => 350", "STOR keep/file => 553"}, {"REST 3 => 350", "STOR boxed/file => 553"}, {"STOR keep/file => 553"}, {"MODE Z => 200", "STOR keep/file => 553", "STOR boxed/file => 553", "MODE S => 200"},
		{"STOU ro/file => 550"}, {"MFMT 20200102030405 ro/file => 550"}, {"MDTM 20200102030405 box/file => 550"}, {"SITE CHMOD 777 ro => 550"}, {"SITE CHMOD 777 box => 550"}, {"MFF UNIX.mode=0777; ro/file => 550"}, {"SITE UTIME 202001020304 box/file => 550"},
		{"DELE in/file => 550"}, {"STOR in/new => 550"}, {"RNFR in/file => 550"}, {"RNFR file => 350", "RNTO in/new => 550"}, {"RETR out/file => 550"}, {"LIST out => 550"}, {`COMB "new" "in/file" => 550`}, {"CWD in => 250", "DELE file => 550", "STOR ../in/new => 550", "CWD / => 250"},
		{"DELE ro/../ro/file => 550"}, {"DELE box/../ro/./file => 550"}, {"RETR dir/../box/file => 550"}, {"CWD ro => 250", "RETR ../box/file => 550", "DELE ../deep/er/ro/file => 550", "CWD / => 250"},
	}}
	return map[string]attackOf{"ReadOnly": readOnly, "WriteOnly": dropBox, "hidden": hidden, "ruled": ruled}
}

// TestAttackPermissionBypass: no chain of commands does what the role does not
// allow in one. All is on the disk as before, but for names that may come.
func TestAttackPermissionBypass(t *testing.T) {
	for name, a := range attackers() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				allowModeZ(c)
				c.Passive.Ports = freePorts(t, 16)
				a.user.Name, a.user.Home = "attacker", "/alice"
				addUsers(c, a.user, config.User{Name: "owner", Home: "/alice"})
			})
			for _, dir := range []string{"", "dir", "ro", "box", "boxed", "keep", "deep/er/ro"} {
				b.file(filepath.Join(dir, "file"), "content of "+dir)
			}
			must(t, os.Symlink("ro", filepath.Join(b.home, "in")))
			must(t, os.Symlink("box", filepath.Join(b.home, "out")))
			owner := b.loginAs("owner")
			owner.cut("STOR part", "half")
			parts, err := filepath.Glob(filepath.Join(b.home, ".ftpserver-part-*"))
			if err != nil || len(parts) != 1 {
				t.Fatalf("the interrupted upload is %q, %v", parts, err)
			}
			before := b.lasting(t, a.leaves)
			c := b.loginAs("attacker")
			for _, steps := range a.chains {
				for i := range steps {
					steps[i] = strings.ReplaceAll(steps[i], "%PART", filepath.Base(parts[0]))
				}
				c.follow(t, steps)
				if now := b.lasting(t, a.leaves); now != before {
					t.Fatalf("%q has changed\n%s\ninto\n%s", steps, before, now)
				}
			}
			owner.do("REST 4", "350")
			owner.upload("STOR part", " whole")
			if got := b.content("part"); got != "half whole" {
				t.Errorf("the owner's upload goes on to %q", got)
			}
			b.servesOn("owner")
		})
	}
}

// lasting is the state of the home without names that begin so: an attacker may
// add them. The times of directories change with them.
func (b *bench) lasting(t *testing.T, but []string) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(state(t, b.home, "")) {
		path, rest, _ := strings.Cut(line, " ")
		base := filepath.Base(path)
		if strings.HasPrefix(rest, "d") {
			rest = rest[:10] + "\n"
		}
		if !slices.ContainsFunc(but, func(begin string) bool { return strings.HasPrefix(base, begin) }) {
			out = append(out, path+" "+rest)
		}
	}
	return strings.Join(out, "")
}

// quotaFull is what somebody holds who may hold most bytes and five files, and
// hoards are ways to more. Uploads send "more".
const (
	quotaMost = 20
	quotaFull = quotaMost - 2
)

var hoards = []chain{
	{"STOR new => 552"}, {"APPE new => 552"}, {"APPE full => 552"}, {"STOU => 552"}, {"STOU full => 552"}, {"TYPE A => 200", "STOR new => 552"}, {"TYPE A => 200", "APPE full => 552"},
	{"REST 18 => 350", "STOR full => 552"}, {"REST 17 => 350", "STOR full => 552"}, {"ALLO 3 => 552", "ALLO 2 => 202", "AVBL => 213 2"},
	{"RANG 0 3 => 350", "STOR new => 504"}, {"MODE Z => 200", "STOR new => 4"}, // "more" is no compressed data
	{"MKD a => 257", "MKD b => 257", "MKD c => 552", "STOR c => 552", "STOU => 552", "RNFR a => 350", "RNTO dir/a => 250", "MKD c => 552"},
	{`COMB "new" "full" => 552`}, // both are there for a moment
	{`COMB "dir/x" "full" => 552`}, {"RNFR full => 350", "RNTO dir/x => 250", "STOR full => 552"}, {"RNFR full => 350", "RNTO full => 250", "STOR new => 552"},
	{"SITE CHMOD 600 full => 200", "MFMT 20200102030405 full => 213", "STOR new => 552"}, {"DELE missing => 550", "RMD missing => 550", "RMD dir => 550", "STOR new => 552"},
	{"DELE full => 250", "STOR a => 226", "STOR b => 226", "APPE a => 226", "APPE a => 226", "APPE b => 226", "APPE b => 552"}, {"DELE full => 250", "STOR a => 226", `COMB "a" "a" => 553`, `COMB "b" "a" "a" => 553`},
	{"USER neighbour => 331", "PASS " + password + " => 230", "TYPE I => 200", "STOR new => 552", "APPE full => 552"},
}

// TestAttackQuotaBypass: no chain of commands stores more than the quota, whatever
// way the bytes come, and what is counted afterwards is what is there. A Direct
// upload shows by one byte more that there would be more.
func TestAttackQuotaBypass(t *testing.T) {
	for name, edit := range map[string]func(*config.Config){"atomic": func(*config.Config) {}, "direct": direct} {
		slack := map[string]int64{"direct": 1}[name]
		for _, steps := range hoards {
			t.Run(name, func(t *testing.T) {
				b := quotaBench(t, edit)
				c := b.login()
				eventually(t, "the home is counted", func() bool { c.send("SITE QUOTA"); return strings.HasPrefix(c.reply(), "200-") })
				c.follow(t, steps)
				b.counted(t, steps, slack)
			})
		}
	}
}

func quotaBench(t *testing.T, edit func(*config.Config)) *bench {
	t.Helper()
	most := config.Quota{Bytes: quotaMost, Files: 5}
	b := newBench(t, func(c *config.Config) {
		allowModeZ(c)
		edit(c)
		c.Passive.Ports = freePorts(t, 8)
		quota(most)(c)
		addUsers(c, config.User{Name: "neighbour", Home: "/alice", Quota: most}, config.User{Name: "free"})
	})
	b.file("full", strings.Repeat("f", quotaFull))
	b.file("dir/x", "")
	return b
}

// counted fails unless there is no more than may be, and just that is counted.
func (b *bench) counted(t *testing.T, steps chain, slack int64) {
	t.Helper()
	stored := b.stored()
	if stored > quotaMost+slack {
		t.Errorf("%q: %d bytes are stored", steps, stored)
	}
	files := -1 // the home itself
	must(t, filepath.WalkDir(b.home, func(string, os.DirEntry, error) error { files++; return nil }))
	b.login().do("SITE QUOTA", fmt.Sprintf("200-Quota:\n Bytes: %d of %d\n Files: %d of 5", stored, quotaMost, files))
	b.servesOn("free")
}

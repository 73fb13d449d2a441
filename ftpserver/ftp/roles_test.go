package ftp

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// untouched are the commands that touch no files, with an argument each and the
// reply, which is the same for every role.
var untouched = map[string]struct{ arg, begins string }{
	"AUTH": {"KERBEROS", "504"}, "PBSZ": {"0", "503"}, "PROT": {"P", "503"},
	"HOST": {"localhost", "503"}, "USER": {"alice", "331"}, "PASS": {"x", "503"}, "QUIT": {"", "221"},
	"TYPE": {"A", "200"}, "MODE": {"S", "200"}, "STRU": {"F", "200"},
	"PASV": {"", "227"}, "EPSV": {"", "229"}, "PORT": {"127,0,0,1,255,1", "502"}, "EPRT": {"|1|127.0.0.1|65281|", "502"},
	"REST": {"5", "350"}, "RANG": {"0 5", "350"}, "PWD": {"", "257"}, "ABOR": {"", "226"},
	"REIN": {"", "220"}, "ACCT": {"any", "202"}, "CLNT": {"any", "200"}, "CSID": {"Name=any;", "200"}, "LANG": {"", "200"},
	"SMNT": {"/", "502"}, "CCC": {"", "533"}, "ADAT": {"any", "503"}, "MIC": {"any", "503"}, "CONF": {"any", "503"}, "ENC": {"any", "503"},
	"SYST": {"", "215"}, "FEAT": {"", "211"}, "OPTS": {"UTF8 ON", "200"}, "HELP": {"", "214"}, "NOOP": {"", "200"},
}

// setting is a user, and a place where a role is to hold.
type setting struct {
	name  string
	user  config.User
	held  config.Role
	place string // as the user sees it
	moves bool   // there is a place to rename from
	dir   string // the place below the root
}

// settings are every role, of the user outside of a path rule and of a rule.
func settings() []setting {
	var out []setting
	add := func(s setting) {
		s.user.Name = fmt.Sprintf("user%d", len(out))
		s.user.Home = "/" + s.user.Name
		top := ""
		if s.user.Role == config.RoleAdmin {
			top = s.user.Home
		}
		s.place, s.dir, s.moves = top+s.place, filepath.Join(s.user.Name, s.place), true
		for i := range s.user.Paths {
			s.user.Paths[i].Path = top + s.user.Paths[i].Path
		}
		s.user.Paths = append(s.user.Paths, config.PathRule{Path: top + "/from", Role: config.RoleReadWrite})
		out = append(out, s)
	}
	other := map[config.Role]config.Role{
		config.RoleReadOnly: config.RoleReadWrite, config.RoleReadWrite: config.RoleReadOnly,
		config.RoleWriteOnly: config.RoleReadWrite, config.RoleAdmin: config.RoleReadOnly,
	}
	for _, held := range []config.Role{config.RoleReadOnly, config.RoleReadWrite, config.RoleWriteOnly, config.RoleAdmin} {
		add(setting{name: "outside", held: held, place: "/out", user: config.User{Role: held, Paths: []config.PathRule{{Path: "/in", Role: other[held]}}}})
		if held == config.RoleAdmin {
			continue // is no role of a rule
		}
		for _, base := range []config.Role{other[held], config.RoleAdmin} {
			add(setting{name: "inside, for " + string(base), held: held, place: "/in/side", user: config.User{Role: base, Paths: []config.PathRule{{Path: "/in", Role: held}}}})
		}
	}
	return out
}

// TestEveryCommandForEveryRole walks the table of commands × what their path
// names × roles, outside and inside of a path rule and for guests, and holds
// each reply, and what is on the disk afterwards, against the two tables of
// operations. A command that is in none of the tables fails.
func TestEveryCommandForEveryRole(t *testing.T) {
	all := settings()
	b := newBench(t, func(c *config.Config) {
		c.Passive.Ports = freePorts(t, 16)
		for _, s := range all {
			s.user.PasswordHash = c.Users[0].PasswordHash
			c.Users = append(c.Users, s.user)
		}
		c.Anonymous = &config.Anonymous{Home: "/pub", Role: config.RoleReadOnly}
	})
	for _, s := range all {
		t.Run(fmt.Sprintf("%s/%s", s.held, s.name), func(t *testing.T) { b.walkCommands(t, s) })
	}
	for _, held := range []config.Role{config.RoleReadOnly, config.RoleWriteOnly} {
		t.Run("anonymous/"+string(held), func(t *testing.T) {
			b.reload(func(c *config.Config) { c.Anonymous.Role = held })
			b.walkCommands(t, setting{
				held: held, place: "/out", dir: "pub/out",
				user: config.User{Name: guestName, UID: "127.0.0.1", Home: "/pub"},
			})
		})
	}
}

func (b *bench) walkCommands(t *testing.T, s setting) {
	for _, verb := range verbs() {
		needs := commands[verb].needs
		sample, isUntouched := untouched[verb]
		if (len(needs) > 0) == isUntouched {
			t.Errorf("%s: it is in the table of needs (%d), or in that of commands that touch no files (%v): exactly one", verb, len(needs), isUntouched)
			continue
		}
		if isUntouched {
			c := b.walker(t, s)
			reply := c.do(strings.TrimSpace(verb+" "+sample.arg), sample.begins)
			if port, ok := portOf(reply); ok {
				_ = c.dial(port).Close() // an announced port that nobody comes to stays reserved
			}
			_ = c.conn.Close()
		}
		for _, n := range needs {
			b.attempt(t, s, verb, n)
		}
	}
}

// TestDropBoxTellsNoNames: in a drop box, of a role and of a rule, a file that
// is there, one that is not, and what only looks like one are answered alike. A
// client is still told where to go on with its own upload.
func TestDropBoxTellsNoNames(t *testing.T) {
	for name, u := range map[string]config.User{
		"role":         {Role: config.RoleWriteOnly},
		"rule":         {Role: config.RoleReadWrite, Paths: []config.PathRule{{Path: "/box", Role: config.RoleWriteOnly}}},
		"rule of role": {Role: config.RoleWriteOnly, Paths: []config.PathRule{{Path: "/else", Role: config.RoleReadWrite}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) { c.Users[0].Role, c.Users[0].Paths = u.Role, u.Paths })
			b.file("box/file", "content")
			home := filepath.Join(b.root, "alice", "box")
			must(t, os.Symlink("nowhere", filepath.Join(home, "dangling")))
			must(t, os.Symlink("/", filepath.Join(home, "out")))
			must(t, os.Symlink("circle", filepath.Join(home, "circle")))
			c := b.login()
			c.do("CWD box", "250")
			for _, command := range []string{
				"RETR %s", "SIZE %s", "MDTM %s", "MLST %s", "CWD %s", "HASH %s", `XCRC "%s" 0 3`, "XMD5 %s", "AVBL %s", "MFMT 20010203040506 %s",
				"MDTM 20010203040506 %s", "MFF Modify=20010203040506; %s", "SITE CHMOD 644 %s", "SITE UTIME 200102030405 %s", `COMB "new" "%s"`, `COMB "file" "%s"`,
			} {
				want := c.carryOut(command == "RETR %s", fmt.Sprintf(command, "file"))
				if !strings.HasPrefix(want, "550 Permission denied: your role") {
					t.Errorf("%s of a file: %s", command, want)
				}
				for _, other := range []string{"missing", "file/x", "missing/x", "dangling", "out", "circle"} {
					if got := c.carryOut(command == "RETR %s", fmt.Sprintf(command, other)); got != want {
						t.Errorf("%s %s: %s, and of a file: %s", command, other, got, want)
					}
				}
			}
			c.do("TYPE A", "200")
			c.do("SIZE missing", c.do("SIZE file", "550 Permission denied: your role"))
			c.do("TYPE I", "200")
			c.do("AVBL", "550")
			c.do(fmt.Sprintf("ALLO %d", int64(1)<<62), "202")
			c.cut("STOR part", "half")
			c = b.login()
			eventually(t, "the upload is kept", func() bool {
				c.send("SIZE box/part")
				return c.reply() == "213 4"
			})
			c.do("MLST box/part", "250-")
		})
	}
}

// walker is a session of the user, in the place.
func (b *bench) walker(t *testing.T, s setting) *client {
	t.Helper()
	b.furnishPlace(t, s)
	b.t, t = t, b.t // what fails, fails in this test
	defer func() { b.t = t }()
	c := b.loginAs(s.user.Name)
	c.do("CWD "+s.place, "250")
	return c
}

// attempt has a command do what it needs the operations for.
func (b *bench) attempt(t *testing.T, s setting, verb string, n need) {
	c := b.walker(t, s)
	defer func() { _ = c.conn.Close() }()
	arg, moved := argumentOf(verb, n.of), n.of == fileToNew || n.of == fileToFile || n.of == dirToNew
	if verb == "CDUP" {
		c.do("CWD dir", "250")
		arg = ""
	}
	if moved && s.moves {
		from := map[bool]string{true: "dir", false: "file"}[n.of == dirToNew]
		c.do("RNFR "+s.from()+"/"+from, "350")
	}
	if verb == "STOR" && n.of == interrupted {
		c.do("REST 4", "350")
	}
	before := b.tree(t, s)
	reply := c.carryOut(commands[verb].data, strings.TrimSpace(verb+" "+arg))
	what := fmt.Sprintf("%s of %s", verb, n.of)
	allowed := vfs.RoleAllows(s.held, n.ops) && !n.refused && (!moved || s.moves)
	switch {
	case n.optional && reply[0] != '2':
		t.Errorf("%s, which needs nothing: %s", what, reply)
	case n.optional:
	case allowed && reply[0] > '3':
		t.Errorf("%s is refused: %s", what, reply)
	case !allowed && reply[0] != '5':
		t.Errorf("%s is allowed: %s", what, reply)
	case !allowed && !n.refused && s.moves && !strings.HasPrefix(reply, refusalCode(s.held, n.ops)):
		t.Errorf("%s is refused with %s", what, reply)
	}
	if after := b.tree(t, s); !allowed && !slices.Equal(before, after) {
		t.Errorf("%s was refused and has changed %q into %q", what, before, after)
	}
}

// argumentOf is what has a command do something with that.
func argumentOf(verb string, of object) string {
	arg := map[object]string{
		directory: "dir", file: "file", newName: "new", interrupted: "part",
		fileToNew: "new", dirToNew: "new", fileToFile: "file", fileTimed: "20010203040506 file",
		partsToNew: `"new" "file"`, partsToFile: `"file" "other"`,
	}[of]
	switch verb {
	case "MFMT":
		return "20010203040506 " + arg
	case "MFF":
		return "Modify=20010203040506;UNIX.mode=0600; " + arg
	case "SITE":
		return "CHMOD 600 " + arg
	case "ALLO":
		return "5"
	}
	return arg
}

// refusalCode is that of the reply where a role lacks operations: 553 where another name
// would do, as the role may create files but not touch those that are there.
func refusalCode(held config.Role, lacks vfs.Operation) string {
	if vfs.RoleAllows(held, vfs.OpCreate) && (lacks == vfs.OpOverwrite || lacks == vfs.OpAppend) {
		return "553"
	}
	return "550"
}

// from is the place to rename from.
func (s setting) from() string {
	if s.user.Role == config.RoleAdmin {
		return s.user.Home + "/from"
	}
	return "/from"
}

// carryOut sends a command, moves the data if it has any, and returns the last
// reply.
func (c *client) carryOut(data bool, line string) string {
	c.t.Helper()
	if !data {
		c.send(line)
		return c.reply()
	}
	conn := c.open()
	defer func() { _ = conn.Close() }()
	c.send(line)
	reply := c.reply()
	if !strings.HasPrefix(reply, "150") {
		return reply
	}
	if strings.HasPrefix(line, "STO") || strings.HasPrefix(line, "APPE") {
		_, err := io.WriteString(conn, "more")
		must(c.t, err)
		must(c.t, conn.Close())
	} else {
		_, err := io.Copy(io.Discard, conn)
		must(c.t, err)
	}
	return c.reply()
}

// furnishPlace makes the place anew: a file, a directory, an interrupted upload.
func (b *bench) furnishPlace(t *testing.T, s setting) {
	t.Helper()
	place, from := filepath.Join(b.root, s.dir), filepath.Join(b.root, s.user.Home, "from")
	must(t, os.RemoveAll(place))
	must(t, os.RemoveAll(from))
	for _, dir := range []string{place, from} {
		must(t, os.MkdirAll(filepath.Join(dir, "dir"), 0o755))
		for _, name := range []string{"file", "other"} {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte("content"), 0o644))
			must(t, os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Unix(1e9, 0)))
		}
	}
	owner := s.user
	owner.Role, owner.Paths = config.RoleReadWrite, nil
	rel := strings.TrimPrefix(filepath.Join("/", s.dir), owner.Home)
	if s.user.Role == config.RoleAdmin {
		owner.Role, rel = config.RoleAdmin, "/"+s.dir
	}
	f, err := b.server.Store.FS(owner)
	must(t, err)
	defer func() { _ = f.Close() }()
	u, err := f.Create(rel+"/part", vfs.CreateTruncate, 0)
	must(t, err)
	must(t, u.Prepare(t.Context()))
	_, err = u.File().WriteString("half")
	must(t, err)
	must(t, u.Interrupt())
}

// tree is all that lies in the place and where renames come from.
func (b *bench) tree(t *testing.T, s setting) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{s.dir, filepath.Join(s.user.Home, "from")} {
		must(t, filepath.WalkDir(filepath.Join(b.root, dir), func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				out = append(out, p)
				return err
			}
			data, err := os.ReadFile(p)
			must(t, err)
			st, err := os.Stat(p)
			out = append(out, fmt.Sprintf("%s: %s %v %v", p, data, st.Mode(), st.ModTime()))
			return err
		}))
	}
	return out
}

// TestRolesPage holds the table in docs/users.md against those of commands and
// of roles; with -update it writes it.
func TestRolesPage(t *testing.T) {
	const page, begin, end = "../../docs/users.md", "<!-- begin: commands by role, go test ./ftpserver/ftp -run TestRolesPage -update -->\n", "<!-- end: commands by role -->\n"
	data, err := os.ReadFile(page)
	must(t, err)
	before, rest, ok1 := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table: %q and %q", page, begin, end)
	}
	want := rolesTable()
	if *update {
		must(t, os.WriteFile(page, []byte(before+begin+want+end+after), 0o644))
		return
	}
	if got != want {
		t.Errorf("%s tells another table; run this test with -update.\ngot\n%s\nwant\n%s", page, got, want)
	}
}

// rolesTable has one row for all commands that need the same of the same.
func rolesTable() string {
	type row struct {
		verbs []string
		need  need
	}
	var rows []*row
	for _, verb := range verbs() {
		for _, n := range commands[verb].needs {
			if n.refused || n.optional {
				continue
			}
			i := slices.IndexFunc(rows, func(r *row) bool { return r.need == n })
			if i < 0 {
				i, rows = len(rows), append(rows, &row{need: n})
			}
			rows[i].verbs = append(rows[i].verbs, verb)
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		if a.need.ops != b.need.ops {
			return int(a.need.ops) - int(b.need.ops)
		}
		return strings.Compare(string(a.need.of), string(b.need.of))
	})
	var out strings.Builder
	out.WriteString("| command | of | `ReadOnly` | `ReadWrite`, `Admin` | `WriteOnly` |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&out, "| %s | %s |", strings.Join(r.verbs, ", "), r.need.of)
		for _, role := range []config.Role{config.RoleReadOnly, config.RoleReadWrite, config.RoleWriteOnly} {
			fmt.Fprintf(&out, " %s |", map[bool]string{true: "yes", false: "–"}[vfs.RoleAllows(role, r.need.ops)])
		}
		out.WriteByte('\n')
	}
	return out.String()
}

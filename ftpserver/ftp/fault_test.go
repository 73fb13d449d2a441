package ftp

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs/system/fault"
)

// faultReplies are the replies that a client gets to what the disk says.
var faultReplies = map[syscall.Errno]string{
	syscall.EIO:    "451",
	syscall.ENOSPC: "452",
	syscall.EDQUOT: "452",
	syscall.EACCES: "550",
	syscall.EROFS:  "550",
	syscall.EMFILE: "451",
	syscall.ESTALE: "451",
}

// faultCommand is a command of which each call on the storage is to fail. Its
// home is /NAME of who logs in, and holds the file "old", the directory "dir"
// with "part", and the directory "empty".
type faultCommand struct {
	user, done string // the reply where nothing fails
	run        func(c *client) string
	// between are states that are neither before nor after, and all right.
	between func(state map[string]string) bool
}

func faultCommands() map[string]faultCommand {
	upload := func(line string) func(c *client) string {
		return func(c *client) string { return c.transfer(line, "data") }
	}
	download := func(line string) func(c *client) string {
		return func(c *client) string { return c.transfer(line, "") }
	}
	line := func(lines ...string) func(c *client) string {
		return func(c *client) (reply string) {
			for _, l := range lines {
				c.send(l)
				if reply = c.reply(); reply[0] > '3' {
					break
				}
			}
			return reply
		}
	}
	direct := func(state map[string]string) bool {
		return strings.HasPrefix("data", state["new"]) && strings.HasPrefix("0123456789data", state["old"])
	}
	return map[string]faultCommand{
		"STOR":            {user: "alice", done: "226", run: upload("STOR new")},
		"STOR again":      {user: "alice", done: "226", run: upload("STOR old")},
		"APPE":            {user: "alice", done: "226", run: upload("APPE old")},
		"STOU":            {user: "alice", done: "226", run: upload("STOU new")},
		"STOR direct":     {user: "dora", done: "226", run: upload("STOR new"), between: direct},
		"APPE direct":     {user: "dora", done: "226", run: upload("APPE old"), between: direct},
		"STOR drop box":   {user: "box", done: "226", run: upload("STOR new")},
		"STOR with quota": {user: "quentin", done: "226", run: upload("STOR new")},
		"RETR":            {user: "alice", done: "226", run: download("RETR old")},
		"LIST":            {user: "alice", done: "226", run: download("LIST dir")},
		"LIST -R":         {user: "alice", done: "226", run: download("LIST -R")},
		"MLSD":            {user: "alice", done: "226", run: download("MLSD dir")},
		"NLST":            {user: "alice", done: "226", run: download("NLST dir")},
		"STAT":            {user: "alice", done: "212", run: line("STAT /dir")},
		"DELE":            {user: "alice", done: "250", run: line("DELE old")},
		"MKD":             {user: "alice", done: "257", run: line("MKD new")},
		"RMD":             {user: "alice", done: "250", run: line("RMD empty")},
		"CWD":             {user: "alice", done: "250", run: line("CWD /dir")},
		"SIZE":            {user: "alice", done: "213", run: line("SIZE old")},
		"MDTM":            {user: "alice", done: "213", run: line("MDTM old")},
		"MLST":            {user: "alice", done: "250", run: line("MLST old")},
		"MFMT":            {user: "alice", done: "213", run: line("MFMT 20200101000000 old")},
		"SITE CHMOD":      {user: "alice", done: "200", run: line("SITE CHMOD 600 old")},
		"AVBL":            {user: "alice", done: "213", run: line("AVBL dir")},
		"HASH":            {user: "alice", done: "213", run: line("HASH old")},
		"COMB": {user: "alice", done: "250", run: line(`COMB "new" "old" "dir/part"`), between: func(state map[string]string) bool {
			return state["new"] == "0123456789part" // and of the sources, some
		}},
		"RNTO": {user: "alice", done: "250", run: line("RNFR old", "RNTO dir/new")},
	}
}

// transfer does a transfer whatever comes of it, and returns the last reply.
func (c *client) transfer(line, content string) string {
	c.t.Helper()
	conn := c.open()
	defer func() { _ = conn.Close() }()
	c.send(line)
	if r := c.reply(); !strings.HasPrefix(r, "150") {
		return r
	}
	data := c.wrap(conn)
	if content != "" {
		_, _ = io.WriteString(data, content)
		_ = data.Close()
	} else {
		_, _ = io.Copy(io.Discard, data)
		_ = data.Close()
	}
	return c.reply()
}

func faultUsers(c *config.Config) {
	hash := c.Users[0].PasswordHash
	c.Storage.Durability = config.DurabilityFull
	c.Users = append(c.Users,
		config.User{Name: "dora", PasswordHash: hash, Paths: []config.PathRule{{Path: "/", Role: config.RoleReadWrite, Uploads: config.UploadsDirect}}},
		config.User{Name: "box", PasswordHash: hash, Role: config.RoleWriteOnly},
		config.User{Name: "quentin", PasswordHash: hash, Quota: config.Quota{Bytes: 1 << 20}})
}

// TestFaultAtEachCall lets every call that a command makes on the storage fail
// once, with every error. The client gets the right reply, and a good one only for
// what is done; the log tells error and path; the files are the old or the new
// ones; nothing is left over; and the session and new ones go on.
func TestFaultAtEachCall(t *testing.T) {
	disk := &fault.System{}
	b := newBenchWith(t, parts{system: disk}, faultUsers)
	for name, cmd := range faultCommands() {
		t.Run(name, func(t *testing.T) {
			f := &faultRun{bench: b, disk: disk, faultCommand: cmd, t: t}
			f.refill()
			c := b.loginAs(cmd.user)
			c.t = t
			calls := f.unharmed(c)
			if len(calls) == 0 {
				t.Fatal("it asks nothing of the storage")
			}
			for n, call := range calls {
				for errno := range faultReplies {
					f.fails(c, n, call, errno)
				}
			}
			c.do("QUIT", "221")
			b.loginAs(cmd.user).do("QUIT", "221")
		})
	}
}

// faultRun is a command under test.
type faultRun struct {
	*bench
	faultCommand
	t     *testing.T
	disk  *fault.System
	after map[string]string
}

func (f *faultRun) at(name string) string { return filepath.Join(f.root, f.user, name) }

// refill makes the home what each run begins with.
func (f *faultRun) refill() {
	must(f.t, os.MkdirAll(f.at(""), 0o755))
	entries, err := os.ReadDir(f.at(""))
	must(f.t, err)
	for _, e := range entries {
		must(f.t, os.RemoveAll(f.at(e.Name())))
	}
	must(f.t, os.Mkdir(f.at("dir"), 0o755))
	must(f.t, os.Mkdir(f.at("empty"), 0o755))
	must(f.t, os.WriteFile(f.at("old"), []byte("0123456789"), 0o644))
	must(f.t, os.WriteFile(f.at("dir/part"), []byte("part"), 0o644))
}

func (f *faultRun) unharmed(c *client) []fault.Call {
	f.disk.Judge(func(int, fault.Call) error { return nil })
	if got := f.run(c); !strings.HasPrefix(got, f.done) {
		f.t.Fatalf("where nothing fails: %s, want %s", got, f.done)
	}
	calls := f.disk.Heal()
	f.after, _ = f.state()
	return calls
}

func (f *faultRun) fails(c *client, n int, call fault.Call, errno syscall.Errno) {
	f.t.Helper()
	f.refill()
	before, _ := f.state()
	mark := f.log.mark()
	f.disk.FailNth(n, errno)
	reply := f.run(c)
	f.disk.Heal()
	what := fmt.Sprintf("call %d (%s) fails (%v): %s", n, call, errno, reply)
	state, left := f.state()
	good := strings.HasPrefix(reply, f.done)
	switch {
	case maps.Equal(state, f.after):
	case good && (f.between == nil || !f.between(state)):
		f.t.Errorf("%s: the home holds %q, want %q", what, state, f.after)
	case maps.Equal(state, before), f.between != nil && f.between(state):
	default:
		f.t.Errorf("%s: the home holds %q, neither %q nor %q", what, state, before, f.after)
	}
	log := f.log.since(mark)
	if !good {
		if !strings.HasPrefix(reply, faultReplies[errno]) {
			f.t.Errorf("%s: want %s", what, faultReplies[errno])
		}
		if !regexp.MustCompile(`(path=|error="[a-z ]+ )/.*` + faultTexts[errno]).MatchString(log) {
			f.t.Errorf("%s: the log says %q, want %q", what, log, faultTexts[errno])
		}
	}
	if strings.Contains(reply, f.root) || strings.Contains(reply, ".ftpserver-") {
		f.t.Errorf("%s: it tells of the disk", what)
	}
	if len(left) > 0 && (call.Kind != "Unlinkat" || !strings.Contains(log, "not removed") && !strings.Contains(log, "Dropping")) {
		f.t.Errorf("%s: %q are left, the log says %q", what, left, log)
	}
	if got := c.transfer("STOR /next", "next"); !strings.HasPrefix(got, "226") {
		f.t.Errorf("%s: the next upload: %s", what, got)
	}
}

// faultTexts are what the log says of each error.
var faultTexts = map[syscall.Errno]string{
	syscall.EIO:    "input/output error",
	syscall.ENOSPC: "no space left",
	syscall.EDQUOT: "disk quota exceeded",
	syscall.EACCES: "permission denied",
	syscall.EROFS:  "read-only",
	syscall.EMFILE: "too many open files",
	syscall.ESTALE: "stale file handle",
}

// state is what the home shows, each file's content by its path, and the hidden
// files in it.
func (f *faultRun) state() (shown map[string]string, left []string) {
	shown = map[string]string{}
	_ = filepath.WalkDir(f.at(""), func(p string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(strings.TrimPrefix(p, f.at("")), "/")
		switch {
		case err != nil || name == "":
		case strings.HasPrefix(filepath.Base(name), ".ftpserver-"):
			left = append(left, name)
		case e.IsDir():
			shown[name+"/"] = ""
		default:
			if strings.HasPrefix(name, "new-") {
				name = "new-*"
			}
			data, _ := os.ReadFile(p)
			i, _ := e.Info()
			shown[name] = string(data)
			if i != nil && i.ModTime().UTC().Year() == 2020 {
				shown[name] += " of 2020"
			}
			if i != nil && i.Mode().Perm() != 0o644 {
				shown[name] += " " + i.Mode().Perm().String()
			}
		}
		return nil
	})
	return shown, left
}

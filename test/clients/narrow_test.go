package clients

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// sha512Hash is one of password, made by crypt(3).
const sha512Hash = `$6$rounds=10000$movedusers$YZWp0/M3x6YwRmHNlCWY9u5gEin5UaXuQ0WIevfzasMBWgI4bllEHn9Yx8KqqdQWu.RPOK.Vs3Ss7XPyb4c9g.`

// each runs f for every client, over TLS, as a user.
func (s *server) each(t *testing.T, user, password string, f func(t *testing.T, c ftpclient.Connection)) {
	t.Helper()
	for _, client := range ftpclient.All() {
		t.Run(client.Name(), func(t *testing.T) {
			target := s.target()
			target.User, target.Password, target.TLS, target.Mode = user, password, ftpclient.TLS13, ftpclient.EPSV
			f(t, ftpclient.Connection{Client: client, Target: target})
		})
	}
}

// TestPathRules: a user who may read, with a drop box and a place to work in.
func TestPathRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSRequired, func(c *config.Config) {
		c.Users[0].Role = config.RoleReadOnly
		c.Users[0].Paths = []config.PathRule{
			{Path: "/inbox", Role: config.RoleWriteOnly}, {Path: "/inbox/work", Role: config.RoleReadWrite},
		}
	})
	must(t, os.MkdirAll(s.home("alice"), 0o700))
	must(t, os.WriteFile(s.home("alice", "report"), []byte("report"), 0o600))
	s.start()
	s.each(t, "alice", password, func(t *testing.T, c ftpclient.Connection) {
		local, back := randomFile(t, 5000), filepath.Join(t.TempDir(), "back")
		name := c.Client.Name()
		must(t, c.Download(soon(t), "/report", back))
		sameContent(t, back, s.home("alice", "report"))
		if c.Upload(soon(t), local, "/"+name) == nil || exists(s.home("alice", name)) {
			t.Error("it could upload outside of the drop box")
		}
		must(t, c.Upload(soon(t), local, "/inbox/"+name))
		sameContent(t, s.home("alice", "inbox", name), local)
		if c.Download(soon(t), "/inbox/"+name, back+"2") == nil && size(back+"2") > 0 {
			t.Error("it could download what it had delivered")
		}
		if c.Upload(soon(t), randomFile(t, 10), "/inbox/"+name) == nil {
			t.Error("it could overwrite what it had delivered")
		}
		sameContent(t, s.home("alice", "inbox", name), local)
		must(t, c.Upload(soon(t), local, "/inbox/work/"+name))
		must(t, c.Rename(soon(t), "/inbox/work/"+name, "/inbox/work/"+name+"2"))
		must(t, c.Rename(soon(t), "/inbox/work/"+name+"2", "/inbox/"+name+"2"))
		sameContent(t, s.home("alice", "inbox", name+"2"), local)
		if c.Rename(soon(t), "/inbox/work", "/inbox/elsewhere") == nil || !exists(s.home("alice", "inbox", "work")) {
			t.Error("it could rename the directory of a rule")
		}
		if names, err := c.List(soon(t), "/"); err != nil || !slices.ContainsFunc(names, func(n string) bool { return filepath.Base(n) == "inbox" }) {
			t.Errorf("list: %q, %v", names, err)
		}
	})
}

// TestAnonymousLogin: whoever comes may read, until it is switched off.
func TestAnonymousLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Anonymous = &config.Anonymous{} })
	must(t, os.MkdirAll(s.home("pub"), 0o700))
	must(t, os.WriteFile(s.home("pub", "file"), []byte("public"), 0o600))
	s.start()
	s.each(t, "anonymous", "guest@example.org", func(t *testing.T, c ftpclient.Connection) {
		back := filepath.Join(t.TempDir(), "back")
		must(t, c.Download(soon(t), "/file", back))
		sameContent(t, back, s.home("pub", "file"))
		if c.Upload(soon(t), randomFile(t, 10), "/"+c.Client.Name()) == nil || exists(s.home("pub", c.Client.Name())) {
			t.Error("a guest could upload")
		}
	})
	guest := s.login(t, "ftp", "x")
	s.cfg.Anonymous = nil
	s.writeConfig()
	guest.expect(421)
	if s.accepts(t, "anonymous", "x") {
		t.Error("a guest logs in where there are none any more")
	}
}

// TestMovedUser: somebody whose hash comes from a system account.
func TestMovedUser(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Users[0].PasswordHash = sha512Hash })
	s.start()
	s.each(t, "alice", password, func(t *testing.T, c ftpclient.Connection) {
		must(t, c.Upload(soon(t), randomFile(t, 10), "/"+c.Client.Name()))
	})
	if s.accepts(t, "alice", password+"x") {
		t.Error("another password works")
	}
}

// TestOperatorsOfTwoVersions: the files of the contract's two versions come and
// go below a running server, and no transfer is cut.
func TestOperatorsOfTwoVersions(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSDisabled, func(c *config.Config) { c.UsersDir = "users" })
	alice := s.cfg.Users[0]
	s.cfg.Users = nil
	lay := func(versions ...int) {
		t.Helper()
		for version, names := range map[int][2]string{
			1: {config.PreviousFileName, config.PreviousUsersFileName(config.Shard("alice"))},
			2: {config.FileName, config.UsersFileName(config.Shard("alice"))},
		} {
			c, users := filepath.Join(s.dir, names[0]), filepath.Join(s.dir, "users", names[1])
			if !slices.Contains(versions, version) {
				for _, file := range []string{c, users} {
					if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
				continue
			}
			cfg := s.cfg
			cfg.Banner = map[int]string{1: "first", 2: "second"}[version]
			writeByRename(t, c, &cfg)
			writeByRename(t, users, config.UsersFile{Users: []config.User{alice}})
		}
	}
	must(t, os.Mkdir(filepath.Join(s.dir, "users"), 0o700))
	lay(1)
	s.inDirectory = true
	s.start()
	idle, busy := s.login(t, "alice", password), s.login(t, "alice", password)
	busy.command(200, "TYPE I")
	data := busy.data()
	busy.command(150, "STOR up")
	for _, step := range []struct {
		versions []int
		banner   string
	}{{[]int{1, 2}, "220 second"}, {[]int{2}, "220 second"}, {[]int{1, 2}, "220 second"}, {[]int{1}, "220 first"}} {
		loaded := len(s.log.find("Configuration loaded", nil))
		lay(step.versions...)
		if len(step.versions) == 1 && step.versions[0] == 2 {
			continue // what was read before is still read: there is nothing to wait for
		}
		eventually(t, reloadTime, "the files are read", func() bool {
			c := s.dial(t, 0)
			defer func() { _ = c.conn.Close() }()
			line, err := c.text.ReadLine()
			return err == nil && line == step.banner && (len(s.log.find("Configuration loaded", nil)) > loaded || step.banner == "220 second")
		})
		_, err := data.Write([]byte("part, "))
		must(t, err)
		idle.command(200, "NOOP")
	}
	must(t, data.Close())
	busy.expect(226)
	content, err := os.ReadFile(s.home("alice", "up"))
	must(t, err)
	if string(content) != "part, part, part, " {
		t.Errorf("the upload holds %q", content)
	}
	if n := len(s.log.find("Session closed", field("reason", "revoked"))); n > 0 {
		t.Errorf("%d sessions were revoked", n)
	}
}

package clients

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// userStore is where a test keeps the users of a running server.
type userStore interface {
	// set replaces all users.
	set(t *testing.T, users ...config.User)
}

// inConfig keeps them in the configuration, replaced by rename.
type inConfig struct{ *server }

func (s inConfig) set(t *testing.T, users ...config.User) {
	t.Helper()
	s.cfg.Users = users
	s.writeConfig()
}

// inVolume keeps them in a directory that changes as a Kubernetes volume does:
// the files are links through ..data, and ..data is replaced.
type inVolume struct{ dir string }

func (v inVolume) set(t *testing.T, users ...config.User) {
	t.Helper()
	data, err := os.MkdirTemp(v.dir, "..version-")
	must(t, err)
	shards := map[int][]config.User{}
	for _, u := range users {
		shards[config.Shard(u.Name)] = append(shards[config.Shard(u.Name)], u)
	}
	for shard := range config.UserShards {
		name := config.UsersFileName(shard)
		content, err := config.Encode(config.UsersFile{Users: shards[shard]})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(data, name), content, 0o600))
		if link := filepath.Join(v.dir, name); !exists(link) {
			must(t, os.Symlink(filepath.Join("..data", name), link))
		}
	}
	must(t, os.Symlink(filepath.Base(data), filepath.Join(v.dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
}

// TestReload: users come, change and go on a running server within seconds.
func TestReload(t *testing.T) {
	t.Parallel()
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, config.TLSOptional, nil)
		reloads(t, s, inConfig{s})
	})
	t.Run("volume", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, config.TLSOptional, func(c *config.Config) { c.Users, c.UsersDir = nil, "users" })
		v := inVolume{filepath.Join(s.dir, "users")}
		must(t, os.Mkdir(v.dir, 0o700))
		v.set(t, user(t, "alice"))
		reloads(t, s, v)
	})
}

// reloadTime is far more than a change takes, of which most is to check passwords.
const reloadTime = 30 * time.Second

func reloads(t *testing.T, s *server, users userStore) {
	s.start()
	alice, bob, carol := user(t, "alice"), user(t, "bob"), user(t, "carol")
	stays := s.login(t, "alice", password)

	users.set(t, alice, bob, carol)
	eventually(t, reloadTime, "new users log in", func() bool { return s.accepts(t, "bob", password) })

	changedPassword(t, s, users, alice, bob, carol)
	removed(t, s, users, alice, carol)
	suspended(t, s, users, alice, carol)
	stays.command(200, "NOOP") // whoever did not change notices nothing
}

// changedPassword: sessions under the old one end, and it is refused.
func changedPassword(t *testing.T, s *server, users userStore, alice, bob, carol config.User) {
	t.Helper()
	const other = "another password"
	hash, err := passhash.New(other)
	must(t, err)
	session := s.login(t, "bob", password)
	bob.PasswordHash = hash
	users.set(t, alice, bob, carol)
	eventually(t, reloadTime, "the new password works", func() bool { return s.accepts(t, "bob", other) })
	if s.accepts(t, "bob", password) {
		t.Error("the old password still works")
	}
	session.expect(421)
}

// removed: the session ends after its running transfer.
func removed(t *testing.T, s *server, users userStore, alice, carol config.User) {
	t.Helper()
	busy, idle := s.login(t, "carol", password), s.login(t, "carol", password)
	busy.command(200, "TYPE I")
	data := busy.data()
	busy.command(150, "STOR last")
	_, err := data.Write([]byte("first half, "))
	must(t, err)
	users.set(t, alice)
	idle.expect(421)
	_, err = data.Write([]byte("second half"))
	must(t, err)
	must(t, data.Close())
	busy.expect(226)
	busy.expect(421)
	content, err := os.ReadFile(s.home("carol", "last"))
	must(t, err)
	if string(content) != "first half, second half" {
		t.Errorf("the upload of a removed user holds %q", content)
	}
	if s.accepts(t, "carol", password) {
		t.Error("a removed user logs in")
	}
	users.set(t, alice, carol)
	eventually(t, reloadTime, "the user is back", func() bool { return s.accepts(t, "carol", password) })
}

// suspended: the session ends at once, and its transfer with it.
func suspended(t *testing.T, s *server, users userStore, alice, carol config.User) {
	t.Helper()
	c := s.login(t, "carol", password)
	c.command(200, "TYPE I")
	data := c.data()
	c.command(150, "STOR cut")
	_, err := data.Write([]byte("first half"))
	must(t, err)
	carol.Login = config.LoginSuspended
	users.set(t, alice, carol)
	c.expect(426)
	c.expect(421)
	if exists(s.home("carol", "cut")) {
		t.Error("a cut upload is visible")
	}
	if s.accepts(t, "carol", password) {
		t.Error("a suspended user logs in")
	}
}

// TestBadReload: what can't be read or is wrong changes nothing.
func TestBadReload(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	must(t, os.WriteFile(s.configPath()+".new", []byte("users: [}"), 0o600))
	must(t, os.Rename(s.configPath()+".new", s.configPath()))
	s.log.wait(t, "Configuration file refused", nil)
	_ = s.login(t, "alice", password)
	s.cfg.Users = append(s.cfg.Users, user(t, "bob"))
	s.writeConfig()
	eventually(t, reloadTime, "the mended file is loaded", func() bool { return s.accepts(t, "bob", password) })
}

// TestHangup: SIGHUP, which ends programs that do not know better, reloads.
func TestHangup(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	c := s.login(t, "alice", password)
	s.cfg.Users = append(s.cfg.Users, user(t, "bob"))
	s.writeConfig()
	s.signal(syscall.SIGHUP)
	eventually(t, reloadTime, "the new user logs in", func() bool { return s.accepts(t, "bob", password) })
	c.command(200, "NOOP")
}

package live

import (
	"os"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestNothingIsSwappedWhereNothingHasChanged(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: .\n"))
	s := d.open()
	s.Subscribe(func(_, _ *Snapshot) { t.Error("a subscriber is told of nothing") })
	before := s.Current()
	d.write(config.FileName, string(d.read(config.FileName)))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if s.Current() != before {
		t.Error("the snapshot was swapped")
	}
}

func TestSubscribersSeeEachSwapInOrder(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("banner: a\n"))
	s := d.open()
	var seen []string
	s.Subscribe(func(old, new *Snapshot) {
		if s.Current() != new {
			t.Error("told before the swap")
		}
		seen = append(seen, old.Config.Banner+">"+new.Config.Banner)
	})
	s.Subscribe(func(_, new *Snapshot) { seen = append(seen, "second "+new.Config.Banner) })
	for _, banner := range []string{"b", "c"} {
		d.write(config.FileName, configured("banner: "+banner+"\n"))
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(seen, ", "), "a>b, second b, b>c, second c"; got != want {
		t.Errorf("seen %s, want %s", got, want)
	}
}

// Every file is judged on its own: what can't be used stays as it was, and the
// others go on.
func TestABrokenFileKeepsOnlyItselfBack(t *testing.T) {
	d := newDir(t)
	anna, bert := config.UsersFileName(config.Shard("anna")), config.UsersFileName(config.Shard("bert"))
	oldCert := d.issue("tls")
	pair := "usersDir: .\ntls: {certificates: [{certFile: tls.crt, keyFile: tls.key}]}\n"
	d.write(config.FileName, configured("banner: old\n"+pair))
	d.write(anna, usersFile(user("anna", hashA)))
	d.write(bert, usersFile(user("bert", hashA)))
	s := d.open()
	old := s.Current()

	d.write(config.FileName, configured("banner: new\nnovelty: 1\n"+pair))
	d.write(anna, "users: [{name: anna, passwordHash: hunter2}]")
	d.write(bert, usersFile(user("bert", hashB)))
	d.write("tls.crt", "broken")
	err := s.Reload()

	for name, want := range map[string]string{
		config.FileName: "the field novelty is not known",
		anna:            "users[0].passwordHash: must be a hash",
		"tls.crt":       "holds no PEM block",
	} {
		got := status(t, s.Current(), name)
		if !strings.Contains(got.Error, want) || got.Hash != status(t, old, name).Hash {
			t.Errorf("%s: %+v, want the old hash and %q", name, got, want)
		}
		if err == nil || !strings.Contains(err.Error(), name+": "+got.Error) {
			t.Errorf("Reload = %v, says nothing of %s", err, name)
		}
		if d.logged("level=WARN", "file="+name) != 1 {
			t.Errorf("%s is not told once in the log:\n%s", name, d.log.String())
		}
	}
	now := s.Current()
	if now.Config != old.Config || now.TLS != old.TLS || now.Users["anna"].PasswordHash != hashA {
		t.Error("what was refused is in force")
	}
	if now.Users["bert"].PasswordHash != hashB || now.Digests["bert"] == old.Digests["bert"] {
		t.Error("bert's new password is not in force")
	}
	if status(t, now, "tls.crt").Hash != config.Hash([]byte(oldCert)) {
		t.Error("the certificate's hash is not that of the one in force")
	}
	if strings.Contains(d.log.String()+err.Error(), "hunter2") {
		t.Errorf("a secret is told: %v\n%s", err, d.log.String())
	}
}

func TestRefusalsAreLoggedOnceForEachContent(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured(""))
	s := d.open()
	reload := func(content string) {
		d.write(config.FileName, content)
		_ = s.Reload()
	}
	for range 3 {
		reload("listen: [")
	}
	if n := d.logged("Configuration file refused"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	reload("listen: [ ")
	if n := d.logged("Configuration file refused"); n != 2 {
		t.Errorf("logged %d times after another bad edit, want twice", n)
	}
	reload(configured(""))
	if n := d.logged("Configuration loaded", config.FileName); n != 2 {
		t.Errorf("that the first content is back is not told:\n%s", d.log.String())
	}
	if got := status(t, s.Current(), config.FileName); got.Error != "" {
		t.Errorf("the error stays: %+v", got)
	}
}

func TestUsersFilesComeAndGo(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: users\n", user("root", hashA)))
	d.write("users/readme", "")
	s := d.open()
	if got := status(t, s.Current(), "users/users-3.v2.yaml"); got != (config.FileStatus{Name: "users/users-3.v2.yaml"}) {
		t.Errorf("an absent file: %+v, want no hash and no error", got)
	}
	if len(s.Current().Files) != 1+config.UserShards {
		t.Errorf("files = %v", s.Current().Files)
	}

	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashA)))
	mustReload(t, s)
	if _, ok := s.Current().Users["anna"]; !ok || len(s.Current().Users) != 2 {
		t.Errorf("users = %v", s.Current().Users)
	}

	d.remove("users/users-3.v2.yaml")
	mustReload(t, s)
	if _, ok := s.Current().Users["anna"]; ok || len(s.Current().Digests) != 1 {
		t.Errorf("users = %v, want anna gone", s.Current().Users)
	}
}

func TestUsersOfTheConfigurationChange(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("", user("anna", hashA), user("bert", hashA)))
	s := d.open()
	d.write(config.FileName, configured("", user("anna", hashB)))
	mustReload(t, s)
	if got := s.Current().Users; len(got) != 1 || got["anna"].PasswordHash != hashB {
		t.Errorf("users = %v", got)
	}
}

// A directory that vanishes is a mistake, not the end of all users.
func TestUsersOutliveTheirDirectory(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: users\n"))
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashA)))
	s := d.open()
	d.remove("users")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "usersDir: cannot be read") {
		t.Errorf("Reload = %v", err)
	}
	if _, ok := s.Current().Users["anna"]; !ok {
		t.Error("anna is gone")
	}
	d.write("users/users-3.v2.yaml", usersFile(user("anna", hashB)))
	mustReload(t, s)
	if s.Current().Users["anna"].PasswordHash != hashB {
		t.Error("the directory is back and its content is not in force")
	}
}

func TestAnUnreadableConfigurationStaysInForce(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("banner: old\n"))
	s := d.open()
	d.remove(config.FileName)
	if err := os.Mkdir(d.path(config.FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("Reload = %v", err)
	}
	if s.Current().Config.Banner != "old" {
		t.Error("the old configuration is not in force")
	}
}

func TestSettingsThatTakeAStartAreKept(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("banner: old\nadmin: {listen: '127.0.0.1:9090'}\n"))
	s := d.open()
	old := s.Current().Config

	changed := strings.NewReplacer("2121", "2122", "/srv", "/srv2").Replace(configured("banner: new\nadmin: {listen: ''}\nlog: {format: Text, level: Debug}\n"))
	d.write(config.FileName, changed)
	mustReload(t, s)
	got := s.Current().Config
	if got.Listen != old.Listen || got.Storage.Root != old.Storage.Root || got.Admin != old.Admin || got.Log.Format != "JSON" {
		t.Errorf("in force: %+v", got)
	}
	if got.Banner != "new" || got.Log.Level != "Debug" {
		t.Error("the rest is not in force")
	}
	if f := status(t, s.Current(), config.FileName); f.Error != "" || f.Hash != config.Hash([]byte(changed)) {
		t.Errorf("status = %+v", f)
	}
	mustReload(t, s)
	if n := d.logged("Setting takes effect at the next start", "[listen storage.root admin log.format]"); n != 1 {
		t.Errorf("told %d times:\n%s", n, d.log.String())
	}
}

func mustReload(t *testing.T, s *Source) {
	t.Helper()
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
}

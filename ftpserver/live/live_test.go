package live

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestOpenTakesAFileOrItsDirectory(t *testing.T) {
	for _, tt := range []struct{ open, file string }{{"", config.FileName}, {"my.yaml", "my.yaml"}} {
		d := newDir(t)
		d.write(tt.file, configured("banner: hello\n", user("anna", hashA)))
		s, err := Open(d.path(tt.open), config.Strict, d.logger())
		if err != nil {
			t.Fatal(err)
		}
		c := s.Current()
		if c.Config.Banner != "hello" || c.Users["anna"].Home != "/anna" || c.TLS != nil {
			t.Errorf("snapshot = %+v", c)
		}
		if want := digest(t, c.Users["anna"]); c.Digests["anna"] != want {
			t.Errorf("digest = %q, want %q", c.Digests["anna"], want)
		}
		want := config.FileStatus{Name: tt.file, Hash: config.Hash(d.read(tt.file))}
		if len(c.Files) != 1 || c.Files[0] != want {
			t.Errorf("files = %v, want %v", c.Files, want)
		}
	}
}

func TestOpenTellsAllThatIsWrong(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured(`
usersDir: users
tls: {certificates: [{certFile: tls/a.crt, keyFile: tls/a.key}]}
`))
	d.write("users/users-1.v2.yaml", "users: [{name: anna, passwordHash: $argon2id$x}]")
	d.write("users/users-2.v2.yaml", "hello: 1\n")
	s, err := Open(d.path(""), config.Strict, d.logger())
	if s != nil || err == nil {
		t.Fatalf("Open = %v, %v, want an error", s, err)
	}
	for _, want := range []string{
		"users/users-1.v2.yaml: users[0].passwordHash: argon2id hash",
		"users/users-2.v2.yaml: line 1: the field hello is not known",
		"tls/a.crt: no such file",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v\nwant %q", err, want)
		}
	}
}

func TestOpenNeedsItsFiles(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"no configuration":          {"", "config.v2.yaml: cannot be read: no such file"},
		"no directory of users":     {configured("usersDir: users\n"), "usersDir: cannot be read: no such file"},
		"a file for a directory":    {configured("usersDir: config.v2.yaml\n"), "usersDir: is not a directory"},
		"a user that cannot be":     {configured("", "{name: a, passwordHash: $2b$99$x}"), "users[0].passwordHash: bcrypt hash"},
		"a user who is there twice": {configured("", user("a", hashA), user("a", hashB)), `"a" is there twice`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			if tt.content != "" {
				d.write(config.FileName, tt.content)
			}
			_, err := Open(d.path(""), config.Strict, d.logger())
			if err == nil || strings.Count(err.Error(), tt.want) != 1 {
				t.Errorf("error = %v, want %q once", err, tt.want)
			}
		})
	}
	if _, err := Open(newDir(t).path("absent"), config.Strict, nil); err == nil {
		t.Error("a path that is not there is opened")
	}
}

func TestStatic(t *testing.T) {
	d := newDir(t)
	d.issue("tls/a")
	c := &config.Config{
		Listen:  "127.0.0.1:0",
		Passive: config.Passive{Range: "30000-30009"},
		Storage: config.Storage{Root: "/srv"},
		TLS:     config.TLS{Certificates: []config.Certificate{{CertFile: d.path("tls/a.crt"), KeyFile: d.path("tls/a.key")}}},
		Users:   []config.User{{Name: "anna", PasswordHash: hashA}},
	}
	s, err := Static(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Current()
	if got.Config == c || got.Config.TLS.Mode != config.TLSRequired || got.Users["anna"].Role != config.RoleReadWrite || got.TLS == nil {
		t.Errorf("snapshot = %+v", got)
	}
	if err := s.Reload(); err != nil || s.Current() != got {
		t.Errorf("Reload = %v, or it swapped though nothing has changed", err)
	}
	d.issue("tls/a")
	if err := s.Reload(); err != nil || s.Current().TLS == got.TLS {
		t.Errorf("Reload = %v, or the renewed certificate is not in force", err)
	}

	c.Storage.Root = ""
	if _, err := Static(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "storage.root") {
		t.Errorf("an invalid configuration: %v", err)
	}
}

package live

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// hostile are things that may lie where a file is expected, by what they are, with
// a word of the error.
func (d *dir) hostile() map[string]struct {
	put  func(name string) error
	want string
} {
	return map[string]struct {
		put  func(name string) error
		want string
	}{
		"a FIFO":            {func(name string) error { return syscall.Mkfifo(d.path(name), 0o600) }, "regular"},
		"an endless device": {func(name string) error { return os.Symlink("/dev/zero", d.path(name)) }, "regular"},
		"a terminal":        {func(name string) error { return os.Symlink("/dev/tty", d.path(name)) }, "regular"},
		"a directory":       {func(name string) error { return os.Mkdir(d.path(name), 0o700) }, "regular"},
		"a link to itself":  {func(name string) error { return os.Symlink(d.path(name), d.path(name)) }, "symbolic links"},
		"a file of a TiB":   {func(name string) error { d.write(name, ""); return os.Truncate(d.path(name), 1<<40) }, "must be at most"},
		"nothing but NUL":   {func(name string) error { d.write(name, strings.Repeat("\x00", 1<<20)); return nil }, ""},
		"an executable":     {func(name string) error { return os.Symlink("/proc/self/exe", d.path(name)) }, ""},
	}
}

// TestAttackHostileFiles: whatever lies where the configuration, users, or a
// certificate are expected, is refused without being waited for; what was in
// force stays so, the log and the status say why, and what is put right counts.
func TestAttackHostileFiles(t *testing.T) {
	users := config.UsersFileName(config.Shard("anna"))
	for _, name := range []string{config.FileName, users, "tls.crt", "tls.key", "ca.crt"} {
		for what := range (&dir{}).hostile() {
			t.Run(name+" is "+what, func(t *testing.T) {
				d := newDir(t)
				d.issue("tls")
				d.write("ca.crt", d.issue("ca"))
				d.write(config.FileName, configured("usersDir: .\ntls: {mode: Required, certificates: [{certFile: tls.crt, keyFile: tls.key}], clientCertificates: {mode: Optional, caFile: ca.crt}}\n"))
				d.write(users, usersFile(user("anna", hashA)))
				s := d.open()
				before, good := s.Current(), d.read(name)
				kind := d.hostile()[what]
				d.remove(name)
				if err := kind.put(name); err != nil {
					t.Fatal(err)
				}
				err := s.Reload()
				now := s.Current()
				told := name
				if name == "tls.key" {
					told = "tls.crt" // the pair
				}
				if got := status(t, now, told).Error; err == nil || got == "" || !strings.Contains(got, kind.want) && !strings.Contains(got, "must be a PEM file of at most") {
					t.Errorf("Reload = %.200v, the status %.200q, want %q", err, got, kind.want)
				}
				if now.Config != before.Config || now.TLS != before.TLS || now.Users["anna"].PasswordHash != hashA {
					t.Error("what was in force is not any more")
				}
				if d.logged("level=WARN", "file="+told) != 1 {
					t.Errorf("the log:\n%.2000s", d.log.String())
				}
				if _, err := Open(d.root, config.Strict, d.logger()); err == nil && what != "a link to itself" {
					t.Error("a server starts with it")
				}
				d.remove(name)
				d.write(name, string(good))
				if err := s.Reload(); err != nil {
					t.Errorf("once it is put right: %v", err)
				}
			})
		}
	}
}

// TestAttackDearHashes: a hash that would take hours or gigabytes to verify is
// refused when it is loaded, and its users file with it: nobody logs in by it.
func TestAttackDearHashes(t *testing.T) {
	const salt, sum = "MDEyMzQ1Njc4OWFiY2RlZg", "nUxirfVK2I/vOT6f2ly2wSgjwZ1oqwTLCmrcpDyjicA"
	for hash, want := range map[string]string{
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + sum:                     "m must be between 1 and 65536",
		"$argon2id$v=19$m=19456,t=1000,p=1$" + salt + "$" + sum:                    "t must be between 1 and 10",
		"$argon2id$v=19$m=19456,t=2,p=255$" + salt + "$" + sum:                     "p must be between 1 and 16",
		"$argon2id$v=19$m=4294967295,t=4294967295,p=1$" + salt + "$" + sum:         "must be between",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 100_000): "the hash must be at most 64 bytes",
		strings.Replace(hashA, "$05$", "$31$", 1):                                  "the cost must be between 4 and 14",
		strings.Replace(hashA, "$05$", "$99$", 1):                                  "the cost must be between 4 and 14",
		"$6$rounds=999999999$salt$" + strings.Repeat("a", 85) + "1":                "rounds must be between 1000 and 400000",
	} {
		d := newDir(t)
		name := config.UsersFileName(config.Shard("anna"))
		d.write(config.FileName, configured("usersDir: .\n"))
		d.write(name, usersFile(user("anna", hashA)))
		s := d.open()
		d.write(name, usersFile(user("anna", "\""+hash+"\"")))
		if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "users[0].passwordHash: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", hash, err, want)
		}
		if s.Current().Users["anna"].PasswordHash != hashA {
			t.Errorf("%.60s is in force", hash)
		}
		if d.logged("level=WARN", "file="+name) != 1 || d.logged(sum) > 0 {
			t.Errorf("%.60s: the log:\n%s", hash, d.log.String())
		}
		d.write(config.FileName, configured("", user("anna", fmt.Sprintf("%q", hash))))
		if err := s.Reload(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s in the configuration itself: %v, want %q", hash, err, want)
		}
	}
}

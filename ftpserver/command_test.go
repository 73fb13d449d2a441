package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestHashPassword(t *testing.T) {
	for input, password := range map[string]string{
		"secret\n": "secret", "secret": "secret", "secret\r\n": "secret", " two words \n": " two words ", "": "", "\n": "",
	} {
		var out bytes.Buffer
		err := hashPassword(strings.NewReader(input), &out)
		if password == "" {
			if err == nil || !strings.Contains(err.Error(), "give one line") {
				t.Errorf("%q: %v", input, err)
			}
			continue
		}
		hash := strings.TrimSuffix(out.String(), "\n")
		if ok, verr := passhash.Verify(hash, password); err != nil || verr != nil || !ok {
			t.Errorf("%q: %q does not verify: %v, %v", input, hash, err, verr)
		}
	}
}

// TestWrongUse: every error says what to do.
func TestWrongUse(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, test := range []struct{ args, says string }{
		{"", "no command given"},
		{"start", "try ftpserver help"},
		{"serve", "give either --config FILE or --root DIR"},
		{"serve --frob", "unknown flag: --frob"},
		{"serve --root " + dir + " --config x", "give either --config FILE or --root DIR"},
		{"serve --root " + dir + " --user bob now", "flags only"},
		{"serve --root " + dir, "--user NAME"},
		{"serve --root " + dir + " --user bob --durability some", "give full or none"},
		{"serve --root " + dir + " --user bob --tls-cert x", "go together"},
		{"serve --root " + dir + " --user bob --tls-cert x --tls-key y", "no such file"},
		{"serve --root " + dir + " --user bob --passive-ports many", "30000-30009"},
		{"serve --root " + dir + " --user bob --passive-ports 9-7", "not a range of ports"},
		{"serve --root " + dir + " --user b/b", "must not contain"},
		{"serve --root " + dir + " --user bob --listen here", "not host:port"},
		{"serve --root " + dir + " --user bob --log-level loud", "Debug, Info, Warn, Error"},
		{"serve --root " + dir + " --user bob --password-file " + empty, "the password is empty"},
		{"serve --root " + dir + " --user bob --password-file " + dir + "/missing", "no such file"},
		{"serve --root " + dir + "/missing --user bob", "storage.root"},
		{"serve --root " + dir + " --user bob --passive-ports 30000-30000 --listen " + l.Addr().String(), "address already in use"},
		{"serve --config " + dir + "/missing", "no such file"},
		{"serve --config " + empty, "storage.root"},
	} {
		ended := make(chan error, 1)
		go func() { ended <- run(strings.Fields(test.args)) }()
		var err error
		select {
		case err = <-ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("ftpserver %s: it runs", test.args)
		}
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("ftpserver %s: %v, want %q", test.args, err, test.says)
		}
	}
}

// TestQuickTry: a few flags make a whole configuration.
func TestQuickTry(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("from a file\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := quickFlags{root: dir, user: "bob", listen: "127.0.0.1:2121", passivePorts: "30000-30009", durability: "None", active: true}
	t.Run("password made", func(t *testing.T) {
		var out bytes.Buffer
		c, err := q.config(&out)
		if err != nil {
			t.Fatal(err)
		}
		password, ok := strings.CutPrefix(strings.TrimSpace(out.String()), "Password of bob: ")
		verifies(t, c, password)
		if !ok || len(password) < 20 {
			t.Errorf("printed %q", out.String())
		}
		if c.TLS.Mode != config.TLSDisabled || !c.Active || c.Storage.Durability != config.DurabilityNone || c.Limits.Sessions != 0 {
			t.Errorf("configuration %+v", c)
		}
	})
	t.Run("password and certificate given", func(t *testing.T) {
		q.passwordFile, q.tlsCert, q.tlsKey = secret, "tls.crt", "tls.key"
		var out bytes.Buffer
		c, err := q.config(&out)
		if err != nil {
			t.Fatal(err)
		}
		verifies(t, c, "from a file")
		if out.Len() > 0 {
			t.Errorf("printed %q", out.String())
		}
		if c.TLS.Mode != config.TLSOptional || !filepath.IsAbs(c.TLS.Certificates[0].KeyFile) {
			t.Errorf("TLS %+v", c.TLS)
		}
	})
}

func verifies(t *testing.T, c *config.Config, password string) {
	t.Helper()
	if len(c.Users) != 1 || c.Users[0].Name != "bob" || c.Users[0].Home != "/" {
		t.Fatalf("users %+v", c.Users)
	}
	if ok, err := passhash.Verify(c.Users[0].PasswordHash, password); err != nil || !ok {
		t.Errorf("the password does not verify: %v", err)
	}
}

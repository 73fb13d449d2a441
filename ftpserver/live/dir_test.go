package live

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Two hashes that could be verified; nobody logs in here.
const (
	hashA = "$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8."
	hashB = "$2b$05$abcdefghijklmnopqrstuuQNr.NUko7cjRuTOhPz.WP0eA4f4.Xuq"
)

// configured is a minimal configuration with more lines, and with users.
func configured(more string, users ...string) string {
	return "listen: 127.0.0.1:2121\npassive: {range: 30000-30009}\nstorage: {root: /srv}\n" + more + usersFile(users...)
}

func usersFile(users ...string) string { return "users: [" + strings.Join(users, ", ") + "]\n" }

func user(name, hash string) string { return "{name: " + name + ", passwordHash: " + hash + "}" }

// dir is a directory with configuration files, and what was logged of them.
type dir struct {
	t    *testing.T
	root string

	mu  sync.Mutex
	log bytes.Buffer
}

func newDir(t *testing.T) *dir { return &dir{t: t, root: t.TempDir()} }

func (d *dir) path(name string) string { return filepath.Join(d.root, name) }

func (d *dir) write(name, content string) {
	d.t.Helper()
	path := d.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dir) read(name string) []byte {
	d.t.Helper()
	data, err := os.ReadFile(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	return data
}

func (d *dir) remove(name string) {
	d.t.Helper()
	if err := os.RemoveAll(d.path(name)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *dir) open() *Source {
	d.t.Helper()
	s, err := Open(d.root, config.Strict, d.logger())
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// issue writes name.crt and name.key, a self-signed pair, and returns the
// certificate's file.
func (d *dir) issue(name string) (certPEM string) {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		d.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		d.t.Fatal(err)
	}
	certPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	d.write(name+".crt", certPEM)
	d.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	return certPEM
}

// logger writes to the directory's log.
func (d *dir) logger() *slog.Logger { return slog.New(slog.NewTextHandler(d, nil)) }

// Write is for the logger.
func (d *dir) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

// logged counts the lines that hold all of the words.
func (d *dir) logged(words ...string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for line := range strings.Lines(d.log.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

func digest(t *testing.T, u config.User) string {
	t.Helper()
	d, err := u.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// status is what a snapshot says of a file.
func status(t *testing.T, s *Snapshot, name string) config.FileStatus {
	t.Helper()
	for _, f := range s.Files {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("nothing is told of %s: %v", name, s.Files)
	return config.FileStatus{}
}

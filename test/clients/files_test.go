package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// randomFile writes a file of this size that nothing compresses or repeats.
func randomFile(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "local")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	if _, err := io.CopyN(f, rand.NewChaCha8(seed), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func sameContent(t *testing.T, got, want string) {
	t.Helper()
	if a, b := checksum(t, got), checksum(t, want); a != b {
		t.Fatalf("%s (%d bytes) differs from %s (%d bytes)", got, size(got), want, size(want))
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// size is -1 for what does not exist.
func size(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return fi.Size()
}

// hiddenPrefix begins the names of what the server keeps beside the files.
const hiddenPrefix = ".ftpserver-"

// hidden returns what is below dir with names that users never see.
func hidden(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), hiddenPrefix) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// arrived is how many bytes the uploads in progress below dir have brought.
func arrived(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, path := range hidden(t, dir) {
		n += max(0, size(path))
	}
	return n
}

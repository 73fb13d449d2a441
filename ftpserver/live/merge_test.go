package live

import (
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// anna belongs to shard 3 (config.Shard).
func TestAUserInTwoPlaces(t *testing.T) {
	tests := map[string]struct {
		places map[string]string // file: hash of anna's password there
		winner string
	}{
		"alone in a foreign file":       {map[string]string{"users-6.v2.yaml": hashA}, "users-6.v2.yaml"},
		"own file before a lower one":   {map[string]string{"users-0.v2.yaml": hashA, "users-3.v2.yaml": hashB}, "users-3.v2.yaml"},
		"own file before a higher one":  {map[string]string{"users-3.v2.yaml": hashA, "users-6.v2.yaml": hashB}, "users-3.v2.yaml"},
		"own file before configuration": {map[string]string{config.FileName: hashA, "users-3.v2.yaml": hashB}, "users-3.v2.yaml"},
		"configuration before foreign":  {map[string]string{config.FileName: hashA, "users-0.v2.yaml": hashB}, config.FileName},
		"lower of two foreign files":    {map[string]string{"users-6.v2.yaml": hashA, "users-1.v2.yaml": hashB}, "users-1.v2.yaml"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			d.write(config.FileName, configured("usersDir: .\n"))
			s := d.open()
			for file, hash := range tt.places {
				content := usersFile(user("anna", hash), user("only-in-"+file, hash))
				if file == config.FileName {
					content = configured("usersDir: .\n", user("anna", hash))
				}
				d.write(file, content)
			}
			_ = s.Reload()
			now := s.Current()
			if got, want := now.Users["anna"].PasswordHash, tt.places[tt.winner]; got != want {
				t.Errorf("anna's hash = %s, want that of %s", got, tt.winner)
			}
			if now.Digests["anna"] != digest(t, now.Users["anna"]) {
				t.Error("the digest is not that of the user in force")
			}
			for file := range tt.places {
				checkConflict(t, d, now, file, tt.winner)
			}
		})
	}
}

func checkConflict(t *testing.T, d *dir, now *Snapshot, file, winner string) {
	t.Helper()
	got := status(t, now, file)
	if got.Hash != config.Hash(d.read(file)) {
		t.Errorf("%s: its content is not in force", file)
	}
	if file == winner {
		if got.Error != "" {
			t.Errorf("%s wins, and is told: %s", file, got.Error)
		}
		return
	}
	if want := `user "anna" is also in ` + winner + ", which counts: remove it here"; got.Error != want {
		t.Errorf("%s: %q, want %q", file, got.Error, want)
	}
}

// Where the conflict ends, the other's user comes into force at once.
func TestAConflictEnds(t *testing.T) {
	d := newDir(t)
	d.write(config.FileName, configured("usersDir: .\n"))
	s := d.open()
	d.write("users-3.v2.yaml", usersFile(user("anna", hashA)))
	d.write("users-6.v2.yaml", usersFile(user("anna", hashB)))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "users-6.v2.yaml") {
		t.Errorf("Reload = %v", err)
	}
	d.remove("users-3.v2.yaml")
	mustReload(t, s)
	if s.Current().Users["anna"].PasswordHash != hashB {
		t.Error("anna of users-6 is not in force")
	}
}

package live

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// dataLink is the symlink behind which the kubelet keeps the files of a volume.
// It is replaced as a whole, so what lies behind it is of one moment. The names
// beside it are made after a replacement and removed before it is over: for
// that long, a file that came and one that went are both not there.
const dataLink = "..data"

// choice is where a file is read: one of several names of a directory, of which
// the first that is present counts. Which is, is found out anew each time, as an
// operator of another version may come at any moment.
type choice struct {
	name    string // the first name, where none is present
	path    string
	present bool
}

func choose(dir string, names ...string) choice {
	for _, name := range names {
		for _, in := range []string{filepath.Join(dir, dataLink), dir} {
			if path := filepath.Join(in, name); !absent(path) {
				return choice{name, path, true}
			}
		}
	}
	return choice{names[0], filepath.Join(dir, names[0]), false}
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// all are the paths of which one is chosen.
func all(dir string, names ...string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = filepath.Join(dir, name)
	}
	return out
}

// usersNames are the names of the file of a shard.
func usersNames(shard int) []string {
	return []string{config.UsersFileName(shard), config.PreviousUsersFileName(shard)}
}

package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// entry is a user with its digest, which is worked out once for each content.
type entry struct {
	user   config.User
	digest string
}

// readUsers reads the users' files. One that is absent has no users; where the
// directory itself is missing, everybody stays.
func (s *Source) readUsers(next *state) {
	c := next.config.value
	if c == nil || c.UsersDir == "" {
		next.users = [config.UserShards]file[[]entry]{}
		return
	}
	missing := directoryProblem(config.Resolve(s.dir, c.UsersDir))
	for i, f := range next.users {
		path := config.Resolve(s.dir, usersPath(c, i))
		next.watched = append(next.watched, path)
		switch {
		case missing != nil:
			next.users[i] = f.refused("", missing)
		case absent(path):
			next.users[i] = file[[]entry]{}
		default:
			next.users[i] = f.next(path, func(data []byte) ([]entry, error) {
				return decodeUsers(data, s.strictness)
			})
		}
	}
}

// usersPath is the file of a shard, as the configuration names it.
func usersPath(c *settings, shard int) string {
	return filepath.Join(c.UsersDir, config.UsersFileName(shard))
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func directoryProblem(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("usersDir: %w", withoutPath(err))
	}
	if !info.IsDir() {
		return errors.New("usersDir: is not a directory")
	}
	return nil
}

func decodeUsers(data []byte, s config.Strictness) ([]entry, error) {
	users, err := config.DecodeUsers(data, s)
	if err != nil {
		return nil, err
	}
	return entries(users)
}

// entries also finds out, now and not at the first login, whether a user could
// never log in.
func entries(users []config.User) ([]entry, error) {
	out := make([]entry, len(users))
	var errs []error
	for i, u := range users {
		if err := passhash.Check(u.PasswordHash); err != nil {
			errs = append(errs, fmt.Errorf("users[%d].passwordHash: %w", i, err))
		}
		digest, err := u.Digest()
		if err != nil {
			errs = append(errs, fmt.Errorf("users[%d]: %w", i, err))
		}
		out[i] = entry{user: u, digest: digest}
	}
	return out, errors.Join(errs...)
}

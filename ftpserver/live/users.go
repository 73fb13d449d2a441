package live

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// entry is a user with its digest, which is worked out once for each content.
type entry struct {
	user   config.User
	digest string
}

// readUsers reads the users' files, of each the highest version that is there.
// One that is absent has no users; where the directory itself is missing,
// everybody stays.
func (s *Source) readUsers(next *state) {
	c := next.config.value
	if c == nil || c.UsersDir == "" {
		next.users = [config.UserShards]file[[]entry]{}
		return
	}
	dir := config.Resolve(s.dir, c.UsersDir)
	missing := directoryProblem(dir)
	for i, f := range next.users {
		names := usersNames(i)
		next.watched = append(next.watched, all(dir, names...)...)
		chosen := choose(dir, names...)
		switch {
		case missing != nil:
			next.users[i] = f.named(cmp.Or(f.name, chosen.name)).refused("", missing)
		case !chosen.present:
			next.users[i] = file[[]entry]{name: chosen.name}
		default:
			next.users[i] = f.named(chosen.name).next(chosen.path, func(data []byte) ([]entry, error) {
				return decodeUsers(data, s.strictness, f.value)
			})
		}
	}
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

// decodeUsers takes over, from the content in force, what it knows of users who
// have not changed: most have not.
func decodeUsers(data []byte, s config.Strictness, before []entry) ([]entry, error) {
	users, err := config.DecodeUsers(data, s)
	if err != nil {
		return nil, err
	}
	known := make(map[string]*entry, len(before))
	for i := range before {
		known[before[i].user.Name] = &before[i]
	}
	return entries(users, known)
}

// entries also finds out, now and not at the first login, whether a user could
// never log in.
func entries(users []config.User, known map[string]*entry) ([]entry, error) {
	out := make([]entry, len(users))
	var errs []error
	for i, u := range users {
		if e := known[u.Name]; e != nil && reflect.DeepEqual(e.user, u) {
			out[i] = *e
			continue
		}
		if err := passhash.Check(u.PasswordHash); err != nil {
			errs = append(errs, fmt.Errorf("users[%d].passwordHash: %w", i, err))
		}
		digest, err := u.Digest()
		if err != nil {
			errs = append(errs, fmt.Errorf("users[%d]: %w", i, err))
		}
		out[i] = entry{user: u, digest: digest}
	}
	return out, config.Brief(errs)
}

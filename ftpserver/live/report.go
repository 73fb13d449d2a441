package live

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// judged is what came of a file, and of which content.
type judged struct {
	config.FileStatus
	newest string // config.Hash of the newest content, where it is known
}

// report logs each outcome once: the names of the files whose newest content
// has come into force, and each that was refused unless that was told before of
// the same content.
func (s *Source) report(old, next *state) {
	var loaded []string
	for _, f := range next.files {
		before := old.file(f.Name)
		if f.Hash != before.Hash || (f.Error == "" && before.Error != "") {
			loaded = append(loaded, f.Name)
		}
		if f.Error != "" && f != before {
			s.log.Warn("Configuration file refused", "file", f.Name, "error", f.Error)
		}
	}
	if len(loaded) > 0 {
		s.log.Info("Configuration loaded", "files", loaded, "users", len(next.logins.users))
	}
	if c := next.config.value; c != old.config.value && len(c.pending) > 0 {
		s.log.Warn("Setting takes effect at the next start", "settings", c.pending)
	}
}

func (st *state) file(name string) judged {
	i := slices.IndexFunc(st.files, func(f judged) bool { return f.Name == name })
	if i < 0 {
		return judged{}
	}
	return st.files[i]
}

func (st *state) statuses() []config.FileStatus {
	out := make([]config.FileStatus, len(st.files))
	for i, f := range st.files {
		out[i] = f.FileStatus
	}
	return out
}

// problems joins what is wrong, and tells what several files share only once.
func (st *state) problems() error {
	var errs []error
	told := map[string]bool{}
	for _, f := range st.files {
		if f.Error != "" && !told[f.Error] {
			told[f.Error] = true
			errs = append(errs, fmt.Errorf("%s: %s", f.Name, f.Error))
		}
	}
	return errors.Join(errs...)
}

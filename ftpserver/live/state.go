package live

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// state is what is in force, file by file. A new one is made from the old one
// and the files; what both share is never changed.
type state struct {
	config   file[*settings]
	users    [config.UserShards]file[[]entry]
	tls      *tlsconf.Set
	tlsFiles []config.FileStatus

	logins  logins
	files   []judged
	watched []string // every file that was looked for
}

// read reads all files. Nothing that is wrong with them stops it.
func (s *Source) read() *state {
	next := &state{config: s.state.config, users: s.state.users, tls: s.state.tls}
	s.readConfig(next)
	if next.config.value != nil {
		s.readUsers(next)
		next.logins = s.state.logins
		if next.logins.users == nil || !next.sameUsers(s.state) {
			next.logins = next.merge(func(place int) string { return s.fileName(next, place) })
		}
	}
	next.files = s.judge(next)
	return next
}

// readConfig puts a configuration in force together with its certificates. One
// that asks for TLS while no certificate can be used is refused: it would turn
// every client away.
func (s *Source) readConfig(next *state) {
	old := next.config
	if len(s.names) > 0 {
		next.watched = append(next.watched, all(s.dir, s.names...)...)
		chosen := choose(s.dir, s.names...)
		old = old.named(chosen.name)
		next.config = old.next(chosen.path, func(data []byte) (*settings, error) {
			return decodeIn(data, s.strictness, s.dir, old.value)
		})
	}
	if next.config.value == nil {
		return
	}
	err := s.readCertificates(next)
	if old.value == nil {
		return // at the first load, the certificates' own problems say it all
	}
	if err != nil {
		next.config = old.refused("", err)
		// The old one has served: its certificates are still there.
		_ = s.readCertificates(next)
		return
	}
	if next.config.value != old.value {
		next.config.value.pin(old.value)
	}
}

func (s *Source) readCertificates(next *state) error {
	t := next.config.value.TLS
	for _, c := range t.Certificates {
		next.watched = append(next.watched, config.Resolve(s.dir, c.CertFile), config.Resolve(s.dir, c.KeyFile))
	}
	if t.ClientCertificates.Mode != "" {
		next.watched = append(next.watched, config.Resolve(s.dir, t.ClientCertificates.CAFile))
	}
	set, files := s.state.tls.Reload(s.dir, t)
	next.tls, next.tlsFiles = set, files
	if set != nil || t.Mode == config.TLSDisabled {
		return nil
	}
	what := "a certificate"
	if len(files) > len(t.Certificates) && files[len(t.Certificates)].Hash == "" {
		what = "authorities for clients' certificates"
	}
	var problems []string
	for _, f := range files {
		if f.Error != "" {
			problems = append(problems, f.Name+": "+f.Error)
		}
	}
	return fmt.Errorf("tls: mode %s needs %s that can be used: %s", t.Mode, what, strings.Join(problems, "; "))
}

// judge tells of every file that the configuration names what came of it.
func (s *Source) judge(next *state) []judged {
	var out []judged
	if len(s.names) > 0 {
		out = append(out, next.config.judged(next.config.name, next.logins.problems[inConfig]))
	}
	if next.config.value != nil && next.config.value.UsersDir != "" {
		for shard, f := range next.users {
			out = append(out, f.judged(s.fileName(next, shard), next.logins.problems[shard]))
		}
	}
	for _, f := range next.tlsFiles {
		out = append(out, judged{FileStatus: f})
	}
	return out
}

func (s *Source) fileName(st *state, place int) string {
	if place == inConfig {
		return st.config.name
	}
	return config.NameOf(s.dir, filepath.Join(st.config.value.UsersDir, st.users[place].name))
}

func (st *state) snapshot() *Snapshot {
	return &Snapshot{
		Config:  st.config.value.Config,
		Users:   st.logins.users,
		Digests: st.logins.digests,
		TLS:     st.tls,
		Files:   st.statuses(),
	}
}

// differs tells whether a snapshot of the state would tell anything new.
func (st *state) differs(from *Snapshot) bool {
	return st.tls != from.TLS || !slices.Equal(st.statuses(), from.Files)
}

func (st *state) sameUsers(old *state) bool {
	same := func(a, b file[[]entry]) bool { return a.hash == b.hash && a.name == b.name }
	return st.config.value == old.config.value && st.config.name == old.config.name && slices.EqualFunc(st.users[:], old.users[:], same)
}

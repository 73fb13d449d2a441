package controllers

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// entries are the users as the server is to know them: those that are accepted
// and have a password.
func (s *scope) entries() ([]config.User, error) {
	var out []config.User
	s.logins = map[types.UID]policy.Login{}
	_, narrow := render.UnknownInPrevious(s.server, s.sourcesHidden)
	for _, u := range s.users {
		password := s.passwords[u.UID]
		if !s.accepted[u.UID].OK() || !password.finding.OK() {
			continue
		}
		entry := policy.UserEntry(u, password.hash)
		login, err := loginOf(entry, narrow)
		if err != nil {
			return nil, err
		}
		s.logins[u.UID] = login
		out = append(out, entry)
	}
	return out, nil
}

// loginOf is what pods tell of a user whom they have loaded. narrow names what
// narrows all users of the server.
func loginOf(entry config.User, narrow []string) (l policy.Login, err error) {
	l = policy.Login{Name: entry.Name, File: render.UsersFile(entry.Name)}
	what, refused := entry.UnknownInPrevious()
	if len(narrow) > 0 && entry.Login != config.LoginSuspended {
		what, refused = strings.Join(narrow, ", ")+" of the FTPServer, which narrow all logins", true
	}
	if l.Newer = what; refused {
		l.Newer += ", and refuses the login"
	}
	if l.Digest, err = entry.Digest(); err != nil {
		return l, err
	}
	for _, previous := range config.PreviousUsers([]config.User{entry}, len(narrow) > 0) {
		l.Previous, err = previous.Digest()
	}
	return l, err
}

// wanted is what the pods are to load.
func (s *scope) wanted() policy.Wanted {
	newer, _ := render.UnknownInPrevious(s.server, s.sourcesHidden)
	return policy.Wanted{Files: s.out.Files, Newer: newer}
}

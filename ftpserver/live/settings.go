package live

import "github.com/ftp-operator/ftp-operator/ftpserver/config"

// settings is a configuration, with the users that it names itself.
type settings struct {
	*config.Config
	entries []entry
	// pending are the settings of the file that take effect at the next start.
	pending []string
}

func decodeSettings(data []byte, s config.Strictness) (*settings, error) {
	c, err := config.Decode(data, s)
	if err != nil {
		return nil, err
	}
	users, err := entries(c.Users, nil)
	if err != nil {
		return nil, err
	}
	return &settings{Config: c, entries: users}, nil
}

// decodeIn decodes a configuration in a directory, which may be the successor of
// another: the root of the storage stays that one's.
func decodeIn(data []byte, s config.Strictness, dir string, old *settings) (*settings, error) {
	next, err := decodeSettings(data, s)
	if err != nil {
		return nil, err
	}
	root := next.Storage.Root
	if old != nil {
		root = old.Storage.Root
	}
	if err := next.Log.CheckXferlog(dir, root); err != nil {
		return nil, err
	}
	return next, nil
}

// pin keeps what was fixed when the process started: sockets, the directory
// that sessions have open, the form of the log.
func (s *settings) pin(old *settings) {
	if s.Listen != old.Listen { // which the port for implicit TLS was judged by
		keep(s, "tls.implicit", &s.TLS.Implicit, old.TLS.Implicit)
	}
	keep(s, "listen", &s.Listen, old.Listen)
	keep(s, "storage.root", &s.Storage.Root, old.Storage.Root)
	keep(s, "admin", &s.Admin, old.Admin)
	keep(s, "log.format", &s.Log.Format, old.Log.Format)
}

func keep[T comparable](s *settings, field string, v *T, old T) {
	if *v != old {
		*v = old
		s.pending = append(s.pending, field)
	}
}

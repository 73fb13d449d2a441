// Package live holds the configuration that is in force. It loads the files,
// validates them, and swaps one immutable snapshot whenever they change.
//
// Each file is judged on its own: what can't be used keeps its old content in
// force, and the snapshot says why. Nothing here applies a setting: whoever
// must act on a change subscribes.
package live

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// Snapshot is a configuration in force. It is immutable, with all that it
// points to.
type Snapshot struct {
	Config *config.Config
	// Users are the logins of all files, by name.
	Users map[string]config.User
	// Digests are their config.User.Digest, by name.
	Digests map[string]string
	// TLS is nil if TLS is switched off.
	TLS *tlsconf.Set
	// Files tells of each file which content is in force.
	Files []config.FileStatus
}

// Source is the configuration as it changes. It is safe for concurrent use.
type Source struct {
	log        *slog.Logger
	dir        string   // the directory of the configuration
	names      []string // of its file there, the first that is present; none: the configuration is fixed
	strictness config.Strictness

	current atomic.Pointer[Snapshot]
	poke    chan struct{} // tells Run that others have reloaded

	mu          sync.Mutex // held over a reload and what it tells
	state       *state
	subscribers []func(old, new *Snapshot)
}

// Open loads the configuration at path: a file, or a directory that holds one
// named config.FileName or, of an operator of the version before,
// config.PreviousFileName. Everything that it names must be there and valid;
// the error tells all that is not.
func Open(path string, s config.Strictness, log *slog.Logger) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	source := newSource(log, s)
	if info.IsDir() {
		source.dir, source.names = filepath.Clean(path), []string{config.FileName, config.PreviousFileName}
	} else {
		source.dir, source.names = filepath.Dir(path), []string{filepath.Base(path)}
	}
	if err := source.first(); err != nil {
		return nil, err
	}
	return source, nil
}

// Static is a configuration without a file behind it. Its file names are
// relative to the working directory; the users and certificates that it names
// are loaded, and reloaded, all the same. It is copied, and completed with the
// defaults.
func Static(c *config.Config, log *slog.Logger) (*Source, error) {
	data, err := config.Encode(c)
	if err != nil {
		return nil, err
	}
	fixed, err := decodeIn(data, config.Strict, ".", nil)
	if err != nil {
		return nil, err
	}
	source := newSource(log, config.Strict)
	source.dir = "."
	source.state.config.value = fixed
	if err := source.first(); err != nil {
		return nil, err
	}
	return source, nil
}

func newSource(log *slog.Logger, s config.Strictness) *Source {
	return &Source{
		log:        log,
		strictness: s,
		poke:       make(chan struct{}, 1),
		state:      &state{},
	}
}

// first loads everything for the first time, when there is nothing to fall
// back on.
func (s *Source) first() error {
	next := s.read()
	if err := next.problems(); err != nil {
		return err
	}
	s.report(s.state, next)
	s.state = next
	s.current.Store(next.snapshot())
	return nil
}

// LogTo replaces the logger: which one is wanted may stand in the very
// configuration that was loaded. It must be called before Run and Reload.
func (s *Source) LogTo(log *slog.Logger) { s.log = log }

// Current returns the snapshot in force. It is never nil.
func (s *Source) Current() *Snapshot { return s.current.Load() }

// Subscribe has f called after each swap, in order and one call at a time, by
// the goroutine that reloads (Run's, or the caller's of Reload). A swap where
// only an error in Files is new counts as well. f must not call Reload or
// Subscribe.
func (s *Source) Subscribe(f func(old, new *Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, f)
}

// Reload reads all files anew, and swaps the snapshot if what is in force, or
// what is wrong, has changed. The error tells of every file whose newest
// content is not in force.
func (s *Source) Reload() error {
	err := s.reload()
	select {
	case s.poke <- struct{}{}:
	default: // one is waiting already
	}
	return err
}

func (s *Source) reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.read()
	s.report(s.state, next)
	s.state = next
	if old := s.Current(); next.differs(old) {
		s.swap(old, next.snapshot())
	}
	return next.problems()
}

func (s *Source) swap(old, new *Snapshot) {
	s.current.Store(new)
	for _, f := range s.subscribers {
		f(old, new)
	}
}

package ftp

import (
	"net/netip"
	"slices"
	"time"
	"weak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// revocation says how a session ends when what is configured of its user is
// another thing now. It is the one place that says it; whatever is not named
// here only counts from the next command or the next login on.
//
// Who becomes an Admin, or ceases to be one, can't stay: "/" is another
// directory then.
func revocation(was, is candidate, client netip.Addr, now time.Time) ending {
	switch {
	case !is.exists:
		return endRevoke
	case is.Login != config.LoginEnabled, expired(is.ExpiresAt, now):
		return endNow
	case is.guest != was.guest, is.PasswordHash != was.PasswordHash, is.UID != was.UID, is.Home != was.Home,
		(is.Role == config.RoleAdmin) != (was.Role == config.RoleAdmin),
		!clientIn(client, is.AllowedCIDRs):
		return endRevoke
	}
	return endNot
}

// revoke compares the session with a new configuration, and ends it where its
// user can't stay, or is in clear where TLS is now required. It may be called
// from any goroutine.
func (s *session) revoke(now *live.Snapshot) {
	s.mu.Lock()
	was := candidate{User: s.user, guest: s.guest, passwordless: s.passwordless, exists: true}
	fs, secure, peer := s.fs, s.secure, s.peer
	s.mu.Unlock()
	if fs == nil {
		return
	}
	is := s.current(was, now)
	how := revocation(was, is, s.clientAddress(now), time.Now())
	if now.Config.TLS.Mode == config.TLSRequired && !secure {
		how = max(how, endRevoke)
	}
	if certificateObstacle(is, peer, now.TLS) != "" || was.passwordless && !byCertificateAlone(&is.User) {
		how = max(how, endRevoke)
	}
	s.end(how)
	s.expireView(fs, is.ExpiresAt)
}

// expireView has the session end at that instant, unless somebody has logged in
// anew since it had this view.
func (s *session) expireView(fs *vfs.FS, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fs == fs {
		s.expireAt(at)
	}
}

// current is what is now configured of who has logged in.
func (s *session) current(who candidate, now *live.Snapshot) candidate {
	if who.guest {
		return guest(now.Config.Anonymous, who.UID)
	}
	u, exists := now.Users[who.Name]
	return candidate{User: u, exists: exists}
}

// follow brings the session to the configuration in force, before a command.
func (s *session) follow() {
	now := s.server.Live.Current()
	if !s.loggedIn() || weak.Make(now) == s.seen {
		return
	}
	s.seen = weak.Make(now)
	s.revoke(now)
	s.mu.Lock()
	ends := s.ending >= endRevoke
	s.mu.Unlock()
	if ends {
		return
	}
	is := s.current(candidate{User: s.user, guest: s.guest}, now)
	if is.Role == s.user.Role && slices.Equal(is.Paths, s.user.Paths) && is.Quota == s.user.Quota {
		return // of all else, revoke and the next login look at what is in force
	}
	is.passwordless = s.passwordless
	if err := s.become(is); err != nil {
		s.log.Error("Applying a user's new role failed", "user", is.Name, "error", err)
		s.end(endRevoke)
	}
}

// become gives the session a user's view of the storage.
func (s *session) become(c candidate) error {
	fs, err := s.server.Store.FS(c.User)
	if err != nil {
		return err
	}
	s.setUser(c, fs)
	return nil
}

// setUser replaces user and view; fs is nil for nobody.
func (s *session) setUser(c candidate, fs *vfs.FS) {
	s.mu.Lock()
	before := s.fs
	s.user, s.guest, s.passwordless, s.fs = c.User, c.guest, c.passwordless, fs
	s.expireAt(c.ExpiresAt)
	s.mu.Unlock()
	switch {
	case fs != nil:
		s.server.newcomers.remove(s)
	case !s.finished:
		s.server.newcomers.add(s)
	}
	if s.secure && fs != nil {
		s.server.known.belongs(s.id, s.identity())
	}
	if before != nil {
		_ = before.Close()
	}
}

// expireAt has the session end at that instant. It is called with mu held.
func (s *session) expireAt(at time.Time) {
	s.expires = at
	s.expiry.set(at, s.expire)
}

// expire looks again: the timer may have fired while the login was replaced.
func (s *session) expire() {
	s.mu.Lock()
	due := s.fs != nil && expired(s.expires, time.Now())
	s.mu.Unlock()
	if due {
		s.end(endNow)
	}
}

package ftp

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
)

// guestName is the user that anonymous logins are told and logged as.
const guestName = "anonymous"

// candidate is whom a name stands for.
type candidate struct {
	config.User
	exists bool
	guest  bool
	// passwordless: a certificate alone has let them in.
	passwordless bool
}

// candidate looks a name up. One that is configured is that user, whatever it
// is; else "anonymous" and "ftp" are the guest's, if there are any (RFC 1635).
func (s *session) candidate(now *live.Snapshot, name string) candidate {
	if u, ok := now.Users[name]; ok {
		return candidate{User: u, exists: true}
	}
	if strings.EqualFold(name, guestName) || strings.EqualFold(name, "ftp") {
		return guest(now.Config.Anonymous, s.guestUID(now))
	}
	return candidate{}
}

// guestUID is what tells guests apart: the address or, where that means nothing,
// each login. It keeps one guest from going on with what another has begun to
// upload, and from getting a data connection of another.
func (s *session) guestUID(now *live.Snapshot) string {
	if a := s.clientAddress(now); a.IsValid() {
		return a.String()
	}
	return rand.Text()
}

// guest is somebody without a login of their own.
func guest(a *config.Anonymous, uid string) candidate {
	if a == nil {
		return candidate{}
	}
	return candidate{guest: true, exists: true, User: config.User{
		Name: guestName, UID: uid, Home: a.Home, Role: a.Role, Login: config.LoginEnabled, Quota: a.Quota, Rates: a.Rates,
	}}
}

// obstacle says why a user can't log in from an address at this time, whatever
// the password; "" if nothing is in the way. The zero Addr is one that is hidden.
func obstacle(u *config.User, client netip.Addr, now time.Time) string {
	switch {
	case u.Login != config.LoginEnabled:
		return "not enabled"
	case expired(u.ExpiresAt, now):
		return "expired"
	case !client.IsValid() && len(u.AllowedCIDRs) > 0:
		return "address hidden, and allowedCIDRs are given"
	case !clientIn(client, u.AllowedCIDRs):
		return "address not allowed"
	}
	return ""
}

// expired: the zero time never comes.
func expired(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// loginTimeout bounds the check of a password, with the wait for a free worker.
const loginTimeout = 20 * time.Second

// checkPassword says why a login is refused; "" if it isn't. Where it is refused
// in any case, it takes its time all the same.
func (s *session) checkPassword(ctx context.Context, c candidate, password string, refused bool) (reason string, err error) {
	if !c.exists {
		return "unknown user", s.server.Verifier.Dummy(ctx, password)
	}
	verify := s.server.Verifier.Verify
	if reason = s.obstacle(c, s.server.Live.Current()); reason != "" || refused {
		// A remembered login would be quick, and tell that the password is right.
		verify = s.server.Verifier.VerifyAnew
	}
	ok, err := verify(ctx, c.PasswordHash, password)
	if err == nil && !ok {
		reason = "wrong password"
	}
	return reason, err
}

// obstacle says why somebody can't log in on this session, whatever the password.
func (s *session) obstacle(c candidate, now *live.Snapshot) string {
	if reason := obstacle(&c.User, s.clientAddress(now), time.Now()); reason != "" {
		return reason
	}
	return certificateObstacle(c, s.peer, now.TLS)
}

// takeSeat counts the session as the user's, unless there are enough of them.
// A limit of 0 is none. Guests have the limits of all sessions, and none of their own.
func (s *session) takeSeat(c candidate, limit int) bool {
	if c.guest {
		return true
	}
	if !s.server.seats.take(c.Name, limit) {
		return false
	}
	s.seat = c.Name
	return true
}

func (s *session) leaveSeat() {
	if s.seat != "" {
		s.server.seats.leave(s.seat)
		s.seat = ""
	}
}

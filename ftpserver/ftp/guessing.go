package ftp

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/lockout"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
)

// origin is what a client's address counts as: for the limit of sessions, for
// turns, and for failed logins.
func origin(client netip.Addr) netip.Prefix { return lockout.Group(client) }

// loginOrigin is what failed logins on this session are counted under. The zero
// Prefix, where addresses mean nothing, has them counted by user only.
func (s *session) loginOrigin(now *live.Snapshot) netip.Prefix { return origin(s.clientAddress(now)) }

// clientAddress is the client's own address; the zero Addr, which is in no
// network, where addresses mean nothing.
func (s *session) clientAddress(now *live.Snapshot) netip.Addr {
	if addressHidden(now.Config, introduction{s.announced, s.hidden}) {
		return netip.Addr{}
	}
	return s.client
}

// turn is in whose turn a password is looked at.
func (s *session) turn(now *live.Snapshot, name string) turn {
	if from := s.loginOrigin(now); from.IsValid() {
		return turn{from: from}
	}
	return turn{user: name}
}

// policy is what the configuration says of failed logins.
func policy(f config.FailedLogins) lockout.Policy {
	return lockout.Policy{
		Delay: f.Delay, MaxDelay: f.MaxDelay,
		Lockouts:     f.Mode == config.GuessingLockout,
		LockoutAfter: f.LockoutAfter, AddressLockoutAfter: f.AddressLockoutAfter, LockoutFor: f.LockoutFor,
	}
}

// attempt is a login as it is counted. Entry changes with whatever is configured
// of the user: so a new password, for one, takes effect at once, whatever has
// failed with the old one.
func (s *session) attempt(now *live.Snapshot, name string, c candidate) lockout.Attempt {
	return lockout.Attempt{
		Name: name, Entry: now.Digests[name], From: s.loginOrigin(now),
		Expected: len(c.AllowedCIDRs) > 0 && clientIn(s.clientAddress(now), c.AllowedCIDRs),
	}
}

// loginContext ends when the session is ended, or with done. It is made for the
// check of a login, as an idle session should hold none.
func (s *session) loginContext() (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutLogin = cancel
	if s.ending == endNow {
		cancel()
	}
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cutLogin = nil
		cancel()
	}
}

// holdBack lets a login wait for as long as failures before it ask for. That is
// judged anew when the configuration changes. It returns at once when the
// session is ended; other sessions do not wait, and no turn is taken.
func (s *session) holdBack(ctx context.Context, name string) {
	began := time.Now()
	for first := true; ; first = false {
		changed := s.server.changed.wait()
		now := s.server.Live.Current()
		f, c := now.Config.Limits.FailedLogins, s.candidate(now, name)
		if f.Mode == config.GuessingOff || c.guest {
			return
		}
		left := s.server.guesses.Delay(policy(f), s.attempt(now, name, c)) - time.Since(began)
		if left <= 0 {
			return
		}
		if first {
			s.server.Metrics.LoginDelayed()
		}
		select {
		case <-time.After(left):
			return
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// lockedOut says whether a login is refused whatever its password. It must be
// called, as countFailure, in the client's turn: so of many at once no more
// passwords are looked at than may fail.
func (s *session) lockedOut(f config.FailedLogins, a lockout.Attempt) bool {
	return f.Mode != config.GuessingOff && s.server.guesses.Locked(policy(f), a) != lockout.None
}

// countFailure counts a password that was looked at and refused.
func (s *session) countFailure(f config.FailedLogins, a lockout.Attempt) {
	if f.Mode == config.GuessingOff {
		return
	}
	began := s.server.guesses.Failed(policy(f), a)
	if began == lockout.None {
		return
	}
	s.server.Metrics.Lockout(string(began))
	args := []any{"of", string(began), "network", a.From.String(), "seconds", f.LockoutFor.Seconds()}
	if began == lockout.User {
		args = append(args, "user", a.Name)
	}
	s.log.Warn("Logins locked out", args...)
}

// signal tells all who wait at once. Its zero value is ready to use.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next fire.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// verify says why a login is refused; "" if it isn't. Any password is a guest's.
// Whoever is locked out takes as long as anybody, and learns nothing of the
// password.
func (s *session) verify(ctx context.Context, now *live.Snapshot, name string, c candidate, password string) (reason string, err error) {
	if c.guest {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	done, err := s.server.turns.wait(ctx, s.turn(now, name))
	if err != nil {
		return "", err
	}
	defer done()
	f, a := now.Config.Limits.FailedLogins, s.attempt(now, name, c)
	locked := s.lockedOut(f, a)
	reason, err = s.checkPassword(ctx, c, password, locked)
	switch {
	case err != nil:
	case locked:
		reason = lockedOutReason
	case reason != "":
		s.countFailure(f, a)
	case f.Mode != config.GuessingOff:
		s.server.guesses.Succeeded(a)
	}
	return reason, err
}

// lockedOutReason is for the log.
const lockedOutReason = "locked out"

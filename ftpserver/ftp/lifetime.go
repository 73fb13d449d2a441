package ftp

import (
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
)

const (
	// drainIdle is how long a draining session without anything in progress
	// waits for its next command, before it is told 421 unasked.
	drainIdle = 5 * time.Second
	// afterUpload is how long an upload counts as in progress after its 226:
	// many clients then rename the file or set its time.
	afterUpload = 2 * time.Second
	// drainPoll is how often a draining session with something in progress is
	// looked at again.
	drainPoll = 500 * time.Millisecond
)

// What clients are told with 421.
const (
	drainedText = "This server is about to restart: connect again in a moment"
	revokedText = "Your login has changed: connect again"
	endedText   = "This session was ended by the server"
)

// end asks the session to end. It may be called from any goroutine.
func (s *session) end(how ending) {
	s.mu.Lock()
	if how <= s.ending {
		s.mu.Unlock()
		return
	}
	s.ending = how
	if s.drainSince.IsZero() {
		s.drainSince = time.Now()
	}
	t, cutLogin := s.transfer, s.cutLogin
	s.move()
	s.mu.Unlock()
	if how == endNow {
		if cutLogin != nil {
			cutLogin()
		}
		_ = s.ctrl.raw.SetWriteDeadline(time.Now().Add(closeTimeout)) // of a reply that nobody takes
		if t != nil {
			t.cancel(errEnded)
		}
	}
	s.rearm()
}

// rearm sets the deadline of the next read of a command from what holds now:
// the timeouts, a running transfer, an end that was asked for. A handshake, and the
// leave that a client takes, have deadlines of their own.
func (s *session) rearm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.handshaking && s.ending == endNot {
		return
	}
	_ = s.ctrl.raw.SetReadDeadline(s.deadline(time.Now()))
}

// deadline is called with mu held.
func (s *session) deadline(now time.Time) time.Time {
	switch {
	case s.ending == endNow:
		return now
	case s.transfer != nil:
		return time.Time{}
	case s.waiting, s.ending == endRevoke:
		return now
	case s.ending == endDrain && s.inProgress(now):
		return now.Add(drainPoll)
	case s.ending == endDrain:
		return latest(s.drainSince, s.lastActivity).Add(drainIdle)
	}
	return s.timeoutOrSleep()
}

// timeout is when the session has been idle for too long. Called with mu held.
func (s *session) timeout() time.Time {
	limits := s.config().Limits
	if s.fs == nil {
		return s.loginSince.Add(limits.LoginTimeout)
	}
	return s.lastActivity.Add(limits.IdleTimeout)
}

// patience is how long a reply may take to be sent: less, once all must end.
func (s *session) patience() time.Duration {
	s.mu.Lock()
	ending := s.ending
	s.mu.Unlock()
	if ending == endNow {
		return closeTimeout
	}
	return min(replyTimeout, s.config().Limits.StallTimeout)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// inProgress tells whether the client is in the middle of something that an
// end of the session would break: a transfer, a data connection or a rename
// that it has announced, the time after an upload. Called with mu held.
func (s *session) inProgress(now time.Time) bool {
	announced := s.data != nil || s.renameFrom != ""
	return s.transfer != nil ||
		announced && now.Sub(s.announcedAt) < passive.Lease ||
		now.Sub(s.uploadedAt) < afterUpload
}

// onDeadline acts on a read that timed out: why is read off the state, as the
// deadline may have been moved meanwhile.
func (s *session) onDeadline() {
	now := time.Now()
	s.mu.Lock()
	ending, busy := s.ending, s.inProgress(now)
	due := !s.deadline(now).After(now) && s.transfer == nil && (ending != endNot || !s.timeout().After(now))
	s.mu.Unlock()
	switch {
	case ending == endNow:
		s.stopTransfer() // its reply comes first
		s.goodbyeNow()
	case !due:
	case ending == endRevoke:
		s.goodbye("revoked", revokedText)
	case ending == endDrain && !busy:
		s.goodbye("drained", drainedText)
	case ending == endNot && !s.loggedIn():
		s.goodbye("login timeout", "No login in time")
	case ending == endNot:
		s.goodbye("idle timeout", "No command for too long")
	}
}

package ftp

import (
	"cmp"
	"crypto/tls"
	"slices"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
)

// restate brings the state of the session in line with what it is at.
func (s *session) restate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move()
}

// close makes it the last state.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.move()
}

// move is the only place that changes the state, which it reads off what the
// session is at: so it can't say anything else. A change that no session may make
// is a defect; it is told, and not made. Called with mu held.
func (s *session) move() {
	before, now := s.state, s.derive()
	switch {
	case before == now:
	case !before.MayBecome(now):
		s.log.Error("Session state can't follow", "state", string(before), "next", string(now))
	default:
		s.state = now
		s.server.Metrics.SessionState(before, now)
	}
}

// derive is called with mu held. Whoever is not the session's own goroutine has
// set closed, transfer or ending: what stands below them is the session's.
func (s *session) derive() telemetry.SessionState {
	switch {
	case s.closed:
		return telemetry.StateClosed
	case s.transfer != nil:
		return telemetry.StateTransferring
	case s.ending != endNot:
		return telemetry.StateDraining
	case s.fs != nil:
		return telemetry.StateIdle
	case s.asked != "":
		return telemetry.StateAuthenticating
	}
	return telemetry.StateConnected
}

// Sessions describes at most limit of the sessions, those that came first first.
func (s *Server) Sessions(limit int) []config.SessionStatus {
	all := s.all()
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	out := make([]config.SessionStatus, 0, min(limit, len(all)))
	for _, ss := range all[:cap(out)] {
		out = append(out, ss.status())
	}
	return out
}

// status is what operators may know of the session: nothing secret.
func (s *session) status() config.SessionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := config.SessionStatus{
		Number: s.id, State: string(s.state), User: s.user.Name,
		Client: s.clientText(),
		Since:  s.opened.UTC(), LastActivity: s.lastActivity.UTC(),
	}
	if s.tlsVersion != 0 {
		out.TLS = tls.VersionName(s.tlsVersion)
	}
	if t := s.transfer; t != nil {
		out.LastActivity = time.Now().UTC()
		out.Transfer = &config.TransferStatus{
			Verb: t.verb, Direction: t.direction, Path: t.path, Since: t.started.UTC(), Bytes: t.bytes.Load(),
		}
	}
	return out
}

package ftp

import (
	"net"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// maxTurnedAway is how many connections beyond the limits may be there at once,
// to be told why they get no session. All others are closed without a word, as
// each takes a descriptor for as long as its client likes to take its leave.
const maxTurnedAway = 64

// tooManySessions is told with 421.
const tooManySessions = "Too many sessions: try again later"

func (s *Server) accept(c *net.TCPConn, implicit bool) {
	ss, no := s.admit(c, implicit)
	if ss == nil {
		s.Metrics.SessionRefused(no.reason)
		s.Log.Info("Connection refused", "client", c.RemoteAddr().String(), "reason", no.reason)
		if !s.beginTurnAway() {
			_ = c.Close()
			return
		}
		go func() {
			defer s.endTurnAway()
			s.refuse(c, implicit, no.text)
		}()
		return
	}
	go s.run(ss)
}

// run serves a session, one goroutine after the other.
func (s *Server) run(ss *session) {
	if ss.serve() {
		go s.run(ss)
		return
	}
	s.remove(ss)
	s.running.Done()
}

// refusal is why a client gets no session: for the log, and for the client.
type refusal struct{ reason, text string }

// admit registers a session, or says why the client can't have one now.
func (s *Server) admit(c *net.TCPConn, implicit bool) (*session, refusal) {
	now := s.Live.Current().Config
	limits, perAddress := now.Limits, perAddress(now)
	client := origin(addrPort(c.RemoteAddr()).Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return nil, refusal{"draining", drainedText}
	case perAddress > 0 && s.addresses[client] >= perAddress:
		return nil, refusal{"too many sessions of the address", "Too many sessions from your address: try again later"}
	case limits.Sessions > 0 && !s.hasRoom(limits.Sessions):
		return nil, refusal{"too many sessions", tooManySessions}
	}
	s.sequence++
	ss := newSession(s, c, s.sequence)
	ss.implicit = implicit
	s.sessions[ss] = struct{}{}
	s.addresses[client]++
	s.newcomers.add(ss)
	s.running.Add(1) // under mu: Drain waits for all that were admitted
	return ss, refusal{}
}

// perAddress is how many sessions one address may have; 0 for any number. Where
// addresses are hidden, all clients may have one and the same.
func perAddress(c *config.Config) int {
	if c.Passive.ClientAddresses == config.ClientAddressesHidden {
		return 0
	}
	return c.Limits.SessionsPerAddress
}

// refuse tells a client that it gets no session; over TLS where the client would
// not understand anything else.
func (s *Server) refuse(c *net.TCPConn, implicit bool, text string) {
	k := newControl(c)
	defer k.close()
	if implicit {
		if _, err := k.startTLS(s.controlHandshake(tlsconf.Connection{}, 0), s.Live.Current().Config.Limits.HandshakeTimeout); err != nil {
			return
		}
	}
	_ = k.reply(421, text)
}

// hasRoom tells whether there may be one more session, and makes room for it at
// the cost of one that nobody has logged in on. It is called with mu held.
func (s *Server) hasRoom(limit int) bool {
	switch n := len(s.sessions); {
	case n < limit:
		return true
	case n > limit: // it was lowered
		return false
	}
	ss := s.newcomers.crowdOut()
	if ss == nil {
		return false
	}
	s.uncount(ss)
	ss.log.Info("Session crowded out", "advice", "limits.sessions is reached: connections that nobody logs in on make room for new ones. limits.sessionsPerAddress bounds how many come from one address")
	if ss.told = s.turnedAway < maxTurnedAway; ss.told {
		s.turnedAway++
	} else {
		_ = ss.ctrl.raw.Close() // which its reader sees
	}
	ss.end(endNow)
	return true
}

func (s *Server) remove(ss *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newcomers.remove(ss)
	switch {
	case !ss.crowdedOut.Load():
		s.uncount(ss)
	case ss.told:
		s.turnedAway--
	}
}

// uncount is called with mu held.
func (s *Server) uncount(ss *session) {
	delete(s.sessions, ss)
	client := origin(ss.client)
	if s.addresses[client]--; s.addresses[client] == 0 {
		delete(s.addresses, client)
	}
}

// beginTurnAway tells whether there is a place for a connection to be refused
// with a word; if so, endTurnAway must follow.
func (s *Server) beginTurnAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turnedAway >= maxTurnedAway {
		return false
	}
	s.turnedAway++
	return true
}

func (s *Server) endTurnAway() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnedAway--
}

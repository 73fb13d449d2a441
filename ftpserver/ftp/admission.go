package ftp

import (
	"net"
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// maxTurnedAway is how many connections beyond the limits may be there at once,
// to be told why they get no session. All others are closed without a word, as
// each takes a descriptor for as long as its client likes to take its leave.
const maxTurnedAway = 64

// tooManySessions is told with 421.
const tooManySessions = "Too many sessions: try again later"

func (s *Server) accept(c *net.TCPConn, peer proxy.Peer, implicit bool) {
	ss, no := s.admit(c, peer, implicit)
	if ss == nil {
		s.Metrics.SessionRefused(no.reason)
		s.Log.Info("Connection refused", "client", clientText(c, peer), "reason", no.reason)
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
func (s *Server) admit(c *net.TCPConn, peer proxy.Peer, implicit bool) (*session, refusal) {
	now := s.Live.Current().Config
	limits, perAddress := now.Limits, perAddress(now, peer.Announced)
	from := source{origin(peer.Client.Addr()), peer.Announced}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return nil, refusal{"draining", drainedText}
	case perAddress > 0 && s.sessionsOf(from, now) >= perAddress:
		return nil, refusal{"too many sessions of the address", "Too many sessions from your address: try again later"}
	case limits.Sessions > 0 && !s.hasRoom(limits.Sessions):
		return nil, refusal{"too many sessions", tooManySessions}
	}
	s.sequence++
	ss := newSession(s, c, peer, s.sequence)
	ss.implicit = implicit
	s.sessions[ss] = struct{}{}
	s.addresses[from]++
	s.newcomers.add(ss)
	s.running.Add(1) // under mu: Drain waits for all that were admitted
	return ss, refusal{}
}

// source is where sessions come from: an origin, as a proxy has announced it or as
// connections have it themselves.
type source struct {
	origin    netip.Prefix
	announced bool
}

func sourceOf(s *session) source { return source{origin(s.client), s.announced} }

// sessionsOf counts the sessions of a client's address. Where what connections have
// themselves tells nothing, it does not count. It is called with mu held.
func (s *Server) sessionsOf(from source, c *config.Config) int {
	n := s.addresses[from]
	if !addressHidden(c, false) {
		from.announced = !from.announced
		n += s.addresses[from]
	}
	return n
}

// addressHidden tells whether the address of a client means nothing: all clients may have
// one and the same. An announced one means what it says.
func addressHidden(c *config.Config, announced bool) bool {
	return !announced && c.Passive.ClientAddresses == config.ClientAddressesHidden
}

// perAddress is how many sessions one address may have; 0 for any number.
func perAddress(c *config.Config, announced bool) int {
	if addressHidden(c, announced) {
		return 0
	}
	return c.Limits.SessionsPerAddress
}

// clientText is a client's address and port, for logs.
func clientText(c *net.TCPConn, peer proxy.Peer) string {
	if peer.Announced {
		return peer.Client.String()
	}
	return c.RemoteAddr().String()
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
	from := sourceOf(ss)
	if s.addresses[from]--; s.addresses[from] == 0 {
		delete(s.addresses, from)
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

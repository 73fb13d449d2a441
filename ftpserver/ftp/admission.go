package ftp

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/lograte"
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
		s.turnAway(c, peer, implicit, no)
		return
	}
	go s.run(ss)
}

// turnAway refuses a connection. It does not wait for the log, which may block, as the
// loop that accepts connections calls it.
func (s *Server) turnAway(c *net.TCPConn, peer proxy.Peer, implicit bool, no refusal) {
	s.Metrics.SessionRefused(no.reason)
	n, due := s.refusals[no.reason].Add()
	told, client := s.beginTurnAway(), clientText(c, peer)
	if !told {
		_ = c.Close()
		if !due { // it is counted in a later line
			return
		}
	}
	go func() {
		tellSome(s.Log, n, due, "Connection refused", "client", client, "reason", no.reason)
		if told {
			defer s.endTurnAway()
			s.refuse(c, implicit, no.text)
		}
	}()
}

// newRefusals bounds the lines of the log for each reason to send somebody away.
func newRefusals(now func() time.Time) map[string]*lograte.Limit {
	limits := map[string]*lograte.Limit{}
	for _, reason := range []string{refusedDraining, refusedPerAddress, refusedSessions, crowdedOut} {
		limits[reason] = lograte.New(now)
	}
	return limits
}

// tellSome tells the log, of all n that were not told of before, if that is due; else in
// detail only.
func tellSome(log *slog.Logger, n int, due bool, message string, args ...any) {
	level := slog.LevelDebug
	if due {
		level, args = slog.LevelInfo, append(args, "connections", n)
	}
	log.Log(context.Background(), level, message, args...)
}

// run serves a session, one goroutine after the other.
func (s *Server) run(ss *session) {
	if ss.serve() {
		go s.run(ss)
		return
	}
	if ss.crowdedOut.Load() {
		n, due := s.refusals[crowdedOut].Add()
		tellSome(ss.log, n, due, "Session crowded out", "advice", "limits.sessions is reached: connections that nobody logs in on make room for new ones. limits.sessionsPerAddress bounds how many come from one address")
	}
	s.remove(ss)
	s.running.Done()
}

// refusal is why a client gets no session: for the log, and for the client.
type refusal struct{ reason, text string }

// Reasons to send somebody away.
const (
	refusedDraining   = "draining"
	refusedPerAddress = "too many sessions of the address"
	refusedSessions   = "too many sessions"
	crowdedOut        = "crowded out"
)

// admit registers a session, or says why the client can't have one now.
func (s *Server) admit(c *net.TCPConn, peer proxy.Peer, implicit bool) (*session, refusal) {
	now := s.Live.Current().Config
	limits, perAddress := now.Limits, perAddress(now, introduction{peer.Announced, peer.Hidden})
	from := source{origin(peer.Client.Addr()), peer.Announced}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return nil, refusal{refusedDraining, drainedText}
	case perAddress > 0 && s.sessionsOf(from, now) >= perAddress:
		return nil, refusal{refusedPerAddress, "Too many sessions from your address: try again later"}
	case limits.Sessions > 0 && !s.hasRoom(limits.Sessions):
		return nil, refusal{refusedSessions, tooManySessions}
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
	if !addressHidden(c, introduction{}) {
		from.announced = !from.announced
		n += s.addresses[from]
	}
	return n
}

// introduction is what a proxy has told of a client: its address, or that it tells nothing of
// it. Else the address of the connection itself counts.
type introduction struct{ announced, hidden bool }

// addressHidden tells whether the address of a client means nothing: all clients may have
// one and the same. An announced one means what it says.
func addressHidden(c *config.Config, of introduction) bool {
	return of.hidden || !of.announced && c.Passive.ClientAddresses == config.ClientAddressesHidden
}

// perAddress is how many sessions one address may have; 0 for any number.
func perAddress(c *config.Config, of introduction) int {
	if addressHidden(c, of) {
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

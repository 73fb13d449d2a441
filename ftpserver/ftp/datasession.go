package ftp

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// Whose TLS session a data connection has resumed, in metrics and logs.
const (
	sessionOwn     = "own"
	sessionUser    = "same user" // another control session of the same user
	sessionNobody  = "nobody"    // a control session that has not logged in
	sessionForeign = "other user"
	sessionNone    = "none" // a full handshake
)

// dataAnnounced tells that data connections come as the control connection has,
// from a proxy that announces the client.
func (s *session) dataAnnounced() bool { return s.announced && !s.dataDirect }

// addressesHidden tells whether the addresses of data connections mean nothing.
func (s *session) addressesHidden() bool {
	return addressHidden(s.config(), introduction{s.dataAnnounced(), s.hidden})
}

// dataRequest is what this session asks the broker for, or why it can't have a
// data connection.
func (s *session) dataRequest() (passive.Request, *problem) {
	c, hidden := s.config(), s.addressesHidden()
	from := passive.Origin{Client: s.client, Announced: s.dataAnnounced()}
	r := passive.Request{Origin: from, User: s.identity().key(), Session: s.id}
	if hidden {
		r.Origin = passive.Origin{}
		if s.guest { // as identities they are many; of the ports they have one user's share
			r.User = identity{name: guestName}.key()
		}
	}
	secure := s.dataSecurity()
	if secure == nil {
		if hidden && c.Passive.UnverifiedData != config.UnverifiedDataAllow {
			return r, &problem{425, "Nothing would tell whose a data connection in clear is, as this server does not see its clients' addresses: use TLS and PROT P"}
		}
		return r, nil
	}
	r.Secure = secure
	if policy := c.TLS.DataSessions; policy != config.DataSessionsOptional {
		r.Proven = hidden || policy == config.DataSessionsRequired
		r.Shares = s.resumes.Load()
	}
	return r, nil
}

func (s *session) identity() identity { return identityOf(&s.user) }

// private tells whether data connections are over TLS.
func (s *session) private() bool { return s.secure && s.protection.private }

// dataSecurity returns how data connections are secured, nil if they are in
// clear. It does the handshake on one that is this session's by its address, and
// looks at what it has resumed. It may run beside commands, so it knows the user of
// now.
func (s *session) dataSecurity() secureFunc {
	if !s.private() {
		return nil
	}
	about := tlsconf.Connection{Host: s.host, Client: s.peer.certificate()}
	user, software := s.identity(), s.clientName
	return func(c net.Conn) (net.Conn, error) {
		d, err := s.server.secureData(c.(*net.TCPConn), s.id, about, handshakeForever)
		if err != nil {
			return nil, err
		}
		kind := s.kindOf(d.resumed, user)
		if err := s.judgeSession(kind); err != nil {
			s.log.Info("Data connection rejected", "reason", err, "tlsSession", kind, "user", user.name, "clientSoftware", software)
			return nil, err
		}
		return d, nil
	}
}

func (s *session) kindOf(resumed uint64, own identity) string {
	user, known := s.server.known.whose(resumed)
	switch {
	case resumed == s.id:
		return sessionOwn
	case !known:
		return sessionNone
	case user == (identity{}):
		return sessionNobody
	case user == own:
		return sessionUser
	}
	return sessionForeign
}

// judgeSession tells what is wrong with a data connection that has resumed such
// a session.
func (s *session) judgeSession(kind string) error {
	policy := s.config().TLS.DataSessions
	switch {
	case policy == config.DataSessionsOptional, kind == sessionOwn, kind == sessionUser:
		return nil
	case kind == sessionForeign:
		return fmt.Errorf("%w: it resumed the TLS session of another user", passive.ErrForeign)
	case policy == config.DataSessionsRequired || s.addressesHidden():
		return fmt.Errorf("%w: it resumed no TLS session of this user", passive.ErrUnproven)
	}
	return nil
}

// proveData does the handshake on a data connection of which only its ticket can
// tell whose it is. The client may begin once it has its 150, so the time that it
// has is that of the command, and that of the handshake.
func (s *Server) proveData(c net.Conn) (passive.Proof, error) {
	timeout := passive.Lease + s.Live.Current().Config.Limits.HandshakeTimeout
	d, err := s.secureData(c.(*net.TCPConn), 0, tlsconf.Connection{}, timeout)
	if err != nil {
		return passive.Proof{}, err
	}
	user, _ := s.known.whose(d.resumed)
	return passive.Proof{Conn: d, Session: d.resumed, User: user.key()}, nil
}

// handshakeForever: the time of a handshake is limited from elsewhere.
const handshakeForever time.Duration = 0

// noteResumption learns from a data connection what the next can be expected to
// do. A client whose tickets run dry will not resume, and must have a port where
// that is no harm. Where none was taken, the log tells of what came instead: many
// clients leave when they are turned away, before they are told why.
func (s *session) noteResumption(port dataPort, c dataConn) {
	if d, ok := c.(*tlsData); ok {
		s.server.Metrics.DataSession(s.kindOf(d.resumed, s.identity()))
		s.resumes.Store(d.resumed != 0)
		return
	}
	if p, ok := port.(passivePort); ok && c == nil {
		if why := p.expectation.Rejected(); why != nil {
			s.resumes.Store(false)
			s.log.Info("No data connection was taken", "reason", why, "user", s.user.Name, "clientSoftware", s.clientName)
		}
	}
}

// unprovenReply is for a transfer whose data connection came with another TLS
// session than it must. The code is the one that other servers use for it.
func unprovenReply(err error) (code int, text string) {
	if errors.Is(err, passive.ErrForeign) {
		return 522, "A data connection came with the TLS session of another user: let your client keep the sessions of its logins apart"
	}
	return 522, "The data connection must resume the TLS session of the control connection: switch session reuse on in your client, or let it use TLS 1.3"
}

// forgetSession is called at the end. What the session's tickets prove is
// remembered for a while, except of somebody who must not be here any more.
func (s *session) forgetSession() {
	s.mu.Lock()
	revoked := s.ending >= endRevoke
	s.mu.Unlock()
	if revoked {
		s.server.known.forget(s.id)
		return
	}
	s.server.known.end(s.id)
}

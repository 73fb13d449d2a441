package ftp

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
)

// tickets makes and reads the session tickets of all TLS connections (RFC 5077,
// RFC 8446 §4.6.1). Each bears the number of the control session that it was
// issued to, so that a data connection which resumes it shows whose it is.
//
// The keys are those that crypto/tls keeps for this configuration: random, of
// this process alone, a new one every day, and each good for a week. A ticket of
// somebody else's making is none, and a full handshake follows.
type tickets struct{ keys tls.Config }

// binding is what tickets need to know of one connection. Its callbacks are
// called by the handshake alone, one after the other.
type binding struct {
	tickets *tickets
	// session is the control session that the connection belongs to; 0 if only its
	// ticket will tell.
	session uint64
	// known tells whether a session named by a ticket is remembered. nil: any
	// ticket will do, as on a control connection.
	known func(session uint64) bool
	// named is the session of the last ticket that crypto/tls was given. It may
	// have none of them, or not have believed it: the client has yet to prove that
	// it has the secret that belongs to it. So this is a candidate, and counts once
	// the handshake has succeeded with a resumption, which is of the last one given.
	named uint64
}

// config returns base with tickets that are bound. It serves one connection.
func (b *binding) config(base *tls.Config) *tls.Config {
	c := base.Clone()
	choose := base.GetConfigForClient
	if choose == nil {
		b.bind(c)
		return c
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen, err := choose(hello)
		if chosen == nil || err != nil {
			return chosen, err
		}
		chosen = chosen.Clone()
		b.bind(chosen)
		return chosen, nil
	}
	return c
}

func (b *binding) bind(c *tls.Config) { c.WrapSession, c.UnwrapSession = b.wrap, b.unwrap }

// wrap makes a ticket. On a connection that is known by its ticket only, the next
// one bears the same session.
func (b *binding) wrap(state tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
	session := b.session
	if session == 0 && state.DidResume {
		session = b.named
	}
	s.Extra = append(s.Extra, ticketPayload(session))
	return b.tickets.keys.EncryptTicket(state, s)
}

// unwrap reads a ticket. It is called before the client has proven anything, and
// for each that the client offers until one will do.
func (b *binding) unwrap(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	b.named = 0
	s, err := b.tickets.keys.DecryptTicket(ticket, state)
	if s == nil || err != nil {
		return nil, err
	}
	session, ok := sessionOfTicket(s.Extra)
	if b.known != nil && (!ok || !b.known(session)) {
		return nil, nil // a full handshake
	}
	b.named = session
	return s, nil
}

// resumed is the control session whose TLS session a connection has resumed, the
// handshake being complete; 0 for none.
func (b *binding) resumed(state tls.ConnectionState) uint64 {
	if !state.DidResume {
		return 0
	}
	return b.named
}

// payloadMark begins our part of a ticket, among those that other layers may add.
var payloadMark = []byte("ftp-session/1:")

func ticketPayload(session uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(payloadMark), session)
}

// sessionOfTicket finds the session in the parts of a ticket.
func sessionOfTicket(parts [][]byte) (session uint64, ok bool) {
	for _, p := range parts {
		rest, ours := bytes.CutPrefix(p, payloadMark)
		if ours && len(rest) == 8 {
			session = binary.BigEndian.Uint64(rest)
			return session, session != 0
		}
	}
	return 0, false
}

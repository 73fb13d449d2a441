package ftp

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

var errEvicted = errors.New("there were too many TLS handshakes, and this one was the oldest: limits.handshakes")

// handshakes are those in progress, oldest first. They cost memory and a
// descriptor before anybody has shown who they are, so their number is bounded:
// one more ends the oldest, which is most likely one that leads nowhere.
type handshakes struct {
	mu      sync.Mutex
	running list.List // of *handshake
}

type handshake struct {
	conn    net.Conn
	evicted bool // under handshakes.mu
}

// begin counts one more, of at most limit.
func (h *handshakes) begin(conn net.Conn, limit int) *list.Element {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.running.Len() >= max(1, limit) {
		oldest := h.running.Remove(h.running.Front()).(*handshake)
		oldest.evicted = true
		_ = oldest.conn.Close()
	}
	return h.running.PushBack(&handshake{conn: conn})
}

// end tells whether the handshake was ended to make room.
func (h *handshakes) end(e *list.Element) (evicted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running.Remove(e) // nothing, if it was evicted
	return e.Value.(*handshake).evicted
}

// handshake does the server's side of a TLS handshake. Deadlines are the
// caller's. The error is told in metrics; a handshakeError says more to a log.
func (s *Server) handshake(c net.Conn, about tlsconf.Connection, b *binding) (*tls.Conn, error) {
	bound := s.boundOf(about, b)
	running := bound.begin(c, s.Live.Current().Config.Limits.Handshakes)
	s.Metrics.HandshakeBegins()
	conn := tls.Server(c, b.config(s.TLS))
	err := conn.HandshakeContext(about.Context(context.Background()))
	if err == nil && about.Client != nil {
		err = sameClient(conn.ConnectionState(), about.Client)
	}
	if bound.end(running) {
		err = errEvicted
	}
	if err == nil {
		s.Metrics.HandshakeEnds(connectionKind(about), "")
		return conn, nil
	}
	failed := &handshakeError{err: err, failure: classify(err)}
	s.Metrics.HandshakeEnds(connectionKind(about), failed.reason)
	return nil, failed
}

// boundOf is what a handshake counts for. Those on data connections that are a
// session's by their address count for themselves: clients may begin them long
// before they go on, and nobody who has not logged in may end them.
func (s *Server) boundOf(about tlsconf.Connection, b *binding) *handshakes {
	if about.Data && b.session != 0 {
		return &s.ownHandshakes
	}
	return &s.handshakes
}

func connectionKind(about tlsconf.Connection) string {
	if about.Data {
		return "data"
	}
	return "control"
}

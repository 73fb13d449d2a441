// Package ftp is the protocol: control connections, the commands that come in
// on them, their replies, and the transfers that they start (RFC 959 and those
// that extend it: 1123, 2228, 2389, 2428, 2640, 3659, 4217).
//
// A session is one goroutine that reads commands, another one after each sleep, and a
// second one only while a transfer runs. What a user may see and do is decided in vfs, whom a data
// connection belongs to in passive, and who may log in in auth.
package ftp

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/accept"
	"github.com/ftp-operator/ftp-operator/ftpserver/auth/lockout"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/lograte"
	"github.com/ftp-operator/ftp-operator/ftpserver/passive"
	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
)

// Options are the parts a Server works with. All are needed, but for those that
// may be nil.
type Options struct {
	// Slot is the number of this replica: which passive ports are its own.
	Slot     int
	Live     *live.Source
	Store    *vfs.Store
	Verifier Verifier
	Broker   *passive.Broker
	// TLS serves control and data connections alike, so that a client can
	// resume the session of the one on the other.
	TLS     *tls.Config
	Metrics *telemetry.Metrics
	Log     *slog.Logger
	// Xferlog gets a line for each file. It may be nil.
	Xferlog *xferlog.Log
	// ProxySilence is absent (0): proxy.Silence.
	ProxySilence time.Duration
	// Watch looks after the loops that accept control connections. It may be nil.
	Watch *accept.Watch
}

// Verifier checks passwords: an auth.Verifier, whose methods say what each is
// for.
type Verifier interface {
	Verify(ctx context.Context, passwordHash, password string) (bool, error)
	VerifyAnew(ctx context.Context, passwordHash, password string) (bool, error)
	Dummy(ctx context.Context, password string) error
}

// Server serves FTP on a control port, and on one for implicit TLS.
type Server struct {
	Options
	resolver   resolver
	gate       *encryptionGate
	works      workGate
	turns      turns
	seats      seats
	handshakes handshakes
	// ownHandshakes are those on data connections of sessions.
	ownHandshakes handshakes
	tickets       *tickets
	known         *knownSessions
	guesses       *lockout.Guard
	refusals      map[string]*lograte.Limit // by reason
	// Who control and data connections are from.
	controlFrom, dataFrom *proxy.Receiver
	changed               signal // fires when the configuration has changed

	mu        sync.Mutex
	sessions  map[*session]struct{}
	addresses map[source]int // sessions of each
	newcomers newcomers
	// turnedAway are connections beyond the limits that are being told so.
	turnedAway int
	listening  map[int]int // how many control ports have a number
	draining   bool
	sequence   uint64
	running    sync.WaitGroup
}

// NewServer returns a server that follows o.Live from now on.
func NewServer(o Options) *Server {
	if o.Watch == nil {
		o.Watch = accept.NewWatch()
	}
	s := &Server{
		Options:   o,
		gate:      newEncryptionGate(),
		tickets:   &tickets{},
		known:     newKnownSessions(time.Now),
		works:     newWorkGate(),
		sessions:  map[*session]struct{}{},
		addresses: map[source]int{},
		listening: map[int]int{},
		guesses:   lockout.New(),
		refusals:  newRefusals(time.Now),
	}
	s.controlFrom, s.dataFrom = s.receiver("control"), s.receiver("data")
	o.Broker.SetProver(s.proveData)
	o.Broker.SetReceiver(s.receiveData)
	largestBuffer() // it takes a descriptor to find out
	s.configureStore(o.Live.Current())
	s.tellOfHidden(o.Live.Current().Config)
	o.Live.Subscribe(s.applySnapshot)
	return s
}

// receiver takes the addresses of clients from headers of the PROXY protocol, as the
// newest configuration wants it.
func (s *Server) receiver(port string) *proxy.Receiver {
	return proxy.NewReceiver(proxy.Options{
		Port: port, Config: func() *config.Config { return s.Live.Current().Config },
		Log: s.Log, Observer: s.Metrics, Silence: s.ProxySilence,
	})
}

// receiveData tells the broker where a data connection comes from.
func (s *Server) receiveData(c net.Conn, take func(passive.Origin)) {
	s.dataFrom.Receive(c.(*net.TCPConn), func(p proxy.Peer) {
		take(passive.Origin{Client: p.Client.Addr(), Announced: p.Announced})
	})
}

func (s *Server) configureStore(now *live.Snapshot) {
	if err := s.Store.Configure(now.Config.Storage); err != nil {
		s.Log.Error("Applying the settings of the storage failed", "error", err) // a configuration that was validated
	}
}

// tellOfHidden warns of what is configured and does not count, as the addresses
// of clients are hidden.
func (s *Server) tellOfHidden(c *config.Config) {
	if len(c.ProxyProtocol.Trusted) == 0 && c.Limits.SessionsPerAddress > perAddress(c, introduction{}) {
		s.Log.Warn("limits.sessionsPerAddress does not count, as passive.clientAddresses is Hidden: limit sessions, and maxSessions of users")
	}
}

// Serve accepts control connections until the listener is closed, which is no
// error.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, false) }

// ServeImplicit is Serve for connections on which TLS comes first, before the
// greeting: FTPS as it was before RFC 4217, on a port of its own. Its sessions
// are secured with all their data connections from the beginning.
func (s *Server) ServeImplicit(l net.Listener) error { return s.serve(l, true) }

func (s *Server) serve(l net.Listener, implicit bool) error {
	defer s.listen(l)()
	at, kind := l.Addr().String(), "control "
	if implicit {
		kind = "implicit TLS "
	}
	s.Watch.All(l, kind+at, s.Log.With("listener", at), func(c net.Conn) {
		tcp := c.(*net.TCPConn)
		s.passable()
		s.controlFrom.Receive(tcp, func(p proxy.Peer) { s.accept(tcp, p, implicit) })
	})
	return nil
}

// passable returns once what sessions are kept by can be had. A connection that may have
// a header is taken later, from a goroutine of its own, which nobody watches: so the loop
// tries here whether it will be.
func (s *Server) passable() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

// listen notes that a control port is open, until the returned function is called.
func (s *Server) listen(l net.Listener) (done func()) {
	number := l.Addr().(*net.TCPAddr).Port
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listening[number]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.listening[number]--; s.listening[number] == 0 { // another one may have come already
			delete(s.listening, number)
		}
	}
}

// all returns the sessions of this moment.
func (s *Server) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*session, 0, len(s.sessions))
	for ss := range s.sessions {
		out = append(out, ss)
	}
	return out
}

// Drain takes no new sessions and lets the running ones finish what they are
// at: a transfer, a data connection that was announced, a rename, an upload whose
// client may still want to rename it. A session that has nothing in progress is told
// 421, as is everyone who connects: there is somewhere else to connect to. Drain
// returns when all have ended; when ctx ends, it cuts the rest, and the log says so.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	for _, ss := range s.all() {
		ss.end(endDrain)
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		s.cutAll()
		<-done
	}
}

// Close sends away who has yet to say where it comes from. It is called when the ports
// are closed: until then also those who come by way of a proxy are told what Drain says.
func (s *Server) Close() {
	s.controlFrom.Close()
	s.dataFrom.Close()
}

// cutAll ends the sessions that there are at once.
func (s *Server) cutAll() {
	all, transfers := s.all(), 0
	for _, ss := range all {
		if ss.running() != nil {
			transfers++
		}
	}
	if len(all) > 0 {
		s.Log.Warn("Time to drain is over: what still runs is cut", "sessions", len(all), "transfers", transfers,
			"advice", "transfers that take longer need a longer pod.terminationGracePeriod; without Kubernetes, limits.drainTimeout")
	}
	for _, ss := range all {
		ss.end(endNow)
	}
}

// Draining tells whether Drain was called.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// applySnapshot carries a new configuration to the running sessions: passive
// ports follow, and whoever lost the right to be here is sent away.
func (s *Server) applySnapshot(before, now *live.Snapshot) {
	if err := s.Broker.SetPorts(now.Config.Passive.PortsOf(s.Slot)); err != nil {
		s.Log.Error("Opening passive ports failed", "error", err)
	}
	s.changed.fire()
	s.configureStore(now)
	if before.Config != now.Config {
		s.tellOfHidden(now.Config)
	}
	limits := before.Config.Limits != now.Config.Limits
	for _, ss := range s.all() {
		ss.revoke(now)
		if limits {
			ss.rearm() // it waits by the timeouts of before
		}
	}
}

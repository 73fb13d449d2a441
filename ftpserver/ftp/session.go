package ftp

import (
	"container/list"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// maxLoginFailures ends a session that keeps guessing.
const maxLoginFailures = 3

// session is one control connection. Its fields belong to the goroutine of
// serve; a running transfer may read those it needs, as commands that would
// change them wait for it. What others read is written under mu, and what
// stands below mu is only touched under it.
type session struct {
	server     *Server
	ctrl       *control
	log        *slog.Logger
	id         uint64 // of this process's control connections, from 1
	opened     time.Time
	client     netip.Addr // as a proxy has announced it; else the connection's own
	local      netip.Addr // that the client has connected to, in the same way
	announced  bool       // a proxy has told client and local
	dataDirect bool       // and data connections come without it
	hidden     bool       // a proxy has told that it tells nothing of the client
	clientPort uint16

	user     config.User
	guest    bool                        // logged in as nobody in particular (RFC 1635)
	fs       *vfs.FS                     // nil until logged in
	files    *vfs.FS                     // the same, for the command that is carried out
	seat     string                      // whose session it counts as; "" for nobody's
	expiry   expiry                      // ends the session when the user expires
	seen     weak.Pointer[live.Snapshot] // what it has followed; weak, as an idle session must not keep all users of its time
	asked    string                      // the name of the last USER
	failures int
	strikes  int // lines before a login that are no commands
	namings  int // how often the client has named itself

	implicit     bool   // TLS came before the greeting
	greeted      bool   // the greeting was sent, or tried
	secure       bool   // the control connection is over TLS
	serverName   string // what TLS was begun for, by SNI; in the form of config.NormalHost
	host         string // HOST; in the same form
	peer         peer   // who TLS was begun by
	passwordless bool   // logged in by certificate alone
	protection   protection

	cwd          string
	messages     told   // of which directories
	binary       bool   // TYPE I, else TYPE A
	restart      int64  // REST, for the next transfer
	offset       int64  // the REST that holds for this command
	rangeNext    octets // RANG, for the next transfer or HASH
	rangeNow     octets // the RANG that holds for this command
	hash         *hashAlgorithm
	renameFrom   string // RNFR
	verb         string // of the command that is carried out
	epsvOnly     bool   // EPSV ALL (RFC 2428 §4)
	facts        factSet
	clientName   string      // CLNT, CSID
	deflate      bool        // MODE Z, else MODE S
	deflateLevel int         // of MODE Z; 0: the default
	closeNotify  bool        // the client has ended an upload with close_notify before
	resumes      atomic.Bool // its last data connection has resumed a TLS session
	downloads    flow        // of its transfers
	uploads      flow
	finished     bool // QUIT, or the session is to end
	closedReason string

	newcomer   *list.Element // its place among Server.newcomers, under their mu
	crowdedOut atomic.Bool   // it has to make room
	told       bool          // it is one of Server.turnedAway, under their mu

	mu           sync.Mutex
	state        telemetry.SessionState // see restate
	closed       bool
	handshaking  bool     // of the control connection
	tlsVersion   uint16   // of the control connection; 0: in clear
	data         dataPort // asked for, not used yet
	transfer     *transfer
	waiting      bool   // for the end of transfer
	cutLogin     func() // ends the wait of the login that is checked; nil: none is
	ending       ending
	expires      time.Time // when the user does; zero: never
	loginSince   time.Time // when the wait for a login began
	drainSince   time.Time
	lastActivity time.Time
	asleep       bool // see fallAsleep
	uploadedAt   time.Time
	announcedAt  time.Time // of data, and of renameFrom
}

// ending says how a session was asked to end. A higher one overrides.
type ending int

const (
	endNot    ending = iota
	endDrain         // when nothing is in progress
	endRevoke        // after the running transfer
	endNow           // at once
)

func newSession(s *Server, c *net.TCPConn, peer proxy.Peer, n uint64) *session {
	now := time.Now()
	ss := &session{
		server:    s,
		ctrl:      newControl(c),
		id:        n,
		opened:    now,
		client:    peer.Client.Addr(),
		local:     peer.Server.Addr(),
		announced: peer.Announced, dataDirect: peer.DataDirect, hidden: peer.Hidden, clientPort: peer.Client.Port(),
		cwd:   "/",
		facts: defaultFacts,
		hash:  &hashAlgorithms[0],
		state: telemetry.StateConnected,

		loginSince:   now,
		lastActivity: now,
	}
	ss.log = slog.New((*sessionLog)(ss))
	ss.ctrl.patience = ss.patience
	s.Metrics.SessionOpened()
	return ss
}

// serve runs the session until it ends or sleeps. One that sleeps is to be
// served again, by another goroutine.
func (s *session) serve() (asleep bool) {
	defer func() {
		if !asleep {
			s.leave()
		}
	}()
	defer s.contain()
	if !s.greeted && !s.greet() {
		return false
	}
	for !s.finished {
		if s.next() {
			return true
		}
	}
	return false
}

func (s *session) greet() bool {
	s.greeted = true
	s.log.Debug("Session opened")
	if s.implicit && !s.secureControl() {
		return false
	}
	s.reply(220, s.config().Banner)
	return true
}

// leave gives back what the session has.
func (s *session) leave() {
	s.stopTransfer()
	s.dropData()
	s.forgetSession()
	s.forgetLogin()
	s.close()
	s.ctrl.close()
	s.server.Metrics.SessionClosed(s.closedReason)
	s.log.Debug("Session closed", "reason", s.closedReason, "seconds", time.Since(s.opened).Seconds())
}

// contain keeps a defect in one session from ending all others.
func (s *session) contain() {
	if p := recover(); p != nil {
		s.log.Error("Session failed", "panic", p, "stack", string(debug.Stack()))
		_ = s.ctrl.raw.Close() // its reader ends the session
	}
}

// next reads one command and carries it out; or tells that the session sleeps, as
// none comes.
func (s *session) next() (asleep bool) {
	s.verb = "" // what is sent from here on answers no command
	s.rearm()
	line, err := s.ctrl.nextLine()
	switch {
	case err == nil:
		s.touch()
		s.dispatch(line)
	case errors.Is(err, errLineTLS):
		s.turnDown("TLS", "The client begins TLS at once: let it use explicit FTPS (AUTH TLS), or the port for implicit TLS")
	case errors.Is(err, errLineProxy) && !s.loggedIn():
		s.turnDown("PROXY", adviseProxy)
	case errors.Is(err, errLineTooLong):
		s.noLine(500, fmt.Sprintf("Command line longer than %d bytes", maxLine))
	case errors.Is(err, errLineChars), errors.Is(err, errLineProxy):
		s.noLine(501, "CR and NUL are not allowed in a command")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.onDeadline()
		return s.fallAsleep()
	default:
		s.controlLost()
	}
	return false
}

// noLine answers, in its turn, a line that can't be read as a command.
func (s *session) noLine(code int, text string) {
	if s.inTurn("", false) {
		s.noCommand(code, text)
	}
}

// controlLost ends the session: the client is gone, and with it whatever it
// was sending or asking for.
func (s *session) controlLost() {
	if t := s.running(); t != nil {
		t.clientGone()
	}
	if s.crowdedOut.Load() {
		s.finish(crowdedOut)
	}
	s.finish("client closed the connection")
}

func (s *session) finish(reason string) {
	if !s.finished {
		s.finished = true
		s.closedReason = reason
	}
}

// goodbye ends the session with a 421.
func (s *session) goodbye(reason, text string) {
	s.reply(421, text)
	s.finish(reason)
}

// goodbyeNow ends a session that was asked to end at once.
func (s *session) goodbyeNow() {
	if s.crowdedOut.Load() {
		s.goodbye(crowdedOut, tooManySessions)
		return
	}
	s.goodbye("ended", endedText)
}

func (s *session) config() *config.Config { return s.server.Live.Current().Config }

func (s *session) loggedIn() bool { return s.fs != nil }

func (s *session) touch() {
	s.mu.Lock()
	s.awake()
	s.mu.Unlock()
}

// running returns the transfer under way, or nil.
func (s *session) running() *transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transfer
}

package ftp

import (
	"strings"
	"time"
	"weak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// protection is how far the client has come in securing data connections
// (RFC 4217 §9, RFC 2228 §3).
type protection struct {
	sized   bool // PBSZ was given
	private bool // PROT P
}

// auth starts TLS on the control connection (RFC 4217 §4).
func (s *session) auth(arg string) {
	mechanism := strings.ToUpper(arg)
	switch {
	case s.config().TLS.Mode == config.TLSDisabled:
		s.reply(502, "TLS is not enabled on this server")
	case mechanism != "TLS" && mechanism != "TLS-C":
		s.reply(504, "Only AUTH TLS is supported")
	case s.secure:
		s.reply(503, "The connection is already secured")
	default:
		s.reply(234, "Start TLS now")
		s.secureControl()
	}
}

func (s *session) secureControl() {
	if err := s.startTLS(s.server.TLS); err != nil {
		s.log.Info("TLS handshake failed", "error", err)
		s.finish("TLS handshake failed")
		return
	}
	s.dropData()
	s.protection = protection{}
	s.forgetLogin()
}

// pbsz sets the protection buffer size: with TLS it can only be 0 (RFC 4217 §8).
func (s *session) pbsz(arg string) {
	switch {
	case !s.secure:
		s.reply(503, "Send AUTH TLS first")
	case strings.Trim(arg, "0123456789") != "":
		s.reply(501, "PBSZ needs a number")
	default:
		s.protection.sized = true
		s.reply(200, "PBSZ=0")
	}
}

// prot sets whether data connections are secured (RFC 4217 §9).
func (s *session) prot(arg string) {
	level := strings.ToUpper(arg)
	switch {
	case !s.secure:
		s.reply(503, "Send AUTH TLS first")
	case !s.protection.sized:
		s.reply(503, "Send PBSZ 0 first")
	case level == "P":
		s.setProtection(true, "Data connections will be secured")
	case level == "C" && s.config().TLS.Mode == config.TLSRequired:
		s.reply(534, "This server does not allow data connections in clear")
	case level == "C":
		s.setProtection(false, "Data connections will be in clear")
	case level == "S" || level == "E":
		s.reply(536, "TLS knows PROT C and PROT P only")
	default:
		s.reply(504, "PROT must be C or P")
	}
}

func (s *session) setProtection(private bool, text string) {
	if s.protection.private != private {
		s.dropData() // it was asked for under the other level
	}
	s.protection.private = private
	s.reply(200, text)
}

// askUser takes the name of who logs in. After a login it starts over
// (RFC 959 §4.1.1).
func (s *session) askUser(arg string) {
	if s.needsTLS() {
		return
	}
	s.dropData()
	s.forgetLogin()
	s.asked = arg[:min(len(arg), config.MaxUsernameLength+1)] // no user has a longer name
	s.restate()
	if s.candidate(s.server.Live.Current(), s.asked).guest {
		s.reply(331, "Anonymous login: send any password")
		return
	}
	s.reply(331, "Password please")
}

// needsTLS refuses a login in clear where TLS is required.
func (s *session) needsTLS() bool {
	if s.secure || s.config().TLS.Mode != config.TLSRequired {
		return false
	}
	s.reply(530, "This server needs TLS: send AUTH TLS first")
	return true
}

func (s *session) forgetLogin() {
	if s.loggedIn() {
		s.mu.Lock()
		s.loginSince = time.Now()
		s.mu.Unlock()
	}
	s.setUser(candidate{}, nil)
	s.leaveSeat()
	s.setRenameFrom("")
	s.messages = told{}
	s.asked, s.restart, s.cwd, s.binary, s.epsvOnly = "", 0, "/", false, false
}

// pass checks the password. Reply and time are the same for a wrong password
// and a user who doesn't exist or may not log in.
func (s *session) pass(arg string) {
	switch {
	case s.loggedIn():
		s.reply(503, "You are logged in already")
		return
	case s.asked == "":
		s.reply(503, "Send USER first")
		return
	}
	name := s.asked
	s.asked = ""
	if s.needsTLS() { // it may have become required since USER
		return
	}
	ctx, done := s.loginContext()
	defer done()
	s.holdBack(ctx, name)
	snapshot := s.server.Live.Current()
	c := s.candidate(snapshot, name)
	reason, err := s.verify(ctx, snapshot, name, c, arg)
	switch {
	case err != nil:
		s.log.Warn("Login could not be checked", "user", name, "error", err)
		s.server.Metrics.LoginResult("error")
		s.reply(421, "Logins can't be checked now: try again later")
		s.finish("login could not be checked")
	case reason != "":
		s.refuseLogin(name, reason)
	default:
		s.seen = weak.Make(snapshot)
		s.welcome(c)
	}
}

func (s *session) refuseLogin(name, reason string) {
	s.log.Info("Login refused", "user", name, "reason", reason)
	if reason == lockedOutReason {
		s.server.Metrics.LoginResult("locked")
	} else {
		s.server.Metrics.LoginResult("refused")
	}
	if s.failures++; s.failures >= maxLoginFailures {
		s.reply(530, "Login incorrect")
		s.finish("too many failed logins")
		return
	}
	s.reply(530, "Login incorrect")
}

func (s *session) welcome(c candidate) {
	limit := s.current(c, s.server.Live.Current()).MaxSessions // it may have changed while the password was checked
	if !s.takeSeat(c, limit) {
		s.log.Info("Login refused", "user", c.Name, "reason", "too many sessions of the user", "sessions", limit)
		s.server.Metrics.LoginResult("limited")
		s.goodbye("too many sessions of the user", "Too many sessions of this user: end one or try again later")
		return
	}
	if err := s.become(c); err != nil {
		s.leaveSeat()
		s.log.Error("Opening a user's home failed", "user", c.Name, "error", err)
		s.server.Metrics.LoginResult("error")
		s.reply(550, "Your home directory can't be opened: tell the administrator")
		return
	}
	s.cwd = s.fs.Start()
	if !c.guest { // whoever has shown no password goes on with the count
		s.failures = 0
	}
	s.log.Info("Login", "user", c.Name, "tls", s.secure)
	s.server.Metrics.LoginResult("accepted")
	s.restate()
	s.replyAfter(s.config().WelcomeLines(), 230, "Logged in")
	// Whatever snapshot the password was checked under, what holds now counts.
	s.revoke(s.server.Live.Current())
	s.follow()
}

// quit ends the session, after a running transfer (RFC 959 §4.1.1).
func (s *session) quit(string) {
	s.reply(221, "Goodbye")
	s.finish("quit")
}

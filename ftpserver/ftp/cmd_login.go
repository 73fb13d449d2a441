package ftp

import (
	"time"
	"weak"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/live"
)

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
	now := s.server.Live.Current()
	c := s.candidate(now, s.asked)
	if s.loginByCertificate(now, c) {
		return
	}
	if c.guest {
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
	s.rangeNext, s.hash = octets{}, &hashAlgorithms[0]
	s.messages = told{}
	s.asked, s.restart, s.cwd, s.binary, s.deflate, s.deflateLevel = "", 0, "/", false, false, 0
}

// pass checks the password. Reply and time are the same for a wrong password
// and a user who doesn't exist or may not log in.
func (s *session) pass(arg string) {
	switch {
	case s.loggedIn() && s.passwordless:
		s.reply(202, "No password needed: your certificate has logged you in")
		return
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
	case err != nil && s.crowdedOut.Load():
		s.goodbyeNow()
	case err != nil:
		s.log.Warn("Login could not be checked", "user", name, "error", err)
		s.server.Metrics.LoginResult("error")
		s.reply(421, "Logins can't be checked now: try again later")
		s.finish("login could not be checked")
	case reason != "":
		s.refuseLogin(name, reason)
	default:
		s.loginAs(snapshot, c, 230, "Logged in")
	}
}

// loginAs lets somebody in who was judged under that snapshot.
func (s *session) loginAs(judged *live.Snapshot, c candidate, code int, text string) {
	s.asked = ""
	s.seen = weak.Make(judged)
	s.welcome(c, code, text)
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

func (s *session) welcome(c candidate, code int, text string) {
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
	if s.crowdedOut.Load() { // until it was logged in
		s.server.Metrics.LoginResult("limited")
		s.goodbyeNow()
		return
	}
	s.cwd = s.fs.Start()
	if !c.guest { // whoever has shown no password goes on with the count
		s.failures = 0
	}
	s.logLogin(c)
	s.server.Metrics.LoginResult("accepted")
	s.restate()
	s.replyAfter(s.config().WelcomeLines(), code, text)
	// Whatever snapshot the password was checked under, what holds now counts.
	s.revoke(s.server.Live.Current())
	s.follow()
}

func (s *session) logLogin(c candidate) {
	args := []any{"user", c.Name, "tls", s.secure}
	if cert := s.peer.certificate(); cert != nil {
		args = append(args, "clientCertificate", cert.Subject.String(), "passwordless", c.passwordless)
	}
	s.log.Info("Login", args...)
}

// quit ends the session, after a running transfer (RFC 959 §4.1.1).
func (s *session) quit(string) {
	s.reply(221, "Goodbye")
	s.finish("quit")
}

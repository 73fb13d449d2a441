package ftp

import (
	"strings"
	"time"
)

// dispatch carries out one command line.
func (s *session) dispatch(line string) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = fullVerb(verb)
	cmd, known := commands[verb]
	s.verb = verb
	s.logCommand(verb, arg, known)
	if !s.inTurn(verb, known && cmd.during) {
		return
	}
	if !known {
		s.unknown(line)
		return
	}
	if verb != "QUIT" && s.running() == nil && s.turnedAway(cmd) {
		return
	}
	arg = cmd.argument(arg)
	if problem := cmd.check(s, arg); problem != nil {
		s.reply(problem.code, problem.text)
		return
	}
	s.forgetSteps(verb, cmd)
	if s.loggedIn() {
		s.files = s.fs.Only(cmd.operations())
	}
	cmd.run(s, arg)
	if !s.finished && s.running() == nil {
		s.restate()
	}
}

// inTurn waits for the end of a command that is still at work, as replies come in
// the order of the commands (RFC 959 §5.4); during tells that this one is answered
// meanwhile. It is false where the client was lost.
func (s *session) inTurn(verb string, during bool) bool {
	t := s.running()
	if t == nil || during && !t.over.Load() {
		return true
	}
	if !s.waitFor(t, verb) {
		s.controlLost()
		return false
	}
	return true
}

// forgetSteps ends what holds for one command only: RNFR for an RNTO that
// follows at once, REST for the next transfer.
func (s *session) forgetSteps(verb string, cmd *command) {
	if verb != "RNTO" && verb != "NOOP" && s.renameFrom != "" {
		s.setRenameFrom("")
	}
	if cmd.data {
		s.offset, s.restart = s.restart, 0
	}
	if cmd.data || cmd.ranged {
		s.rangeNow, s.rangeNext = s.rangeNext, octets{}
	}
}

// turnedAway refuses a command of a session that was asked to end and has
// nothing in progress that this command could belong to, and of a user who may
// not be here any more.
func (s *session) turnedAway(cmd *command) bool {
	s.follow()
	s.mu.Lock()
	ending, busy := s.ending, s.inProgress(time.Now())
	if s.fs != nil && expired(s.expires, time.Now()) { // a clock that was set goes before the timer
		ending = endNow
	}
	s.mu.Unlock()
	switch {
	case ending == endDrain && (!busy || cmd.begins):
		s.goodbye("drained", drainedText)
	case ending == endRevoke:
		s.goodbye("revoked", revokedText)
	case ending == endNow:
		s.goodbyeNow()
	}
	return s.finished
}

func (s *session) logCommand(verb, arg string, known bool) {
	if confidential[verb] {
		arg = "***"
	}
	if !known {
		verb, arg = "unknown", "" // it may be a password after a slip of the keyboard
	}
	s.log.Debug("Command", "verb", verb, "argument", arg)
}

func (s *session) reply(code int, text string) {
	s.countReply(s.verb, code)
	if err := s.ctrl.reply(code, text); err != nil {
		s.finish("replies can't be sent")
	}
}

// countReply counts the last reply to each command.
func (s *session) countReply(verb string, code int) {
	if verb != "" && code >= 200 {
		s.server.Metrics.Command(verb, code)
	}
}

func (s *session) replyLines(code int, first string, lines []string, last string) {
	s.countReply(s.verb, code)
	if err := s.ctrl.replyLines(code, first, lines, last); err != nil {
		s.finish("replies can't be sent")
	}
}

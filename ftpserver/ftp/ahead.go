package ftp

import (
	"errors"
	"os"
	"strings"
)

// How much is read ahead: see session.waitFor. What follows stays in the socket.
const (
	maxAheadLines = 32
	maxAheadBytes = maxLine
)

// ahead holds what was read while a transfer kept its command waiting. It is
// carried out in the order in which it came.
type ahead struct {
	lines []aheadLine
	bytes int
}

// aheadLine is what readLine has returned.
type aheadLine struct {
	text string
	err  error
}

func (a *ahead) room() bool { return len(a.lines) < maxAheadLines && a.bytes < maxAheadBytes }

func (a *ahead) add(l aheadLine) {
	a.lines = append(a.lines, l)
	a.bytes += len(l.text)
}

// take returns the oldest line.
func (a *ahead) take() (l aheadLine, ok bool) {
	if len(a.lines) == 0 {
		return aheadLine{}, false
	}
	l = a.lines[0]
	a.bytes -= len(l.text)
	if a.lines = a.lines[1:]; len(a.lines) == 0 {
		a.lines = nil // an idle session holds nothing
	}
	return l, true
}

// nextLine returns the next line: one that was read ahead, or else one from the
// connection.
func (c *control) nextLine() (string, error) {
	if l, ok := c.ahead.take(); ok {
		return l.text, l.err
	}
	return c.readLine()
}

// waitFor waits for the end of a transfer that keeps a command waiting, and
// reads ahead meanwhile: behind that command, there may be an ABOR that the
// transfer is not to go on after, a QUIT, or the end of the connection. After
// that end it is false: a client that is gone has its upload cut, and what it
// wanted done after the upload, such as removing an older file, must not be.
func (s *session) waitFor(t *transfer, verb string) bool {
	more := s.heed(t, aheadLine{text: verb})
	for _, l := range s.ctrl.ahead.lines {
		more = more && s.heed(t, l)
	}
	s.setWaiting(true)
	for more && s.ctrl.ahead.room() {
		var l aheadLine
		l.text, l.err = s.ctrl.readLine()
		if errors.Is(l.err, os.ErrDeadlineExceeded) {
			break // the transfer is over, or the session is to end
		}
		s.ctrl.ahead.add(l)
		more = s.heed(t, l)
	}
	s.setWaiting(false)
	t.park(false, false)
	<-t.done
	return !t.gone
}

// heed does at once what a line means for the running transfer. It is false if
// nothing can follow.
func (s *session) heed(t *transfer, l aheadLine) bool {
	verb, _, _ := strings.Cut(l.text, " ")
	switch verb = fullVerb(verb); {
	case l.err != nil && !recoverable(l.err):
		t.clientGone()
		return false
	case verb == "QUIT":
		t.park(true, false)
		return false
	case verb == "ABOR":
		t.cancel(errAborted)
	}
	return true
}

// setWaiting has a read end when the transfer does.
func (s *session) setWaiting(on bool) {
	s.mu.Lock()
	s.waiting = on
	s.mu.Unlock()
	s.rearm()
}

// recoverable tells errors of readLine after which the session goes on.
func recoverable(err error) bool {
	return errors.Is(err, errLineTooLong) || errors.Is(err, errLineChars) || errors.Is(err, errLineTLS) ||
		errors.Is(err, errLineProxy)
}

package ftp

import "time"

// sleepAfter is how long a session waits for a command until it sleeps.
const sleepAfter = time.Second

// fallAsleep tells whether the session has now waited for long enough to sleep: to
// give up its goroutine, as a stack that commands have made large stays so, and to
// wait for the next command in another one. It is called when a read has met its
// deadline, by the goroutine of serve, which is to end then.
func (s *session) fallAsleep() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asleep || s.finished || s.transfer != nil || s.ending != endNot || time.Since(s.lastActivity) < sleepAfter {
		return false
	}
	s.asleep = true
	return true
}

// awake notes that the client has done something. Called with mu held.
func (s *session) awake() {
	s.lastActivity = time.Now()
	s.asleep = false
}

// timeoutOrSleep is when a session in which nothing is in progress is to be looked
// at again. Called with mu held.
func (s *session) timeoutOrSleep() time.Time {
	timeout := s.timeout()
	if sleep := s.lastActivity.Add(sleepAfter); !s.asleep && sleep.Before(timeout) {
		return sleep
	}
	return timeout
}

package ftp

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// work is a command that may take long and needs no data connection, such as to
// hash a file. It runs as a transfer does: ABOR, STAT and NOOP are answered
// meanwhile, a lost control connection stops it, and the session is not idle.
type work struct {
	*transfer
	session *session
}

// result is how a command ended that did what it was asked for.
type result struct {
	code int
	text string
}

// work carries out a command of some length. It answers when do has returned.
func (s *session) work(name string, do func(w *work) (result, error)) {
	ctx, cancel := context.WithCancelCause(context.Background())
	t := &transfer{
		verb: s.verb, path: name,
		started: time.Now(), ctx: ctx, cancel: cancel,
		count: func(string, int64) {}, // nothing is transferred
		done:  make(chan struct{}), parked: make(chan struct{}),
	}
	s.mu.Lock()
	s.transfer = t
	s.move()
	s.mu.Unlock()
	s.rearm()
	go func() {
		defer close(t.done)
		defer s.release()
		defer s.contain()
		defer t.cancel(nil)
		r, err := do(&work{t, s})
		s.concludeWork(t, r, t.why(err))
	}()
}

// concludeWork is conclude for what moves no data. A dead control connection
// shows at the next read.
func (s *session) concludeWork(t *transfer, r result, err error) {
	t.over.Store(true)
	if err != nil {
		r.code, r.text = workReply(err)
		s.logRefusal(r.code, err)
	}
	s.log.Debug("Work done", "verb", t.verb, "path", t.path, "user", s.user.Name, "bytes", t.bytes.Load(),
		"seconds", time.Since(t.started).Seconds(), "reply", r.code)
	s.countReply(t.verb, r.code)
	if !errors.Is(err, errClientGone) {
		_ = s.ctrl.reply(r.code, r.text)
	}
}

func workReply(err error) (int, string) {
	switch {
	case errors.Is(err, errAborted):
		return 426, "Aborted"
	case errors.Is(err, errEnded), errors.Is(err, errClientGone):
		return 426, "Ended by the server"
	case errors.Is(err, errShrunk):
		return 451, "The file became shorter while it was read"
	}
	return fileReply(err)
}

// workGate lets half of the processors read and compute for such commands at a
// time. Whoever wants to go on passes it anew for each block, in order: one with
// a huge file holds up the others by no more than a block.
type workGate chan struct{}

func newWorkGate() workGate { return make(workGate, max(1, runtime.GOMAXPROCS(0)/2)) }

// turn carries out a step as soon as it may, and counts its bytes. It fails when
// the command is to end.
func (w *work) turn(step func() (int64, error)) error {
	gate := w.session.server.works
	select {
	case gate <- struct{}{}:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	n, err := inGate(gate, step)
	w.add(n)
	switch {
	case err != nil:
		return err
	case w.ctx.Err() != nil:
		return context.Cause(w.ctx)
	}
	return w.stays()
}

func inGate(gate workGate, step func() (int64, error)) (int64, error) {
	defer func() { <-gate }()
	return step()
}

// quitPatience is how long such a command goes on for a client that has sent
// QUIT and closed its end: it may still read what comes, or be gone.
const quitPatience = 2 * time.Second

// stays looks after the client where nobody reads from it: a further command
// waits for the end of this one.
func (w *work) stays() error {
	select {
	case <-w.parked:
	default:
		return nil
	}
	if (!w.quit || time.Since(w.started) > quitPatience) && w.session.ctrl.peerClosed() {
		return errClientGone
	}
	return nil
}

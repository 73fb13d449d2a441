package ftp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
	"github.com/ftp-operator/ftp-operator/ftpserver/xferlog"
)

// Why a transfer was cut.
var (
	errAborted    = errors.New("transfer aborted")
	errClientGone = errors.New("the client has closed the control connection")
	errEnded      = errors.New("the session was ended by the server")
)

// Directions of a transfer, in logs and metrics.
const (
	upload   = "upload"
	download = "download"
	listing  = "listing"
)

// transfer is one use of a data connection. It runs in a goroutine of its own,
// so that the session can read ABOR and STAT meanwhile.
type transfer struct {
	verb, path, direction string

	started time.Time
	ended   time.Time // when the client's end of an upload was met
	ctx     context.Context
	cancel  context.CancelCauseFunc
	bytes   atomic.Int64
	over    atomic.Bool // its last reply is on its way
	// Of MODE Z: how many bytes were there before compression, or after.
	deflated bool
	plain    int64
	into     *vfs.Upload // what an upload is received into
	count    func(direction string, n int64)
	throttle *throttle     // holds it to a rate; nil: nothing is transferred
	done     chan struct{} // closed when the session is free again

	// parked is closed when the session reads no further: it has read a command
	// that must wait, or the end of the control connection.
	parked  chan struct{}
	parking sync.Once
	quit    bool // the command is QUIT
	gone    bool // there is no control connection any more
}

// job is what a transfer does. Exactly one of run and abandon is called, or both
// where run fails by a defect.
type job struct {
	verb, path, direction string
	// run moves the data and returns an error that transferReply can tell.
	run func(t *transfer, c dataConn) error
	// abandon releases what was opened, as there will be no data connection.
	abandon func()
}

// start answers 150 and carries out a job on the data connection that the
// client has asked for. The 150 goes out before that connection is there: many
// clients begin their TLS handshake only when they have it.
func (s *session) start(j job, text string) {
	port := s.takeData()
	ctx, cancel := context.WithCancelCause(context.Background())
	t := &transfer{
		verb: j.verb, path: j.path, direction: j.direction,
		started: time.Now(), ctx: ctx, cancel: cancel,
		count: s.server.Metrics.TransferBytes,
		done:  make(chan struct{}), parked: make(chan struct{}),
	}
	s.mu.Lock()
	s.transfer = t
	s.mu.Unlock()
	s.restate()
	s.reply(150, text)
	go s.carry(t, port, j)
}

func (s *session) carry(t *transfer, port dataPort, j job) {
	defer close(t.done)
	defer s.release()
	defer s.contain()
	defer t.cancel(nil)
	c, err := port.open(t.ctx)
	s.noteResumption(port, c)
	if err != nil {
		j.abandon()
		s.conclude(t, t.why(&openError{err}))
		return
	}
	t.throttle = s.throttle(t.direction, c)
	stop := context.AfterFunc(t.ctx, func() { _ = c.tcp().Close() })
	defer stop()
	err = t.why(j.on(t, c))
	if err != nil {
		_ = c.tcp().Close()
	}
	s.conclude(t, err)
	if err == nil {
		go lingerClose(c)
	}
}

// on runs the job on its data connection. A defect leaves nothing open.
func (j *job) on(t *transfer, c dataConn) error {
	ended := false
	defer func() {
		if !ended {
			_ = c.tcp().Close()
			j.abandon()
		}
	}()
	err := j.run(t, c)
	ended = true
	return err
}

// why replaces the error of a transfer that was cut by the reason for the cut.
func (t *transfer) why(err error) error {
	if cause := context.Cause(t.ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// openError is a data connection that never was.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// conclude tells logs, metrics and the client how the transfer ended.
func (s *session) conclude(t *transfer, err error) {
	t.over.Store(true)
	code, text := transferReply(err)
	s.logTransfer(t, code, err)
	s.countReply(t.verb, code)
	if !errors.Is(err, errClientGone) {
		if s.ctrl.reply(code, text) != nil {
			_ = s.ctrl.raw.Close() // which shows at the next read: a reply that is there in part spoils all others
		}
	}
	if t.direction == upload && err == nil {
		s.mu.Lock()
		s.uploadedAt = time.Now()
		s.mu.Unlock()
	}
}

// release frees the session for its next command.
func (s *session) release() {
	s.mu.Lock()
	s.awake()
	s.transfer = nil
	s.move() // in one step: from here on the session goes its own way
	s.mu.Unlock()
	s.rearm()
}

func (s *session) logTransfer(t *transfer, code int, err error) {
	took := time.Since(t.started)
	outcome := "complete"
	switch {
	case errors.Is(err, errAborted), errors.Is(err, errClientGone):
		outcome = "aborted"
	case err != nil:
		outcome = "failed"
	}
	s.server.Metrics.TransferDone(t.direction, outcome, t.bytes.Load(), took)
	args := []any{"verb", t.verb, "direction", t.direction, "path", t.path, "user", s.user.Name, "outcome", outcome,
		"bytes", t.bytes.Load(), "seconds", took.Seconds(), "reply", code, "tls", s.secure && s.protection.private}
	if t.deflated {
		args = append(args, "mode", "Z", "plainBytes", t.plain)
	}
	if err != nil {
		args = append(args, "error", err)
	}
	if advice := adviceOf(err); advice != "" {
		args = append(args, "advice", advice)
	}
	s.log.Info("Transfer", args...)
	if t.direction == listing {
		return
	}
	s.server.Xferlog.Add(&xferlog.Entry{
		Ended: t.started.Add(took), Took: took, Client: s.client, Bytes: t.bytes.Load(), Path: t.path,
		ASCII: !s.binary, Upload: t.direction == upload, User: s.user.Name, Guest: s.guest, Complete: err == nil,
	})
}

// add counts bytes as they go.
func (t *transfer) add(n int64) {
	t.bytes.Add(n)
	t.count(t.direction, n)
	if t.throttle != nil {
		t.throttle.flow.moved(time.Now(), n)
	}
}

// park notes that the session has stopped reading, and why.
func (t *transfer) park(quit, gone bool) {
	t.parking.Do(func() {
		t.quit, t.gone = quit, gone
		close(t.parked)
	})
}

// clientGone cuts the transfer of a client that has left.
func (t *transfer) clientGone() {
	t.park(false, true)
	t.cancel(errClientGone)
}

// stopTransfer cuts a running transfer and waits for its end.
func (s *session) stopTransfer() {
	if t := s.running(); t != nil {
		t.cancel(errEnded)
		<-t.done
	}
}

// abor cuts the transfer, whose own reply comes first (RFC 959 §4.1.3).
func (s *session) abor(string) {
	if t := s.running(); t != nil {
		t.cancel(errAborted)
		<-t.done
	}
	s.dropData()
	s.reply(226, "Abort successful")
}

const (
	// quickUpload: an upload that is over within it, from before the 150 on, is
	// published without a wait. A process that is killed takes about half of it
	// merely from its last write to the end of its data connection.
	quickUpload = 150 * time.Microsecond
	// The least and the longest time for the end of a control connection
	// whose client may have died: see clientStays. Of clients that died, 99 % took
	// less than half of the least.
	shortestGrace = 300 * time.Microsecond
	longestGrace  = 20 * time.Millisecond
	// shortestWait is how long a wait for the rest of that time is: a timer is no
	// finer, where nothing else passes it.
	shortestWait = time.Millisecond
	// parkTimeout bounds the wait for the session to read what is there.
	parkTimeout = time.Second
)

// clientStays tells whether whoever sent an upload is still there, or has taken
// leave with QUIT. The kernel of a client that dies ends its data connection as
// if the file were complete, and its control connection with it: an upload may
// be published only when that has not happened.
//
// The end of the control connection may come later: giveTime first, where the end
// of the upload is one that a dying client makes too (not TLS close_notify).
func (s *session) clientStays(t *transfer) bool {
	if s.ctrl.peerClosed() {
		return t.waitParked(parkTimeout) && t.quit && context.Cause(t.ctx) == nil
	}
	if context.Cause(t.ctx) != nil {
		return false
	}
	select {
	case <-t.parked:
		return !t.gone
	default:
		return true
	}
}

// giveTime waits for the end of the control connection of a client that has died,
// as far as the flush of the upload has not taken the time that this may take.
func (s *session) giveTime(t *transfer) {
	due := grace(t.bytes.Load(), t.ended.Sub(t.started), s.ctrl.roundTrip)
	if rest := stillDue(due, time.Since(t.ended)); rest > 0 {
		t.waitParked(rest)
	}
}

// stillDue is how long to wait yet where so much time has passed otherwise.
func stillDue(due, passed time.Duration) time.Duration {
	if passed >= due {
		return 0
	}
	return max(due, shortestWait) - passed
}

// grace is how long the end of the control connection may come after that of
// the data connection: some round trips, and as long as a dying process waits
// for a processor between the two. To wait as long as the upload took at most
// doubles the time of a short one, in which death is as unlikely as it is short;
// in a quick one it is so unlikely that there is no wait. Nothing at all is what
// arrives from a client that dies before its first byte, however quickly.
func grace(bytes int64, took time.Duration, roundTrip func() time.Duration) time.Duration {
	switch {
	case bytes == 0:
		return longestGrace
	case took < quickUpload:
		return 0
	}
	return min(max(4*roundTrip(), took, shortestGrace), longestGrace)
}

func (t *transfer) waitParked(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-t.parked:
		return true
	case <-timer.C:
		return false
	}
}

package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// uploadError is an upload that ended in a way that can't be trusted: what
// arrived is kept aside, and nothing is published.
type uploadError struct{ text string }

func (e *uploadError) Error() string { return e.text }

var (
	errUploaderGone  = &uploadError{"The client left before the upload was complete"}
	errNoCloseNotify = &uploadError{"The data connection ended without TLS close_notify: the file may be incomplete"}
)

// ready replies and returns false if no transfer can start now.
func (s *session) ready() bool {
	if p := s.dataProblem(); p != nil {
		s.dropData()
		s.reply(p.code, p.text)
		return false
	}
	return true
}

// refuse replies to an error of the storage and gives up the data connection.
func (s *session) refuse(err error) {
	s.dropData()
	code, text := fileReply(err)
	s.logRefusal(code, err)
	s.reply(code, text)
}

func (s *session) logRefusal(code int, err error) {
	if code == 451 || code == 452 {
		s.log.Error("Storage failed", "user", s.user.Name, "error", err)
		return
	}
	if errors.Is(err, vfs.ErrDenied) {
		s.log.Warn("Storage denies access to the server", "user", s.user.Name, "error", err)
		return
	}
	s.log.Debug("Command refused", "user", s.user.Name, "reply", code, "error", err)
}

// retr sends a file (RFC 959 §4.1.3).
func (s *session) retr(arg string) {
	if s.rangeNow.set && !s.binary {
		s.dropData()
		s.reply(504, rangeInText)
		return
	}
	if !s.ready() {
		return
	}
	name := s.path(arg)
	f, info, err := s.files.Open(name)
	if err != nil {
		s.refuse(err)
		return
	}
	from, size, err := s.download(f, info.Size)
	if err != nil {
		_ = f.Close()
		s.refuse(err)
		return
	}
	text := "Sending the file"
	if size >= 0 {
		text = fmt.Sprintf("Sending %d bytes", size)
	}
	s.start(job{
		verb: "RETR", path: name, direction: download,
		run:     func(t *transfer, c dataConn) error { return s.sendDownload(t, c, f, from, size) },
		abandon: func() { _ = f.Close() },
	}, text)
}

// sendDownload sends what is left of f, or what from makes of it.
func (s *session) sendDownload(t *transfer, c dataConn, f *os.File, from io.Reader, size int64) error {
	defer func() { _ = f.Close() }()
	gather(c.tcp())
	stall := s.config().Limits.StallTimeout
	var err error
	switch {
	case s.deflate && from == nil:
		err = s.sendDeflated(t, c, f, size, stall)
	case s.deflate:
		err = s.sendDeflated(t, c, from, size, stall)
	case from == nil:
		err = t.sendFile(c, f, size, stall)
	default:
		if err = t.sendFrom(c, from, stall); err == nil && t.bytes.Load() < size {
			err = errShrunk
		}
	}
	if err != nil {
		return err
	}
	return t.endSent(c)
}

// stor receives a file; after REST it goes on from there (RFC 3659 §5).
func (s *session) stor(arg string) {
	mode := vfs.CreateTruncate
	if s.offset > 0 {
		mode = vfs.CreateAt
	}
	s.receive("STOR", arg, mode, s.offset)
}

// appe receives what is added to a file (RFC 959 §4.1.3).
//
// A restart marker would have it write elsewhere than at the end (RFC 3659 §5.3),
// for which APPE's right is not enough: it is refused.
func (s *session) appe(arg string) {
	if s.offset > 0 {
		s.dropData()
		s.reply(554, "APPE adds at the end: send REST 0, or STOR")
		return
	}
	s.receive("APPE", arg, vfs.CreateAppend, 0)
}

func (s *session) receive(verb, arg string, mode vfs.CreateMode, offset int64) {
	if p := s.uploadProblem(); p != nil {
		s.dropData()
		s.reply(p.code, p.text)
		return
	}
	if !s.ready() {
		return
	}
	name := s.path(arg)
	u, err := s.files.Create(name, mode, offset)
	if err != nil {
		s.refuse(err)
		return
	}
	s.start(job{
		verb: verb, path: name, direction: upload,
		run:     func(t *transfer, c dataConn) error { return s.receiveUpload(t, c, u) },
		abandon: func() { s.keepPartial(u) },
	}, "Send the file")
}

// receiveUpload takes the data and publishes it. Whatever goes wrong, what was
// there under the name before stays, and what arrived is kept for a resume; a
// Direct upload is the visible file and stays as far as it came.
// Nothing is copied or cut before the data connection is there: an upload that
// never begins changes nothing.
func (s *session) receiveUpload(t *transfer, c dataConn, u *vfs.Upload) error {
	t.into = u
	if err := u.Prepare(t.ctx); err != nil {
		s.breakOff(t, u, err)
		return err
	}
	if err := s.receiveData(t, c, u); err != nil {
		if u.Direct() {
			s.log.Warn("Upload broke off and stays incomplete under its name", "user", s.user.Name, "path", u.Name())
		}
		s.breakOff(t, u, err)
		return err
	}
	_, err := u.Commit()
	if err != nil && !errors.Is(err, vfs.ErrChanged) && !errors.Is(err, vfs.ErrTaken) && !errors.Is(err, vfs.ErrQuota) {
		s.log.Error("Publishing an upload failed", "path", u.Name(), "error", err)
	}
	return err
}

func promptIf(prompt bool, w *asciiWriter) io.Writer {
	if prompt {
		return promptWriter{w}
	}
	return w
}

// breakOff ends an upload that did not come to its end.
func (s *session) breakOff(t *transfer, u *vfs.Upload, err error) {
	if err = vfs.Classify(err); errors.Is(err, vfs.ErrNoSpace) || errors.Is(err, vfs.ErrQuota) {
		s.discard(u) // what is kept would only keep the disk, or the quota, full
		return
	}
	if errors.Is(err, errUploaderGone) || errors.Is(err, errNoCloseNotify) || errors.Is(context.Cause(t.ctx), errClientGone) {
		u.Shorten() // the client may have sent all
	}
	s.keepPartial(u)
}

func (s *session) receiveData(t *transfer, c dataConn, u *vfs.Upload) error {
	stall := s.config().Limits.StallTimeout
	if s.deflate {
		return s.receiveDeflated(t, c, u, stall)
	}
	var orderly bool
	var err error
	if s.binary {
		orderly, err = t.receiveFile(c, stall)
	} else {
		w := newASCIIWriter(&metered{u})
		orderly, err = t.receiveTo(c, promptIf(u.Direct(), w), stall)
		err = w.end(err)
	}
	if err != nil {
		return err
	}
	t.ended = time.Now()
	_ = c.answerEnd() // at once: some clients wait for our close_notify
	return s.judgeEnd(t, c, orderly)
}

// judgeEnd decides whether the end of an upload is the end of the file. Whatever
// tls.uploadEnd says, the client must still be there: a plain FIN is what the kernel
// sends for one that dies.
func (s *session) judgeEnd(t *transfer, c dataConn, orderly bool) error {
	if d, secured := c.(*tlsData); secured {
		s.server.Metrics.UploadEnd(orderly)
		if err := s.judgeCloseNotify(t, d, orderly); err != nil {
			return err
		}
	}
	t.into.Flush() // which takes time that need not be waited then
	if !orderly {
		s.giveTime(t)
	}
	if !s.clientStays(t) {
		return errUploaderGone
	}
	return nil
}

// lastWordIsOurs tells that a handshake is over for us before it is for the client.
func lastWordIsOurs(c *tlsData) bool {
	state := c.ConnectionState()
	return state.Version < tls.VersionTLS13 && !state.DidResume
}

// judgeCloseNotify refuses the end of an upload over TLS that lacks close_notify,
// as far as tls.uploadEnd demands it. With Auto, a client that has ended an upload
// with it once will always do so; one that never does is believed. An end before
// the first byte is not, where the last message of the handshake is the server's
// (TLS 1.2): so does a client end that gives up waiting for it, and it would replace
// a file by nothing. Some clients end an empty file so over TLS 1.3.
func (s *session) judgeCloseNotify(t *transfer, c *tlsData, orderly bool) error {
	if orderly {
		s.closeNotify = true
		return nil
	}
	policy := s.config().TLS.UploadEnd
	refused := policy == config.UploadEndStrict || policy == config.UploadEndAuto && (s.closeNotify || t.bytes.Load() == 0 && lastWordIsOurs(c))
	s.log.Info("Upload over TLS ended without close_notify", "path", t.path, "user", s.user.Name,
		"clientSoftware", s.clientName, "accepted", !refused)
	if refused {
		return errNoCloseNotify
	}
	return nil
}

// keepPartial ends an upload that broke off, and keeps what arrived where somebody
// can go on with it.
func (s *session) keepPartial(u *vfs.Upload) {
	if !s.resumable() {
		s.discard(u)
		return
	}
	if err := u.Interrupt(); err != nil {
		s.log.Error("Keeping an interrupted upload failed", "path", u.Name(), "error", err)
	}
}

// resumable tells whether what arrives of an upload could be gone on with later. Of
// text nobody knows how much of the client's has arrived: lines end otherwise there.
// A guest whose address means nothing is somebody else at the next login.
func (s *session) resumable() bool {
	return s.binary && !(s.guest && !s.clientAddress(s.server.Live.Current()).IsValid())
}

func (s *session) discard(u *vfs.Upload) {
	if err := u.Discard(); err != nil {
		s.log.Error("Dropping an upload failed", "path", u.Name(), "error", err)
	}
}

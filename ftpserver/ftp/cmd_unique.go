package ftp

import (
	"path"
	"strings"
)

// uniqueStem begins the names of STOU where the client proposes none.
const uniqueStem = "file"

// stou receives a file under a name that is nobody's yet, and tells it
// (RFC 959 §4.1.3; RFC 1123 §4.1.2.9 has the form). A name that is proposed, as
// some clients do, is what the new one is made of.
func (s *session) stou(arg string) {
	switch p := s.uploadProblem(); {
	case p != nil:
		s.dropData()
		s.reply(p.code, p.text)
		return
	case s.offset > 0:
		s.dropData()
		s.reply(554, "STOU begins a new file: send REST 0")
		return
	case strings.ContainsFunc(arg, isControl):
		s.dropData()
		s.reply(553, "File name not allowed")
		return
	case arg == "" || strings.HasSuffix(arg, "/"):
		arg += uniqueStem
	}
	if !s.ready() {
		return
	}
	u, err := s.files.CreateUnique(s.path(arg))
	if err != nil {
		s.refuse(err)
		return
	}
	told := path.Base(u.Name())
	if i := strings.LastIndexByte(arg, '/'); i >= 0 {
		told = arg[:i+1] + told
	}
	s.start(job{
		verb: "STOU", path: u.Name(), direction: upload,
		run:     func(t *transfer, c dataConn) error { return s.receiveUpload(t, c, u) },
		abandon: func() { s.keepPartial(u) },
	}, "FILE: "+told)
}

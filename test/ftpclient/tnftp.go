package ftpclient

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// TNFTP is tnftp, NetBSD's ftp. Debian's knows no FTPS. It takes a script, with
// the password, from standard input.
type TNFTP struct{}

// Name is tnftp.
func (TNFTP) Name() string { return "tnftp" }

// Program is tnftp.
func (TNFTP) Program() string { return "tnftp" }

// Package is tnftp.
func (TNFTP) Package() string { return "tnftp" }

// Can tells that tnftp knows no FTPS and mirrors nothing, that it can go on
// with an upload only from a given offset, and that it says names among other
// things.
func (TNFTP) Can(t Target, ops ...Operation) error {
	if t.secured() {
		return errors.New("knows no FTPS")
	}
	return lacks(ops, MirrorUp, MirrorDown, ResumeUpload, List)
}

func (TNFTP) command(t Target, ops []Operation, _ string) (command, error) {
	s := &tnftpScript{}
	s.line("open", t.Host, fmt.Sprint(t.Port))
	s.line("user", t.User, t.Password)
	s.line("binary")
	switch t.Mode {
	case PASV:
		s.line("epsv4")
	case Active:
		s.line("passive off")
	}
	for _, op := range ops {
		s.line(fmt.Sprintf("rate all %d", op.Rate))
		tnftpOperation(s, op)
	}
	s.line("quit")
	return command{args: []string{"tnftp", "-n", "-i", "-v"}, input: s.String(), judge: tnftpJudge}, nil
}

type tnftpScript struct{ strings.Builder }

// line writes a command. Within quotes tnftp knows no way to write one, so every
// character that is special is escaped for itself.
func (s *tnftpScript) line(command string, words ...string) {
	s.WriteString(command)
	for _, w := range words {
		s.WriteByte(' ')
		for _, r := range w {
			if strings.ContainsRune(" \t\"\\!$", r) {
				s.WriteByte('\\')
			}
			s.WriteRune(r)
		}
	}
	s.WriteByte('\n')
}

func tnftpOperation(s *tnftpScript, op Operation) {
	switch op.Kind {
	case Upload:
		s.line("put", op.Local, op.Remote)
	case Download:
		s.line("get", op.Remote, op.Local)
	case ResumeDownload:
		s.line("reget", op.Remote, op.Local)
	case Rename:
		s.line("rename", op.Remote, op.To)
	case Delete:
		s.line("delete", op.Remote)
	case Mkdir:
		s.line("mkdir", op.Remote)
	case Rmdir:
		s.line("rmdir", op.Remote)
	}
}

// tnftpFailed are replies that tell a failure: the exit code does not.
var tnftpFailed = regexp.MustCompile(`(?m)^([45]\d\d[ -]|tnftp:|Not connected|\?).*$`)

// tnftpMoved is how it tells how much it has moved: as many bytes as a code of a
// reply is no reply.
var tnftpMoved = regexp.MustCompile(`^\d+ bytes (sent|received) in `)

func tnftpJudge(output string) error {
	for _, words := range tnftpFailed.FindAllString(output, -1) {
		if !tnftpMoved.MatchString(words) {
			return errors.New(words)
		}
	}
	return nil
}

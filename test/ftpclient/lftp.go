package ftpclient

import (
	"fmt"
	"strings"
)

// LFTP is the lftp command. It takes a script, with the password, from standard
// input.
type LFTP struct{}

// Name is lftp.
func (LFTP) Name() string { return "lftp" }

// Program is lftp.
func (LFTP) Program() string { return "lftp" }

// Package is lftp.
func (LFTP) Package() string { return "lftp" }

// Can is nil: lftp does it all.
func (LFTP) Can(Target, ...Operation) error { return nil }

func (LFTP) command(t Target, ops []Operation, _ string) (command, error) {
	s := &lftpScript{}
	s.settings(t)
	if t.Implicit {
		s.line("open", "-p", fmt.Sprint(t.Port), "ftps://"+t.Host)
	} else {
		s.line("open", "-p", fmt.Sprint(t.Port), t.Host)
	}
	s.line("user", t.User, t.Password)
	for _, op := range ops {
		s.line("set", "net:limit-rate", fmt.Sprint(op.Rate))
		s.operation(op)
	}
	return command{args: []string{"lftp", "--norc"}, input: s.String()}, nil
}

type lftpScript struct{ strings.Builder }

// line writes a command; words after the first are quoted.
func (s *lftpScript) line(command string, words ...string) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	s.WriteString(command)
	for _, w := range words {
		s.WriteString(` "` + quote.Replace(w) + `"`)
	}
	s.WriteByte('\n')
}

func (s *lftpScript) settings(t Target) {
	for _, kv := range [][2]string{
		{"cmd:fail-exit", "yes"},
		{"cmd:interactive", "no"},
		{"cmd:cls-default", ""},
		{"net:timeout", "20"},
		{"xfer:clobber", "yes"},
		{"ftp:charset", "UTF-8"},
		{"file:charset", "UTF-8"},
		{"ftp:passive-mode", fmt.Sprint(t.Mode != Active)},
		{"ftp:fix-pasv-address", "no"},
		{"ftp:ssl-allow", fmt.Sprint(t.secured())},
		{"ftp:ssl-force", fmt.Sprint(t.secured())},
		{"ftp:ssl-protect-data", "yes"},
		{"ftp:ssl-protect-list", "yes"},
		{"ssl:verify-certificate", "yes"},
		{"ssl:check-hostname", fmt.Sprint(t.ServerName == t.Host)},
	} {
		s.line("set", kv[0], kv[1])
	}
	if t.Patient {
		s.line("set", "net:reconnect-interval-base", "1") // by default 30 s
	} else {
		s.line("set", "net:max-retries", "1")
	}
	if t.Dialogue {
		s.line("debug", "5")
	}
	if t.Mode != Default {
		s.line("set", "ftp:prefer-epsv", fmt.Sprint(t.Mode == EPSV))
	}
	if t.secured() {
		s.line("set", "ssl:ca-file", t.CAFile)
		s.line("set", "ssl:priority", "NORMAL:-VERS-ALL:+VERS-TLS"+string(t.TLS))
	}
}

func (s *lftpScript) operation(op Operation) {
	switch op.Kind {
	case Upload:
		s.line("put", op.Local, "-o", op.Remote)
	case ResumeUpload:
		s.line("put", "-c", op.Local, "-o", op.Remote)
	case Download:
		s.line("get", op.Remote, "-o", op.Local)
	case ResumeDownload:
		s.line("get", "-c", op.Remote, "-o", op.Local)
	case Rename:
		s.line("mv", op.Remote, op.To)
	case Delete:
		s.line("rm", op.Remote)
	case Mkdir:
		s.line("mkdir", op.Remote)
	case Rmdir:
		s.line("rmdir", op.Remote)
	case List:
		s.line("cd", op.Remote)
		s.line("cls", "-1", "--quiet")
	case MirrorUp:
		s.line("mirror", "-R", op.Local, op.Remote)
	case MirrorDown:
		s.line("mirror", op.Remote, op.Local)
	}
}

package ftpclient

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// NcFTP is the ncftp family: ncftpput and ncftpget for a single transfer or
// mirror, ncftp itself for the rest. It knows no TLS.
type NcFTP struct{}

// Name is ncftp.
func (NcFTP) Name() string { return "ncftp" }

// Program is ncftpput; the others come with it.
func (NcFTP) Program() string { return "ncftpput" }

// Package is ncftp.
func (NcFTP) Package() string { return "ncftp" }

// Can tells that ncftp knows neither TLS nor EPSV, and that its mirrors keep a
// directory's name.
func (NcFTP) Can(t Target, ops ...Operation) error {
	if t.secured() {
		return errors.New("knows no TLS")
	}
	if t.Mode == EPSV || strings.Contains(t.Host, ":") {
		return errors.New("knows no EPSV")
	}
	for _, op := range ops {
		mirrors := op.Kind == MirrorUp || op.Kind == MirrorDown
		if mirrors && path.Base(op.Remote) != filepath.Base(op.Local) {
			return errors.New("mirrors under the same name only")
		}
		if mirrors && len(ops) > 1 {
			return errors.New("mirrors in a run of its own only")
		}
	}
	if err := lacks(ops, List); err != nil {
		return err // it says names among other things
	}
	return bounded(ops)
}

func (n NcFTP) command(t Target, ops []Operation, dir string) (command, error) {
	c := command{env: []string{"HOME=" + dir}}
	login := filepath.Join(dir, "login.cfg")
	err := os.WriteFile(login, fmt.Appendf(nil, "host %s\nuser %s\npass %s\n", t.Host, t.User, t.Password), 0o600)
	if err != nil {
		return command{}, err
	}
	if len(ops) == 1 {
		c.args = ncftpTool(t, ops[0], login)
	}
	if c.args == nil {
		c.args, c.input, c.judge = []string{"ncftp"}, ncftpScript(t, ops), ncftpJudge
	}
	return c, nil
}

// ncftpTool is the program for a single transfer; nil for what is none.
func ncftpTool(t Target, op Operation, login string) []string {
	how := []string{"-V", "-t", "20", "-P", fmt.Sprint(t.Port), "-f", login, "-F"}
	if t.Mode == Active {
		how[len(how)-1] = "-E"
	}
	switch op.Kind {
	case Upload:
		return append(append([]string{"ncftpput", "-Z"}, how...), "-C", op.Local, op.Remote)
	case MirrorUp:
		return append(append([]string{"ncftpput", "-R"}, how...), path.Dir(op.Remote), op.Local)
	case MirrorDown:
		return append(append([]string{"ncftpget", "-R", "-T"}, how...), filepath.Dir(op.Local), op.Remote)
	}
	return nil
}

func ncftpScript(t Target, ops []Operation) string {
	s := &ncftpWords{}
	s.line("set auto-resume yes")
	if t.Mode == Active {
		s.line("set passive off")
	} else { // it keeps what was set before in the home of its user, whatever HOME is
		s.line("set passive on")
	}
	s.line("open", "-u", t.User, "-p", t.Password, "-P", fmt.Sprint(t.Port), t.Host)
	for _, op := range ops {
		switch op.Kind {
		case Upload:
			s.line("put -z -f", op.Local, op.Remote)
		case ResumeUpload:
			s.line("put -z", op.Local, op.Remote)
		case Download:
			s.line("get -z -f", op.Remote, op.Local)
		case ResumeDownload:
			s.line("get -z", op.Remote, op.Local)
		case Rename:
			s.line("rename", op.Remote, op.To)
		case Delete:
			s.line("rm", op.Remote)
		case Mkdir:
			s.line("mkdir", op.Remote)
		case Rmdir:
			s.line("rmdir", op.Remote)
		}
	}
	s.line("quit")
	return s.String()
}

type ncftpWords struct{ strings.Builder }

// line writes a command. A quote can't be written within quotes of its kind.
func (s *ncftpWords) line(command string, words ...string) {
	s.WriteString(command)
	for _, w := range words {
		s.WriteString(" '" + strings.ReplaceAll(w, "'", `'"'"'`) + "'")
	}
	s.WriteByte('\n')
}

// ncftpFailed are the words by which ncftp tells of what went wrong: its exit
// code does not.
var ncftpFailed = regexp.MustCompile(`(?m)(server said:|could not|Could not|failed|No such|cannot|Usage:|timed out|must be connected|Unbalanced).*$`)

func ncftpJudge(output string) error {
	if words := ncftpFailed.FindString(output); words != "" {
		return errors.New(words)
	}
	return nil
}

package ftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// path turns an argument into a virtual path.
func (s *session) path(arg string) string {
	if path.IsAbs(arg) {
		return path.Clean(arg)
	}
	return path.Join(s.cwd, arg)
}

// quoted is a path as replies show it (RFC 959 appendix II): in double quotes,
// which are doubled inside.
func quoted(p string) string { return `"` + strings.ReplaceAll(p, `"`, `""`) + `"` }

// done replies to a command that changes or tells something of a file.
func (s *session) done(err error, code int, text string) {
	if err != nil {
		code, text = fileReply(err)
		s.logRefusal(code, err)
	}
	s.reply(code, text)
}

func (s *session) pwd(string) { s.reply(257, quoted(s.cwd)+" is the current directory") }

func (s *session) changeDir(arg string) {
	to := s.path(arg)
	info, err := s.files.Stat(to)
	switch {
	case err != nil:
		s.done(err, 0, "")
	case !info.Dir:
		s.reply(550, "Not a directory")
	default:
		s.cwd = to
		s.replyAfter(s.directoryMessage(to), 250, "Directory is now "+quoted(to))
	}
}

func (s *session) changeDirUp(string) { s.changeDir("..") }

func (s *session) mkd(arg string) {
	name := s.path(arg)
	s.done(s.files.Mkdir(name), 257, quoted(name)+" created")
}

func (s *session) rmd(arg string) { s.done(s.files.Rmdir(s.path(arg)), 250, "Directory removed") }

func (s *session) dele(arg string) {
	name := s.path(arg)
	err := s.files.Remove(name)
	if err == nil {
		s.log.Info("File deleted", "user", s.user.Name, "path", name)
	}
	s.done(err, 250, "File deleted")
}

// rnfr names what the next command, RNTO, renames (RFC 959 §4.1.3).
func (s *session) rnfr(arg string) {
	name := s.path(arg)
	err := s.files.CheckRename(name)
	if err == nil {
		s.setRenameFrom(name)
	}
	s.done(err, 350, "Send RNTO")
}

func (s *session) rnto(arg string) {
	from, to := s.renameFrom, s.path(arg)
	if from == "" {
		s.reply(503, "Send RNFR first")
		return
	}
	s.setRenameFrom("")
	err := s.files.Rename(from, to)
	if err == nil {
		s.log.Info("File renamed", "user", s.user.Name, "from", from, "to", to)
	}
	s.done(err, 250, "Renamed")
}

func (s *session) setRenameFrom(name string) {
	s.mu.Lock()
	s.renameFrom, s.announcedAt = name, time.Now()
	s.mu.Unlock()
}

// size tells the size of a file. Where there is none, it tells what has arrived
// of an interrupted upload of this user, so that a client can go on from there
// (RFC 3659 §4), in TYPE I.
func (s *session) size(arg string) {
	if !s.binary {
		s.textSize(arg)
		return
	}
	name := s.path(arg)
	info, err := s.files.Stat(name)
	if n, ok := s.partial(name, err); ok {
		info.Size, err = n, nil
	}
	switch {
	case err == nil && info.Dir:
		err = vfs.ErrIsDir
	case err == nil && !info.Mode.IsRegular(): // nothing of it can be transferred
		err = vfs.ErrNotRegular
	}
	s.done(err, 213, strconv.FormatInt(info.Size, 10))
}

// partial tells what has arrived of an upload to a name of which Stat has
// returned that error. A drop box is not told whether the name is there, but
// PartialSize only finds what its own user has left where nothing is published.
func (s *session) partial(name string, err error) (size int64, ok bool) {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrRole) {
		return 0, false
	}
	return s.files.PartialSize(name)
}

// timeFormat is RFC 3659 §2.3, in UTC.
const timeFormat = "20060102150405"

// mdtm tells when a file was changed last (RFC 3659 §3), or sets it.
func (s *session) mdtm(arg string) {
	if when, name, ok := s.settingTime(arg); ok {
		s.setModified(when, name)
		return
	}
	info, err := s.files.Stat(s.path(arg))
	s.done(err, 213, info.ModTime.UTC().Format(timeFormat))
}

// mlst tells the facts of one file (RFC 3659 §7); where there is none, as size
// does, what has arrived of an interrupted upload.
func (s *session) mlst(arg string) {
	name := s.path(arg)
	info, err := s.files.Stat(name)
	var facts []byte
	if n, ok := s.partial(name, err); ok {
		facts, err = fmt.Appendf(nil, "type=file;size=%d;", n), nil
	} else if err == nil {
		facts = appendFacts(nil, s.facts, &info)
	}
	if err != nil {
		s.done(err, 0, "")
		return
	}
	s.replyLines(250, "Facts of "+quoted(name), []string{string(facts) + " " + name}, "End")
}

// stat tells the state of the session or, with a path, lists it on the control
// connection (RFC 959 §4.1.3). While a transfer runs, the path is ignored.
func (s *session) stat(arg string) {
	t := s.running()
	if t == nil && arg != "" {
		s.statPath(arg)
		return
	}
	lines := []string{
		"Logged in as " + s.user.Name,
		"Type: " + map[bool]string{true: "image", false: "ASCII"}[s.binary] + ", structure: file, mode: " + map[bool]string{true: "deflate", false: "stream"}[s.deflate],
		"Control connection: " + map[bool]string{true: "TLS", false: "in clear"}[s.secure],
		"Data connections: " + map[bool]string{true: "TLS", false: "in clear"}[s.dataSecurity() != nil],
	}
	if t != nil {
		lines = append(lines, fmt.Sprintf("%s %s: %d bytes so far", t.verb, t.path, t.bytes.Load()))
		if limit := s.rate(t.direction, s.server.Live.Current()); limit != 0 && t.direction != "" {
			lines = append(lines, fmt.Sprintf("Limit: %d bytes per second", limit))
		}
	}
	s.replyLines(211, "Status", lines, "End of status")
}

// A listing on the control connection, which waits for it, is bounded.
const (
	maxStatEntries = 1000
	statTime       = 5 * time.Second
)

func (s *session) statPath(arg string) {
	var lines []string
	collect := func(line []byte) error {
		if len(lines) == maxStatEntries {
			return errEnough
		}
		lines = append(lines, strings.TrimSuffix(string(line), "\r\n"))
		return nil
	}
	target, code, err := s.listTarget(parseListOptions(arg))
	if err != nil {
		s.done(err, 0, "")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), statTime)
	defer cancel()
	err = target.each(ctx, s, formatLong, collect)
	switch {
	case errors.Is(err, errEnough):
		lines = append(lines, fmt.Sprintf("(more than %d entries: use LIST)", maxStatEntries))
	case errors.Is(err, errTree), errors.Is(err, context.DeadlineExceeded):
		lines = append(lines, "(and more: use LIST)")
	case err != nil:
		s.done(err, 0, "")
		return
	}
	s.replyLines(code, "Status of "+quoted(s.path(target.asked)), lines, "End of status")
}

package ftp

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// parseTime reads a time of RFC 3659 §2.3: 14 digits in UTC, and perhaps a
// fraction of a second, of which nanoseconds are kept. A leap second is the
// second after.
func parseTime(text string) (time.Time, bool) {
	whole, fraction, fractional := strings.Cut(text, ".")
	if len(whole) != len(timeFormat) || !digits(whole) || fractional && !digits(fraction) {
		return time.Time{}, false
	}
	leap := strings.HasSuffix(whole, "60")
	if leap {
		whole = whole[:len(whole)-2] + "59"
	}
	t, err := time.Parse(timeFormat, whole)
	if err != nil {
		return time.Time{}, false
	}
	if leap {
		return t.Add(time.Second), true
	}
	n, _ := strconv.Atoi((fraction + "000000000")[:9])
	return t.Add(time.Duration(n)), true
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseMode reads permissions, three octal digits or four of which the first is
// 0. ok is false for anything else; special tells that it was for bits that are
// never set here.
func parseMode(text string) (mode fs.FileMode, special, ok bool) {
	n, err := strconv.ParseUint(text, 8, 16)
	if err != nil || len(text) < 3 || len(text) > 4 {
		return 0, false, false
	}
	if n > uint64(fs.ModePerm) {
		return 0, true, false
	}
	return fs.FileMode(n), false, true
}

// modeText is a mode as MLST tells it.
func modeText(m fs.FileMode) string { return fmt.Sprintf("0%o", m.Perm()) }

// mfmt sets when a file was changed last (draft-somers-ftp-mfxx §3).
func (s *session) mfmt(arg string) {
	text, name, ok := strings.Cut(arg, " ")
	when, isTime := parseTime(text)
	if !isTime || !ok || name == "" {
		s.reply(501, "MFMT needs YYYYMMDDHHMMSS, in UTC, and a path")
		return
	}
	s.setModified(when, name)
}

func (s *session) setModified(when time.Time, name string) {
	i, err := s.setAttributes(name, vfs.Attributes{Modified: &when})
	s.done(err, 213, "Modify="+i.ModTime.UTC().Format(timeFormat)+"; "+name)
}

func (s *session) setAttributes(name string, a vfs.Attributes) (vfs.Info, error) {
	i, err := s.files.SetAttributes(s.path(name), a)
	if err == nil {
		s.log.Debug("Attributes set", "user", s.user.Name, "path", s.path(name), "modified", i.ModTime, "mode", modeText(i.Mode))
	}
	return i, err
}

// settingTime tells whether the argument of MDTM is that of a client that sets a
// time by it: a time and a path, and no file that is called so as a whole.
func (s *session) settingTime(arg string) (when time.Time, name string, ok bool) {
	text, name, _ := strings.Cut(arg, " ")
	when, ok = parseTime(text)
	if !ok || name == "" {
		return when, name, false
	}
	_, err := s.files.Stat(s.path(arg))
	return when, name, err != nil
}

const mffSyntax = "MFF needs facts, such as Modify=YYYYMMDDHHMMSS;UNIX.mode=0644; and a path"

// mff sets facts of a file (draft-somers-ftp-mfxx §5). Where one is wrong, nothing
// is set.
func (s *session) mff(arg string) {
	facts, name, ok := strings.Cut(arg, " ")
	if !ok || name == "" || !strings.HasSuffix(facts, ";") {
		s.reply(501, mffSyntax)
		return
	}
	var a vfs.Attributes
	for fact := range strings.SplitSeq(strings.TrimSuffix(facts, ";"), ";") {
		if p := readFact(fact, &a); p != nil {
			s.reply(p.code, p.text)
			return
		}
	}
	i, err := s.setAttributes(name, a)
	var set string
	if a.Modified != nil {
		set = "Modify=" + i.ModTime.UTC().Format(timeFormat) + ";"
	}
	if a.Mode != nil {
		set += "UNIX.mode=" + modeText(i.Mode) + ";"
	}
	s.done(err, 213, set+" "+name)
}

func readFact(fact string, a *vfs.Attributes) *problem {
	name, value, _ := strings.Cut(fact, "=")
	switch {
	case strings.EqualFold(name, "Modify"):
		when, ok := parseTime(value)
		if !ok {
			return &problem{501, mffSyntax}
		}
		a.Modified = &when
	case strings.EqualFold(name, "UNIX.mode"):
		mode, p := permissionsIn(value)
		if p != nil {
			return p
		}
		a.Mode = &mode
	default:
		return &problem{504, "Only the facts Modify and UNIX.mode can be set"}
	}
	return nil
}

func permissionsIn(text string) (fs.FileMode, *problem) {
	mode, special, ok := parseMode(text)
	switch {
	case special:
		return 0, &problem{504, "Setuid, setgid and the sticky bit can't be set"}
	case !ok:
		return 0, &problem{501, "A mode is three octal digits, such as 644"}
	}
	return mode, nil
}

package ftp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// siteCommand is what SITE knows of one of its own commands.
type siteCommand struct {
	run    func(s *session, arg string)
	syntax string
}

// siteCommands is filled in by init: SITE HELP shows it.
var siteCommands map[string]siteCommand

func init() {
	siteCommands = map[string]siteCommand{
		"CHMOD": {(*session).siteChmod, "SITE CHMOD mode path"},
		"UTIME": {(*session).siteUtime, "SITE UTIME YYYYMMDDhhmm[ss] path, or SITE UTIME path accessed modified created UTC"},
		"QUOTA": {(*session).siteQuota, "SITE QUOTA"},
		"HELP":  {(*session).siteHelp, "SITE HELP [command]"},
	}
}

// site carries out a command of this server's own (RFC 959 §4.1.3, RFC 1123
// §4.1.2.8).
func (s *session) site(arg string) {
	verb, rest, _ := strings.Cut(arg, " ")
	cmd, ok := siteCommands[strings.ToUpper(verb)]
	if !ok {
		s.reply(504, "Unknown SITE command: see SITE HELP")
		return
	}
	cmd.run(s, strings.TrimLeft(rest, " "))
}

func (s *session) siteHelp(arg string) {
	if arg == "" {
		s.replyLines(214, "SITE commands:", wrap(slices.Sorted(maps.Keys(siteCommands)), 8), "SITE HELP command tells its syntax")
		return
	}
	cmd, ok := siteCommands[strings.ToUpper(arg)]
	if !ok {
		s.reply(504, "Unknown SITE command: see SITE HELP")
		return
	}
	s.reply(214, "Syntax: "+cmd.syntax)
}

// siteChmod sets permissions. The owner's own stay: without them the server
// could not read the file any more.
func (s *session) siteChmod(arg string) {
	text, name, _ := strings.Cut(arg, " ")
	mode, p := permissionsIn(text)
	switch {
	case name == "":
		s.reply(501, "Syntax: "+siteCommands["CHMOD"].syntax)
		return
	case p != nil:
		s.reply(p.code, p.text)
		return
	}
	i, err := s.setAttributes(name, vfs.Attributes{Mode: &mode})
	s.done(err, 200, "Mode is "+modeText(i.Mode))
}

// siteUtime sets times, in either of the forms that clients use.
func (s *session) siteUtime(arg string) {
	name, a, ok := parseUtime(arg)
	if !ok {
		s.reply(501, "Syntax: "+siteCommands["UTIME"].syntax)
		return
	}
	i, err := s.setAttributes(name, a)
	s.done(err, 200, "Time is "+i.ModTime.UTC().Format(timeFormat)+" UTC")
}

// parseUtime reads "path accessed modified created UTC", of which the last time
// can't be set anywhere, or "time path", where the time may be without seconds.
// An argument that fits both is the first.
func parseUtime(arg string) (name string, a vfs.Attributes, ok bool) {
	if f := strings.Split(arg, " "); len(f) >= 5 && strings.EqualFold(f[len(f)-1], "UTC") {
		var times [3]time.Time
		ok = true
		for i, text := range f[len(f)-4 : len(f)-1] {
			var isTime bool
			times[i], isTime = parseTime(text)
			ok = ok && isTime
		}
		if ok && arg[0] != ' ' {
			return strings.Join(f[:len(f)-4], " "), vfs.Attributes{Accessed: &times[0], Modified: &times[1]}, true
		}
	}
	text, name, _ := strings.Cut(arg, " ")
	if len(text) == len("YYYYMMDDhhmm") {
		text += "00"
	}
	when, ok := parseTime(text)
	return name, vfs.Attributes{Modified: &when}, ok && name != ""
}

// siteQuota tells what the user has stored and may store.
func (s *session) siteQuota(arg string) {
	if arg != "" {
		s.reply(501, "Syntax: "+siteCommands["QUOTA"].syntax)
		return
	}
	u, ok := s.files.Quota()
	if !ok {
		s.reply(200, "No quota")
		return
	}
	if u.Bytes < 0 {
		s.done(vfs.ErrCounting, 0, "")
		return
	}
	s.replyLines(200, "Quota:", []string{
		"Bytes: " + used(u.Bytes, u.MaxBytes),
		"Files: " + used(u.Files, u.MaxFiles),
	}, "End")
}

func used(n, limit int64) string {
	if limit == 0 {
		return fmt.Sprintf("%d, no limit", n)
	}
	return fmt.Sprintf("%d of %d", n, limit)
}

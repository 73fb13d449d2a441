package ftp

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
)

// rein begins anew, as after the greeting: no login, default parameters
// (RFC 959 §4.1.1). A running transfer has ended before. TLS stays on the
// control connection, though RFC 4217 §11 would have it end: nobody who has
// secured a connection should come to send the next password in clear.
func (s *session) rein(string) {
	s.dropData()
	s.forgetLogin()
	s.protection, s.host = s.firstProtection(), ""
	s.facts = defaultFacts
	s.clientName = ""
	s.restate()
	s.reply(220, s.config().Banner)
}

// acct: a login here needs no account (RFC 959 §4.1.1).
func (s *session) acct(string) { s.reply(202, "No account is needed") }

// maxClientName is how much of a client's name is kept, in bytes.
const maxClientName = 128

// clnt notes what the client calls itself.
func (s *session) clnt(arg string) {
	s.noteClient(arg)
	s.reply(200, "Noted")
}

// csid notes it too, and answers what this server may tell of itself
// (draft-peterson-streamlined-ftp-command-extensions §4): of its make and
// version nothing, of its file names what a client has to know.
func (s *session) csid(arg string) {
	if !strings.Contains(arg, "=") {
		s.reply(501, "CSID needs Name=name;Version=version;")
		return
	}
	s.noteClient(arg)
	s.reply(200, "Name=FTP server; CaseSensitive=1; DirSep=/;")
}

// maxNamings is how many names of one session are in the log at level Info:
// another is taken after AUTH and REIN, which anybody may send without end.
const maxNamings = 3

// noteClient logs the first name that a client gives.
func (s *session) noteClient(name string) {
	if s.clientName != "" {
		return
	}
	s.clientName = oneLine(name[:min(len(name), maxClientName)])
	level := slog.LevelInfo
	if s.namings++; s.namings > maxNamings {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, "Client named itself", "name", s.clientName)
}

// languageTag is the form of RFC 2640 §4.1 (after RFC 1766).
var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

// lang chooses the language of replies: there is one (RFC 2640 §4).
func (s *session) lang(arg string) {
	language, _, _ := strings.Cut(arg, "-")
	switch {
	case arg != "" && !languageTag.MatchString(arg):
		s.reply(501, "LANG needs a language such as EN")
	case arg != "" && !strings.EqualFold(language, "EN"):
		s.reply(504, "Only LANG EN is supported")
	default:
		s.reply(200, "Replies are in English")
	}
}

// smnt: what there is to see depends on the login only (RFC 959 §4.1.1).
func (s *session) smnt(string) { s.reply(502, "There is nothing to mount") }

// ccc asks for a control connection in clear (RFC 2228 §3, RFC 4217 §5).
func (s *session) ccc(string) {
	if !s.secure {
		s.reply(533, "The control connection is in clear already")
		return
	}
	s.reply(534, "The control connection stays secured")
}

// adat: no mechanism here has security data of its own, so it always comes out
// of sequence (RFC 2228 §3).
func (s *session) adat(string) { s.reply(503, "AUTH TLS needs no ADAT") }

// protectedCommand is a command in an envelope of RFC 2228 §3, which TLS has
// not: it protects the whole connection.
func (s *session) protectedCommand(string) {
	if !s.secure {
		s.reply(503, "Send AUTH TLS first")
		return
	}
	s.reply(537, "TLS protects the whole connection: send the command itself")
}

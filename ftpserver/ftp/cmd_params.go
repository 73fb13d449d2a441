package ftp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// setType chooses ASCII or image (RFC 959 §3.1.1). Of what is known and not
// supported, EBCDIC, print formats and bytes of other sizes, 504 says so; the
// rest is no type at all.
func (s *session) setType(arg string) {
	switch strings.ToUpper(strings.Join(strings.Fields(arg), " ")) {
	case "I", "L 8":
		s.binary = true
		s.reply(200, "Type is image")
	case "A", "A N":
		s.binary = false
		s.reply(200, "Type is ASCII")
	case "A T", "A C", "E", "E N", "E T", "E C":
		s.reply(504, "Only TYPE I and TYPE A are supported")
	default:
		if size, local := strings.CutPrefix(strings.ToUpper(arg), "L "); local && isNumber(strings.TrimSpace(size)) {
			s.reply(504, "Only TYPE L 8 is supported")
			return
		}
		s.reply(501, "TYPE needs A, I or L 8")
	}
}

// setMode chooses stream mode or, where it is allowed, deflate mode
// (RFC 959 §3.4; draft-preston-ftpext-deflate §3).
func (s *session) setMode(arg string) {
	switch strings.ToUpper(arg) {
	case "S":
		s.deflate = false
		s.reply(200, "Mode is stream")
	case "Z":
		if s.config().ModeZ != config.ModeZAllow {
			s.reply(504, "MODE Z is switched off")
			return
		}
		s.deflate = true
		s.reply(200, "Mode is deflate")
	case "B", "C":
		s.reply(504, "Block and compressed mode are not supported")
	default:
		s.reply(501, "MODE needs "+s.modes())
	}
}

// modes are those that this server has.
func (s *session) modes() string {
	if s.config().ModeZ == config.ModeZAllow {
		return "S or Z"
	}
	return "S"
}

// setStructure accepts file structure (RFC 959 §3.1.2).
func (s *session) setStructure(arg string) {
	switch strings.ToUpper(arg) {
	case "F":
		s.reply(200, "Structure is file")
	case "R", "P":
		s.reply(504, "Only STRU F is supported")
	default:
		s.reply(501, "STRU needs F")
	}
}

// rest sets where the next transfer begins (RFC 3659 §5), in octets as they are
// transferred.
func (s *session) rest(arg string) {
	n, err := strconv.ParseInt(arg, 10, 64)
	switch {
	case err != nil || !isNumber(arg):
		s.reply(501, "REST needs a number of bytes")
	case n > maxText && !s.binary:
		s.reply(504, fmt.Sprintf("In TYPE A, REST goes up to %d: use TYPE I", maxText))
	default:
		s.restart, s.rangeNext = n, octets{}
		s.reply(350, "Restarting at "+strconv.FormatInt(n, 10)+": send RETR or STOR")
	}
}

func (s *session) noop(string) { s.reply(200, "OK") }

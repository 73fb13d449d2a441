package ftp

import (
	"fmt"
	"strconv"
	"strings"
)

// setType chooses ASCII or image (RFC 959 §3.1.1). EBCDIC has no users left.
func (s *session) setType(arg string) {
	switch strings.ToUpper(strings.Join(strings.Fields(arg), " ")) {
	case "I", "L 8":
		s.binary = true
		s.reply(200, "Type is image")
	case "A", "A N":
		s.binary = false
		s.reply(200, "Type is ASCII")
	default:
		s.reply(504, "Only TYPE I and TYPE A are supported")
	}
}

// setMode accepts stream mode (RFC 959 §3.4.1).
func (s *session) setMode(arg string) {
	if strings.EqualFold(arg, "S") {
		s.reply(200, "Mode is stream")
		return
	}
	s.reply(504, "Only MODE S is supported")
}

// setStructure accepts file structure (RFC 959 §3.1.2).
func (s *session) setStructure(arg string) {
	if strings.EqualFold(arg, "F") {
		s.reply(200, "Structure is file")
		return
	}
	s.reply(504, "Only STRU F is supported")
}

// rest sets where the next transfer begins (RFC 3659 §5), in octets as they are
// transferred.
func (s *session) rest(arg string) {
	n, err := strconv.ParseInt(arg, 10, 64)
	switch {
	case err != nil || n < 0:
		s.reply(501, "REST needs a number of bytes")
	case n > maxText && !s.binary:
		s.reply(504, fmt.Sprintf("In TYPE A, REST goes up to %d: use TYPE I", maxText))
	default:
		s.restart, s.rangeNext = n, octets{}
		s.reply(350, "Restarting at "+strconv.FormatInt(n, 10)+": send RETR or STOR")
	}
}

func (s *session) noop(string) { s.reply(200, "OK") }

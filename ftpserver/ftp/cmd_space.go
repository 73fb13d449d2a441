package ftp

import (
	"strconv"
	"strings"
)

// parseAllo reads "bytes" or "bytes R record", both numbers (RFC 959 §4.1.3).
func parseAllo(arg string) (size int64, ok bool) {
	f := strings.Fields(arg)
	switch {
	case len(f) == 1:
	case len(f) == 3 && strings.EqualFold(f[1], "R") && digits(f[2]):
	default:
		return 0, false
	}
	if !digits(f[0]) {
		return 0, false
	}
	size, err := strconv.ParseInt(f[0], 10, 64)
	return size, err == nil
}

// allo reserves nothing: space is taken as data comes (RFC 959 §4.1.3). But
// where there plainly is not so much, the client is told before it sends. Who
// may not know how much there is, is answered as if there were enough.
func (s *session) allo(arg string) {
	size, ok := parseAllo(arg)
	if !ok {
		s.reply(501, "ALLO needs a number of bytes")
		return
	}
	free, err := s.files.Available(s.cwd)
	if err != nil || size <= free {
		s.reply(202, "No storage allocation needed")
		return
	}
	if u, limited := s.files.Quota(); limited && u.MaxBytes > 0 && size > u.MaxBytes-u.Bytes {
		s.reply(552, "Your quota leaves no room for so much")
		return
	}
	s.reply(452, "Not enough space for so much")
}

// avbl tells how many bytes the user may store in a directory
// (draft-peterson-streamlined-ftp-command-extensions §4).
func (s *session) avbl(arg string) {
	n, err := s.files.Available(s.path(arg))
	s.done(err, 213, strconv.FormatInt(n, 10))
}

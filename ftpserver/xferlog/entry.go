// Package xferlog writes one line for each file that was transferred, in the
// format that wu-ftpd made common and that log analysers read (xferlog(5)).
//
// Writing is never waited for: what can't be written is counted and dropped, and
// no transfer fails or slows down for it.
package xferlog

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is a transfer that has ended.
type Entry struct {
	// Ended is when, and Took how long it took.
	Ended time.Time
	Took  time.Duration
	// Client is the client's address.
	Client netip.Addr
	Bytes  int64
	// Path is the file as the user sees it.
	Path string
	// ASCII tells that it was transferred as text (TYPE A).
	ASCII bool
	// Upload tells that the file came from the client.
	Upload bool
	// User is who has logged in, Guest whether that is nobody in particular.
	User  string
	Guest bool
	// Complete tells that the client was told so.
	Complete bool
}

// Line is the entry with its end of line. Fields are separated by one space and
// hold none: see escape.
func (e *Entry) Line() []byte {
	word := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	// time, seconds, host, bytes, file, type, action, direction, access, user,
	// service, authentication, its user, completion
	return fmt.Appendf(nil, "%s %d %s %d %s %s _ %s %s %s ftp 0 * %s\n",
		e.Ended.UTC().Format(time.ANSIC), max(1, int64(e.Took.Round(time.Second)/time.Second)),
		e.Client, e.Bytes, escape(e.Path), word(e.ASCII, "a", "b"), word(e.Upload, "i", "o"),
		word(e.Guest, "a", "r"), escape(e.User), word(e.Complete, "c", "i"))
}

// escape writes a name as one word: white space, control characters, what is no
// UTF-8 and the percent sign itself become %XX of each byte. So two names never
// look alike, and a name makes neither a field nor a line. An empty name is "_".
func escape(name string) string {
	if name == "" {
		return "_"
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if r != '%' && unicode.IsGraphic(r) && !unicode.IsSpace(r) && (r != utf8.RuneError || n > 1) {
			b.WriteString(name[:n])
		} else {
			for _, c := range []byte(name[:n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		name = name[n:]
	}
	return b.String()
}

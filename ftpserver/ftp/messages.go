package ftp

import (
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// What is told of a directory's message.
const (
	maxMessage      = 4 << 10 // bytes of the file
	maxMessageLines = 50
	// maxMessages is of how many directories a session is told.
	maxMessages = 64
)

// told are the directories whose message a session has seen, by their hash. Its
// zero value is ready to use.
type told struct {
	seed maphash.Seed
	dirs map[uint64]struct{}
}

// first tells whether the directory is told of for the first time, and may be.
func (t *told) first(dir string) bool {
	if t.dirs == nil {
		t.seed, t.dirs = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	key := maphash.String(t.seed, dir)
	if _, again := t.dirs[key]; again || len(t.dirs) >= maxMessages {
		return false
	}
	t.dirs[key] = struct{}{}
	return true
}

// replyAfter sends a reply with lines before its last.
func (s *session) replyAfter(lines []string, code int, text string) {
	if len(lines) == 0 {
		s.reply(code, text)
		return
	}
	s.replyLines(code, lines[0], lines[1:], text)
}

// directoryMessage is what the session is told as it enters a directory: nothing
// where there is no such file, or the user may not read it.
func (s *session) directoryMessage(dir string) []string {
	name := s.config().DirectoryMessage
	if name == "" || !s.messages.first(dir) {
		return nil
	}
	f, _, err := s.files.Open(path.Join(dir, name))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Debug("Message of a directory not told", "path", dir, "error", err)
		}
		return nil
	}
	defer func() { _ = f.Close() }()
	text := make([]byte, maxMessage)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		s.log.Warn("Message of a directory can't be read", "path", dir, "error", err)
		return nil
	}
	return messageLines(text[:n], n == maxMessage)
}

// messageLines are the lines of a message. Of one that was cut, the last is left
// out unless it is the only one. What is a control character, or no UTF-8, does
// not reach the client's terminal.
func messageLines(text []byte, cut bool) []string {
	clean := strings.ToValidUTF8(strings.ReplaceAll(string(text), "\t", " "), "?")
	lines := strings.Split(strings.TrimRight(clean, "\r\n"), "\n")
	if cut && len(lines) > 1 && text[len(text)-1] != '\n' {
		lines = lines[:len(lines)-1]
	}
	lines = lines[:min(len(lines), maxMessageLines)]
	for i, l := range lines {
		lines[i] = strings.Map(printable, strings.TrimSuffix(l, "\r"))
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}

// printable replaces control characters, those of ISO 6429 that are one rune of
// UTF-8 included.
func printable(r rune) rune {
	if isControl(r) || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
		return '?'
	}
	return r
}

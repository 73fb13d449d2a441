package ftp

import (
	"compress/zlib"
	"strconv"
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// optsMode sets how hard MODE Z compresses: OPTS MODE Z LEVEL n
// (draft-preston-ftpext-deflate §3.4).
func (s *session) optsMode(value string) {
	level, ok := parseDeflateLevel(value)
	switch {
	case s.config().ModeZ != config.ModeZAllow:
		s.reply(504, "MODE Z is switched off")
	case !ok:
		s.reply(501, "OPTS MODE needs Z LEVEL 1 to 9")
	default:
		s.deflateLevel = level
		s.reply(200, "MODE Z LEVEL set to "+strconv.Itoa(level))
	}
}

// parseDeflateLevel reads "Z LEVEL n". The engine and the method that the draft
// lets a client name are accepted where they are those that there are.
func parseDeflateLevel(value string) (level int, ok bool) {
	words := strings.Fields(strings.ToUpper(value))
	if len(words) < 3 || words[0] != "Z" || len(words)%2 == 0 {
		return 0, false
	}
	level = defaultDeflateLevel
	for i := 1; i < len(words); i += 2 {
		switch name, v := words[i], words[i+1]; {
		case name == "LEVEL":
			n, err := strconv.Atoi(v)
			if err != nil || n < zlib.BestSpeed || n > zlib.BestCompression {
				return 0, false
			}
			level = n
		case name == "ENGINE" && v == "ZLIB", name == "METHOD" && v == "8":
		default:
			return 0, false
		}
	}
	return level, true
}

// defaultDeflateLevel favours little work: a server that compresses for many
// clients has less of it than the network has room.
const defaultDeflateLevel = zlib.BestSpeed

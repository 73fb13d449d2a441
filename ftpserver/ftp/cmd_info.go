package ftp

import (
	"strings"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func (s *session) syst(string) { s.reply(215, "UNIX Type: L8") }

// feat lists what this server can beyond RFC 959 (RFC 2389 §3).
func (s *session) feat(string) {
	var features []string
	if s.config().Active {
		features = append(features, "EPRT")
	}
	features = append(features, "HOST")
	features = append(features, "CLNT", "CSID", "LANG EN*")
	if s.config().ModeZ == config.ModeZAllow {
		features = append(features, "MODE Z")
	}
	features = append(features, "EPSV", "MDTM", "MLST "+s.facts.describe(), "REST STREAM", "SIZE", "TVFS", "UTF8")
	features = append(features, s.contentFeatures()...)
	if s.config().TLS.Mode != config.TLSDisabled {
		features = append(features, "AUTH TLS", "PBSZ", "PROT")
	}
	s.replyLines(211, "Features:", features, "End")
}

// opts sets options (RFC 2389 §4): UTF-8, which is always on (RFC 2640), the
// facts of MLST (RFC 3659 §7.9), the level of MODE Z.
func (s *session) opts(arg string) {
	name, value, _ := strings.Cut(arg, " ")
	value = strings.TrimSpace(value)
	switch strings.ToUpper(name) {
	case "UTF8", "UTF-8":
		s.optsUTF8(value)
	case "MLST":
		if strings.Contains(value, " ") { // RFC 3659 §7.9: what is wrong leaves the facts as they are
			s.reply(501, "Facts are ended by semicolons, without spaces: OPTS MLST type;size;")
			return
		}
		s.facts = parseFacts(value)
		s.reply(200, strings.TrimRight("MLST OPTS "+s.facts.list(), " "))
	case "MODE":
		s.optsMode(value)
	case "HASH":
		s.optsHash(value)
	default:
		s.reply(501, "Unknown option")
	}
}

func (s *session) optsUTF8(value string) {
	switch strings.ToUpper(value) {
	case "", "ON":
		s.reply(200, "File names are UTF-8")
	case "OFF":
		s.reply(504, "File names are always UTF-8")
	default:
		s.reply(501, "OPTS UTF8 needs ON")
	}
}

// help lists the commands, or tells the syntax of one (RFC 959 §4.1.3). A star
// marks those that are refused always.
func (s *session) help(arg string) {
	if arg == "" {
		s.replyLines(214, "Commands:", wrap(markedVerbs(), 8), "HELP command tells its syntax")
		return
	}
	cmd, ok := commands[fullVerb(arg)]
	switch {
	case !ok:
		s.reply(502, "Unknown command")
	case cmd.refused:
		s.reply(214, "Syntax: "+cmd.syntax+" (refused always)")
	default:
		s.reply(214, "Syntax: "+cmd.syntax)
	}
}

func markedVerbs() []string {
	all := verbs()
	for i, verb := range all {
		if commands[verb].refused {
			all[i] += "*"
		}
	}
	return all
}

func wrap(words []string, perLine int) []string {
	var lines []string
	for len(words) > 0 {
		n := min(perLine, len(words))
		lines = append(lines, strings.Join(words[:n], " "))
		words = words[n:]
	}
	return lines
}

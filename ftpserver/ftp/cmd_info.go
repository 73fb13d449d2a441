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
	features = append(features, "EPSV", "MDTM", "MLST "+s.facts.describe(), "REST STREAM", "SIZE", "TVFS", "UTF8")
	features = append(features, s.contentFeatures()...)
	if s.config().TLS.Mode != config.TLSDisabled {
		features = append(features, "AUTH TLS", "PBSZ", "PROT")
	}
	s.replyLines(211, "Features:", features, "End")
}

// opts sets options: UTF-8, which is always on (RFC 2640), and the facts of
// MLST (RFC 3659 §7.9).
func (s *session) opts(arg string) {
	name, value, _ := strings.Cut(arg, " ")
	switch strings.ToUpper(name) {
	case "UTF8", "UTF-8":
		if strings.EqualFold(strings.TrimSpace(value), "OFF") {
			s.reply(504, "File names are always UTF-8")
			return
		}
		s.reply(200, "File names are UTF-8")
	case "MLST":
		s.facts = parseFacts(value)
		s.reply(200, "MLST OPTS "+s.facts.list())
	case "HASH":
		s.optsHash(value)
	default:
		s.reply(501, "Unknown option")
	}
}

// help lists the commands, or tells the syntax of one (RFC 959 §4.1.3).
func (s *session) help(arg string) {
	if arg == "" {
		s.replyLines(214, "Commands:", wrap(verbs(), 8), "HELP command tells its syntax")
		return
	}
	cmd, ok := commands[fullVerb(arg)]
	if !ok {
		s.reply(502, "Unknown command")
		return
	}
	s.reply(214, "Syntax: "+cmd.syntax)
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

package ftp

import (
	"maps"
	"slices"
	"strings"
)

// command is one entry of the table: everything that dispatch must know.
type command struct {
	run func(s *session, arg string)
	// login: only for users who have logged in.
	login bool
	// arg: an empty argument is an error in syntax.
	arg bool
	// bare: any argument is an error in syntax.
	bare bool
	// words: the argument is no name, so that spaces around it don't count.
	words bool
	// during: is carried out while a transfer runs; others wait for its end.
	during bool
	// begins: starts something new, which a draining session must not.
	begins bool
	// data: uses a data connection, and the offset of REST.
	data bool
	// ranged: it works on the octets that RANG has chosen.
	ranged bool
	// needs are the operations that it comes to ask the storage for. It gets no
	// others, whatever the user's role. Absent: it touches no files.
	needs []need
	// refused: is known, and never carried out. HELP marks it.
	refused bool
	// syntax is what HELP shows after the verb.
	syntax string
}

type problem struct {
	code int
	text string
}

// check refuses what can be refused without knowing the command.
func (c *command) check(s *session, arg string) *problem {
	switch {
	case c.login && !s.loggedIn():
		return &problem{530, "Log in first"}
	case c.arg && arg == "":
		return &problem{501, "Argument missing: " + c.syntax}
	case c.bare && arg != "":
		return &problem{501, "There is no argument: " + c.syntax}
	}
	return nil
}

// argument is what follows the first space. A file may be named with spaces
// before and behind, so they are only dropped where nothing is named.
func (c *command) argument(arg string) string {
	if c.words || c.bare {
		return strings.TrimSpace(arg)
	}
	return arg
}

// commands is filled in by init: handlers that show the table refer to it.
var commands map[string]*command

func init() {
	commands = map[string]*command{}
	for _, table := range []func() map[string]*command{
		securityCommands, accessCommands, parameterCommands, fileCommands, contentCommands, informationCommands,
		hostCommands, clientCommands, refusedCommands,
	} {
		maps.Copy(commands, table())
	}
}

// aliases are the verbs of RFC 775, which RFC 1123 §4.1.3.1 asks servers to know.
var aliases = map[string]string{
	"XCWD": "CWD", "XCUP": "CDUP", "XMKD": "MKD", "XRMD": "RMD", "XPWD": "PWD",
}

// fullVerb is a verb as it stands in the table.
func fullVerb(verb string) string {
	verb = strings.ToUpper(verb)
	if full, ok := aliases[verb]; ok {
		return full
	}
	return verb
}

// verbs returns the known verbs in order.
func verbs() []string {
	out := make([]string, 0, len(commands))
	for v := range commands {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

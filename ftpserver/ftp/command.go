package ftp

import (
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
	// during: is carried out while a transfer runs; others wait for its end.
	during bool
	// begins: starts something new, which a draining session must not.
	begins bool
	// data: uses a data connection, and the offset of REST.
	data bool
	// needs are the operations that it comes to ask the storage for. It gets no
	// others, whatever the user's role. Absent: it touches no files.
	needs []need
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
	}
	return nil
}

// commands is filled in by init: handlers that show the table refer to it.
var commands map[string]*command

func init() {
	commands = map[string]*command{
		// RFC 2228, 4217: security
		"AUTH": {run: (*session).auth, begins: true, arg: true, syntax: "AUTH TLS"},
		"PBSZ": {run: (*session).pbsz, arg: true, syntax: "PBSZ 0"},
		"PROT": {run: (*session).prot, arg: true, syntax: "PROT C|P"},
		// RFC 959 §4.1.1: access control
		"USER": {run: (*session).askUser, begins: true, arg: true, syntax: "USER name"},
		"PASS": {run: (*session).pass, syntax: "PASS password"},
		"CWD":  {run: (*session).changeDir, login: true, arg: true, needs: toEnter, syntax: "CWD directory"},
		"CDUP": {run: (*session).changeDirUp, login: true, needs: toGoUp, syntax: "CDUP"},
		"QUIT": {run: (*session).quit, syntax: "QUIT"},
		// RFC 959 §4.1.2, RFC 2428: parameters of transfers
		"TYPE": {run: (*session).setType, login: true, arg: true, syntax: "TYPE A|I"},
		"MODE": {run: (*session).setMode, login: true, arg: true, syntax: "MODE S"},
		"STRU": {run: (*session).setStructure, login: true, arg: true, syntax: "STRU F"},
		"PASV": {run: (*session).pasv, begins: true, login: true, syntax: "PASV"},
		"EPSV": {run: (*session).epsv, begins: true, login: true, syntax: "EPSV [1|2|ALL]"},
		"PORT": {run: (*session).port, begins: true, login: true, arg: true, syntax: "PORT h1,h2,h3,h4,p1,p2"},
		"EPRT": {run: (*session).eprt, begins: true, login: true, arg: true, syntax: "EPRT |family|address|port|"},
		"REST": {run: (*session).rest, login: true, arg: true, syntax: "REST offset"},
		"ALLO": {run: (*session).allo, login: true, syntax: "ALLO bytes"},
		// RFC 959 §4.1.3, RFC 3659: files
		"RETR": {run: (*session).retr, data: true, login: true, arg: true, needs: toRead, syntax: "RETR file"},
		"STOR": {run: (*session).stor, data: true, login: true, arg: true, needs: toStore, syntax: "STOR file"},
		"APPE": {run: (*session).appe, data: true, login: true, arg: true, needs: toAppend, syntax: "APPE file"},
		"LIST": {run: (*session).list, data: true, login: true, needs: toList, syntax: "LIST [path]"},
		"NLST": {run: (*session).nlst, data: true, login: true, needs: toList, syntax: "NLST [path]"},
		"MLSD": {run: (*session).mlsd, data: true, login: true, needs: toListFacts, syntax: "MLSD [directory]"},
		"MLST": {run: (*session).mlst, login: true, needs: toTellFacts, syntax: "MLST [path]"},
		"SIZE": {run: (*session).size, login: true, arg: true, needs: toTellSize, syntax: "SIZE file"},
		"MDTM": {run: (*session).mdtm, login: true, arg: true, needs: toTellTime, syntax: "MDTM file"},
		"DELE": {run: (*session).dele, login: true, arg: true, needs: toDelete, syntax: "DELE file"},
		"RNFR": {run: (*session).rnfr, login: true, arg: true, needs: toRename, syntax: "RNFR path"},
		"RNTO": {run: (*session).rnto, login: true, arg: true, needs: toRenameTo, syntax: "RNTO path"},
		"MKD":  {run: (*session).mkd, login: true, arg: true, needs: toMakeDir, syntax: "MKD directory"},
		"RMD":  {run: (*session).rmd, login: true, arg: true, needs: toRemoveDir, syntax: "RMD directory"},
		"PWD":  {run: (*session).pwd, login: true, syntax: "PWD"},
		"ABOR": {run: (*session).abor, login: true, during: true, syntax: "ABOR"},
		// RFC 959 §4.1.3, RFC 2389: information
		"SYST": {run: (*session).syst, syntax: "SYST"},
		"STAT": {run: (*session).stat, login: true, during: true, needs: toList, syntax: "STAT [path]"},
		"FEAT": {run: (*session).feat, syntax: "FEAT"},
		"OPTS": {run: (*session).opts, arg: true, syntax: "OPTS UTF8 ON | MLST facts"},
		"HELP": {run: (*session).help, syntax: "HELP [command]"},
		"NOOP": {run: (*session).noop, during: true, syntax: "NOOP"},
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

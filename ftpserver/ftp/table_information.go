package ftp

// informationCommands: information (RFC 959 §4.1.3, RFC 2389).
func informationCommands() map[string]*command {
	return map[string]*command{
		"SYST": {run: (*session).syst, bare: true, syntax: "SYST"},
		"STAT": {run: (*session).stat, login: true, during: true, needs: toList, syntax: "STAT [path]"},
		"FEAT": {run: (*session).feat, bare: true, syntax: "FEAT"},
		"OPTS": {run: (*session).opts, arg: true, words: true, syntax: "OPTS UTF8 ON | MLST facts | MODE Z LEVEL n | HASH algorithm"},
		"HELP": {run: (*session).help, words: true, syntax: "HELP [command]"},
		"NOOP": {run: (*session).noop, during: true, bare: true, syntax: "NOOP"},
	}
}

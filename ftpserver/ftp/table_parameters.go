package ftp

// parameterCommands: parameters of transfers (RFC 959 §4.1.2, RFC 2428).
func parameterCommands() map[string]*command {
	return map[string]*command{
		"TYPE": {run: (*session).setType, login: true, arg: true, words: true, syntax: "TYPE A|I|L 8"},
		"MODE": {run: (*session).setMode, login: true, arg: true, words: true, syntax: "MODE S|Z"},
		"STRU": {run: (*session).setStructure, login: true, arg: true, words: true, syntax: "STRU F"},
		"PASV": {run: (*session).pasv, begins: true, login: true, bare: true, syntax: "PASV"},
		"EPSV": {run: (*session).epsv, begins: true, login: true, words: true, syntax: "EPSV [1|2|ALL]"},
		"PORT": {run: (*session).port, begins: true, login: true, arg: true, words: true, syntax: "PORT h1,h2,h3,h4,p1,p2"},
		"EPRT": {run: (*session).eprt, begins: true, login: true, arg: true, words: true, syntax: "EPRT |family|address|port|"},
		"REST": {run: (*session).rest, login: true, arg: true, words: true, syntax: "REST offset"},
		"ALLO": {run: (*session).allo, login: true, arg: true, words: true, needs: toAllocate, syntax: "ALLO bytes [R record]"},
	}
}

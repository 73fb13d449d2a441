package ftp

// parameterCommands: parameters of transfers (RFC 959 §4.1.2, RFC 2428).
func parameterCommands() map[string]*command {
	return map[string]*command{
		"TYPE": {run: (*session).setType, login: true, arg: true, syntax: "TYPE A|I"},
		"MODE": {run: (*session).setMode, login: true, arg: true, syntax: "MODE S"},
		"STRU": {run: (*session).setStructure, login: true, arg: true, syntax: "STRU F"},
		"PASV": {run: (*session).pasv, begins: true, login: true, syntax: "PASV"},
		"EPSV": {run: (*session).epsv, begins: true, login: true, syntax: "EPSV [1|2|ALL]"},
		"PORT": {run: (*session).port, begins: true, login: true, arg: true, syntax: "PORT h1,h2,h3,h4,p1,p2"},
		"EPRT": {run: (*session).eprt, begins: true, login: true, arg: true, syntax: "EPRT |family|address|port|"},
		"REST": {run: (*session).rest, login: true, arg: true, syntax: "REST offset"},
		"ALLO": {run: (*session).allo, login: true, arg: true, needs: toAllocate, syntax: "ALLO bytes [R record]"},
	}
}

package ftp

// fileCommands: files (RFC 959 §4.1.3, RFC 3659).
func fileCommands() map[string]*command {
	return map[string]*command{
		"RETR": {run: (*session).retr, data: true, login: true, arg: true, needs: toRead, syntax: "RETR file"},
		"STOR": {run: (*session).stor, data: true, login: true, arg: true, needs: toStore, syntax: "STOR file"},
		"APPE": {run: (*session).appe, data: true, login: true, arg: true, needs: toAppend, syntax: "APPE file"},
		"LIST": {run: (*session).list, data: true, login: true, needs: toList, syntax: "LIST [path]"},
		"NLST": {run: (*session).nlst, data: true, login: true, needs: toList, syntax: "NLST [path]"},
		"MLSD": {run: (*session).mlsd, data: true, login: true, needs: toListFacts, syntax: "MLSD [directory]"},
		"MLST": {run: (*session).mlst, login: true, needs: toTellFacts, syntax: "MLST [path]"},
		"SIZE": {run: (*session).size, login: true, arg: true, needs: toTellSize, syntax: "SIZE file"},
		"MDTM": {run: (*session).mdtm, login: true, arg: true, needs: toTellOrSetTime, syntax: "MDTM [YYYYMMDDHHMMSS] path"},
		"DELE": {run: (*session).dele, login: true, arg: true, needs: toDelete, syntax: "DELE file"},
		"RNFR": {run: (*session).rnfr, login: true, arg: true, needs: toRename, syntax: "RNFR path"},
		"RNTO": {run: (*session).rnto, login: true, arg: true, needs: toRenameTo, syntax: "RNTO path"},
		"MKD":  {run: (*session).mkd, login: true, arg: true, needs: toMakeDir, syntax: "MKD directory"},
		"RMD":  {run: (*session).rmd, login: true, arg: true, needs: toRemoveDir, syntax: "RMD directory"},
		"PWD":  {run: (*session).pwd, login: true, bare: true, syntax: "PWD"},
		"ABOR": {run: (*session).abor, login: true, during: true, syntax: "ABOR"},
	}
}

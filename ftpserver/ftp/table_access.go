package ftp

// accessCommands: access control (RFC 959 §4.1.1).
func accessCommands() map[string]*command {
	return map[string]*command{
		"USER": {run: (*session).askUser, begins: true, arg: true, syntax: "USER name"},
		"PASS": {run: (*session).pass, syntax: "PASS password"},
		"CWD":  {run: (*session).changeDir, login: true, arg: true, needs: toEnter, syntax: "CWD directory"},
		"CDUP": {run: (*session).changeDirUp, login: true, bare: true, needs: toGoUp, syntax: "CDUP"},
		"QUIT": {run: (*session).quit, syntax: "QUIT"},
	}
}

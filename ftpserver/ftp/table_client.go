package ftp

// clientCommands: what clients tell of themselves and ask of the session as a
// whole (RFC 959 §4.1.1, RFC 2640 §4, and two that no RFC describes).
func clientCommands() map[string]*command {
	return map[string]*command{
		"REIN": {run: (*session).rein, begins: true, bare: true, syntax: "REIN"},
		"ACCT": {run: (*session).acct, login: true, arg: true, syntax: "ACCT account"},
		"CLNT": {run: (*session).clnt, arg: true, words: true, syntax: "CLNT name"},
		"CSID": {run: (*session).csid, arg: true, words: true, syntax: "CSID Name=name;Version=version;"},
		"LANG": {run: (*session).lang, words: true, syntax: "LANG [EN]"},
	}
}

// refusedCommands are known, so that a client is told exactly why it can't have
// them (RFC 959 §4.1.1, RFC 2228 §3).
func refusedCommands() map[string]*command {
	return map[string]*command{
		"SMNT": {run: (*session).smnt, refused: true, login: true, arg: true, syntax: "SMNT path"},
		"CCC":  {run: (*session).ccc, refused: true, bare: true, syntax: "CCC"},
		"ADAT": {run: (*session).adat, refused: true, arg: true, words: true, syntax: "ADAT data"},
		"MIC":  {run: (*session).protectedCommand, refused: true, arg: true, words: true, syntax: "MIC command"},
		"CONF": {run: (*session).protectedCommand, refused: true, arg: true, words: true, syntax: "CONF command"},
		"ENC":  {run: (*session).protectedCommand, refused: true, arg: true, words: true, syntax: "ENC command"},
	}
}

// confidential are the commands whose argument no log shows.
var confidential = map[string]bool{"PASS": true, "ACCT": true, "ADAT": true, "MIC": true, "CONF": true, "ENC": true}

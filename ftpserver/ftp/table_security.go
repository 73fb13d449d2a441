package ftp

// securityCommands: security (RFC 2228, 4217).
func securityCommands() map[string]*command {
	return map[string]*command{
		"AUTH": {run: (*session).auth, begins: true, arg: true, words: true, syntax: "AUTH TLS"},
		"PBSZ": {run: (*session).pbsz, arg: true, words: true, syntax: "PBSZ 0"},
		"PROT": {run: (*session).prot, arg: true, words: true, syntax: "PROT C|P"},
	}
}

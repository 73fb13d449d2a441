package ftp

// contentCommands: what is in files and what is known of them, beyond RFC 959.
func contentCommands() map[string]*command {
	t := map[string]*command{
		"STOU": {run: (*session).stou, data: true, login: true, needs: toStoreNew, syntax: "STOU [name]"},
		"MFMT": {run: (*session).mfmt, login: true, arg: true, needs: toSet, syntax: "MFMT YYYYMMDDHHMMSS path"},
		"MFF":  {run: (*session).mff, login: true, arg: true, needs: toSet, syntax: "MFF Modify=YYYYMMDDHHMMSS;UNIX.mode=0644; path"},
		"SITE": {run: (*session).site, login: true, arg: true, needs: toSet, syntax: "SITE command: see SITE HELP"},
		"AVBL": {run: (*session).avbl, login: true, needs: toTellSpace, syntax: "AVBL [directory]"},
		"COMB": {run: (*session).comb, login: true, arg: true, needs: toCombine, syntax: `COMB "target" "source" ...`},
		"HASH": {run: (*session).hashFile, login: true, arg: true, ranged: true, needs: toRead, syntax: "HASH file"},
		"RANG": {run: (*session).setRange, login: true, arg: true, syntax: "RANG first last"},
	}
	for verb, name := range checksumVerbs {
		t[verb] = &command{run: checksum(name), login: true, arg: true, needs: toRead, syntax: verb + ` "file" [[start] end]`}
	}
	return t
}

// contentFeatures are their lines in FEAT (RFC 2389 §3.2).
func (s *session) contentFeatures() []string {
	return []string{
		"AVBL", `COMB "target" "source"`, "HASH " + s.hash.describe(), "MFF Modify;UNIX.mode;", "MFMT", "RANG STREAM",
		"SITE CHMOD", "SITE UTIME", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512",
	}
}

package telemetry

import "strings"

// otherVerb stands for every command that is not FTP's, so that a client can't
// invent series.
const otherVerb = "other"

// knownVerbs are the commands of RFC 959, 2228, 2389, 2428, 3659, 7151 and the
// X forms of RFC 1123, with what clients commonly send besides.
var knownVerbs = func() map[string]struct{} {
	const verbs = `ABOR ACCT ADAT ALLO APPE AUTH AVBL CCC CDUP CLNT COMB CONF CSID CWD DELE ENC EPRT EPSV
		FEAT HASH HELP HOST LANG LIST LPRT LPSV MDTM MFCT MFF MFMT MIC MKD MLSD MLST
		MODE NLST NOOP OPTS PASS PASV PBSZ PORT PROT PWD QUIT RANG REIN REST RETR RMD
		RNFR RNTO SITE SIZE SMNT STAT STOR STOU STRU SYST TYPE USER
		XCRC XCUP XCWD XMD5 XMKD XPWD XRMD XSHA XSHA1 XSHA256 XSHA512`
	m := make(map[string]struct{})
	for v := range strings.FieldsSeq(verbs) {
		m[v] = struct{}{}
	}
	return m
}()

func verbLabel(verb string) string {
	if _, ok := knownVerbs[verb]; ok {
		return verb
	}
	return otherVerb
}

// codeClass folds reply codes by their first digit (RFC 959 §4.2).
func codeClass(code int) string {
	switch {
	case code >= 100 && code < 200:
		return "1xx"
	case code >= 200 && code < 300:
		return "2xx"
	case code >= 300 && code < 400:
		return "3xx"
	case code >= 400 && code < 500:
		return "4xx"
	case code >= 500 && code < 600:
		return "5xx"
	}
	return "none"
}

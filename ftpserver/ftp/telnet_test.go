package ftp

import "testing"

// TestTelnetInNames: a byte 255 is part of a name doubled or alone, wherever it is;
// commands of Telnet are not.
func TestTelnetInNames(t *testing.T) {
	for line, want := range map[string]string{
		"DELE f\xff\xff":           "DELE f\xff",
		"DELE f\xff":               "DELE f\xff",
		"DELE f\xffg":              "DELE f\xffg",
		"DELE f\xff\xff\xff":       "DELE f\xff\xff",
		"\xff\xf4\xff\xf2ABOR":     "ABOR",
		"NOOP\xff":                 "NOOP",
		"NO\xff\xf1OP":             "NOOP",
		"NOOP\xff\xfd\x01":         "NOOP",
		"NOOP\xff\xfa\x18\xff\xf0": "NOOP",
	} {
		if text, _ := readTelnet([]byte(line)); string(text) != want {
			t.Errorf("%q is read as %q, want %q", line, text, want)
		}
	}
}

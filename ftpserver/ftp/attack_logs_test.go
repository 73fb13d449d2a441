package ftp

import (
	"testing"
)

// TestAttackLogs: without a login, nobody has the server write lines to its log
// for as long as a connection lasts.
func TestAttackLogs(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string]*client{"in clear": b.connect(), "TLS": b.loginTLS()} {
		before := b.log.lines("")
		for range 500 {
			c.sends(t, "CLNT somebody\r\nCSID Name=x;Version=1;\r\nREIN\r\nHELP\r\nUSER alice\r\nUSER bob\r\nSTAT\r\nLIST\r\nHOST nowhere\r\n")
			for _, begins := range []string{"200", "200", "220", "214", "331", "331", "530", "530", "5"} {
				c.expect(begins)
			}
		}
		if n := b.log.lines("") - before; n > 10 {
			t.Errorf("%s: %d lines in the log", name, n)
		}
		if !b.log.logged("level=INFO", "Client named itself", "name=somebody") {
			t.Errorf("%s: the log does not tell what the client is", name)
		}
		c.do("QUIT", "221")
	}
	b.goesOn()
}

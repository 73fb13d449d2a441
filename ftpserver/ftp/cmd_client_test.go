package ftp

import (
	"log/slog"
	"strings"
	"testing"
)

// TestClientNamed: what a client calls itself is logged once, on one line, and
// not without end.
func TestClientNamed(t *testing.T) {
	b := newBench(t, nil)
	c := b.connect()
	c.do("CLNT Example\x1b[31m \"2.0\" "+strings.Repeat("x", 1000), "200")
	c.do("CSID Name=Another;", "200")
	if !b.log.logged("Client named itself", "Example?[31m") {
		t.Error("the name is not in the log")
	}
	if b.log.logged("Another") || b.log.logged(strings.Repeat("x", maxClientName)) {
		t.Error("the log holds more than the beginning of the first name")
	}
}

// TestConfidentialArguments: what may be a secret is in no log, at any level.
func TestConfidentialArguments(t *testing.T) {
	var log logBuffer
	s := &session{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, verb := range []string{"PASS", "ACCT", "ADAT", "MIC", "CONF", "ENC"} {
		if commands[verb] == nil {
			t.Errorf("%s is no command", verb)
		}
		s.logCommand(verb, "c0nfidential", true)
	}
	s.logCommand("PSAS", "c0nfidential", false)
	if !log.logged("verb=ACCT") || log.logged("c0nfidential") {
		t.Error(log.String())
	}
}

// TestReinKeepsTLS: the connection stays secured, and data connections are in
// clear until PROT P says otherwise, as after the handshake.
func TestReinKeepsTLS(t *testing.T) {
	b := newBench(t, allowModeZ)
	b.file("file", "content")
	c := b.loginTLS()
	c.do("MODE Z", "200")
	data := c.begin("STOR up")
	c.send("REIN")
	must(t, data.Close()) // an empty file is no stream
	c.expect("426")
	c.expect("220 ")
	c.do("AUTH TLS", "503")
	c.do("PROT P", "503 Send PBSZ 0 first")
	c.do("PBSZ 0", "200")
	c.do("PROT P", "200")
	c.login()
	if got, reply := c.download("RETR file"); got != "content" {
		t.Errorf("%q comes, %s", got, reply)
	}
}

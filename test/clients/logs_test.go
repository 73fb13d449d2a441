package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestLogs: one line for each transfer that tells what happened, and nowhere,
// at the most talkative level, a password.
func TestLogs(t *testing.T) {
	t.Parallel()
	s := newServer(t, config.TLSOptional, nil)
	s.start()
	target := s.target()
	target.TLS = ftpclient.TLS13
	client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: target}
	local := randomFile(t, 12345)
	must(t, client.Upload(soon(t), local, "/a file"))
	must(t, client.Download(soon(t), "/a file", local+".back"))
	_, err := client.List(soon(t), "/")
	must(t, err)
	if client.Download(soon(t), "/missing", local+".missing") == nil {
		t.Error("a missing file was downloaded")
	}
	wrong := s.dial(t, 220)
	wrong.command(331, "USER alice")
	wrong.command(530, "PASS almost "+password)
	_ = s.accepts(t, "nobody", password)

	lines := s.log.find("Transfer", nil)
	if len(lines) != 3 {
		t.Fatalf("%d lines for three transfers: %v", len(lines), lines)
	}
	for i, want := range []string{"STOR /a file 12345", "RETR /a file 12345", "NLST / 8"} {
		e := lines[i]
		if got := fmt.Sprintf("%s %s %d", e.text("verb"), e.text("path"), e.number("bytes")); got != want {
			t.Errorf("line %d is of %q, want %q", i, got, want)
		}
		if e.text("user") != "alice" || e.text("outcome") != "complete" || e.number("reply") != 226 || e["tls"] != true || e.text("client") == "" || e["seconds"] == nil {
			t.Errorf("line %d tells %v", i, e)
		}
	}
}

// secrets must never be in a log, whatever the test. They are parts of the
// password and its hash that no encoding changes.
func secrets() []string {
	hash, _ := passwordHash()
	return []string{"w %o#rd", hash[strings.LastIndexByte(hash, '$')+1:]}
}

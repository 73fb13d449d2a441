package ftp

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
)

// TestAttackOtherProtocols: what speaks another protocol, or is made to, as a
// browser is by a page, gets nothing done: not at the control port, not at the
// port for implicit TLS, and not at passive ports. That TLS itself was meant for
// another service is held by TestHandshakeFailures and by TestALPN.
func TestAttackOtherProtocols(t *testing.T) {
	b := newBench(t, implicit)
	b.file("victim", "content")
	login := "USER alice\r\nPASS " + password + "\r\nDELE victim\r\n"
	t.Run("HTTP", func(t *testing.T) { httpSpoken(t, b, login) })
	t.Run("too many lines", func(t *testing.T) { otherLines(t, b, login) })
	t.Run("TLS at the port in clear", func(t *testing.T) { tlsSpoken(t, b) })
	t.Run("within TLS", func(t *testing.T) { httpInTLS(t, b, login) })
	t.Run("at the implicit port", func(t *testing.T) { spokenAtImplicit(t, b, login) })
	t.Run("at passive ports", func(t *testing.T) { spokenAtPassive(t, b, login) })
	t.Run("after a login", func(t *testing.T) { spokenAfterLogin(t, b) })
	if b.content("victim") == "" {
		t.Error("a command was obeyed")
	}
	b.goesOn()
}

// httpRequests hold commands where a page can put them: in the body, in the
// target, in a header.
func httpRequests(commands string) []string {
	var out []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "post", "PROPFIND", "X"} {
		out = append(out, method+" / HTTP/1.1\r\nHost: ftp.example.com:21\r\nContent-Type: text/plain\r\n\r\n"+commands)
	}
	return append(out,
		"GET /\r\n"+commands, // HTTP/0.9
		"POST /%0d%0aUSER HTTP/1.0\r\n"+commands,
		"CONNECT ftp.example.com:21 HTTP/1.1\r\n\r\n"+commands,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+commands,
	)
}

func httpSpoken(t *testing.T, b *bench, commands string) {
	for _, request := range httpRequests(commands) {
		answer := b.says(b.address, request)
		if want := "220 FTP server ready\r\n421 This is an FTP server\r\n"; answer != want {
			t.Errorf("%.20q is answered %q, want %q", request, answer, want)
		}
	}
	if !b.log.logged("level=INFO", "The client does not speak FTP", "protocol=HTTP", "client=127.0.0.1") {
		t.Error("the log does not tell")
	}
}

// otherLines: whatever it is, the session ends after so many lines that are no
// commands, and before that none of them is one.
func otherLines(t *testing.T, b *bench, commands string) {
	r := rand.NewChaCha8([32]byte{7})
	noise := make([]byte, 64<<10)
	_, _ = r.Read(noise)
	for name, sent := range map[string]string{
		"headers of HTTP":   strings.Repeat("Host: ftp.example.com\r\n", maxStrikes) + commands,
		"SMTP":              "EHLO x\r\n" + strings.Repeat("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n", 3) + commands,
		"SSH":               "SSH-2.0-client\r\n" + strings.Repeat("\x00\x00\x05\xdc\x04\x14\n", maxStrikes-1) + commands,
		"Redis":             strings.Repeat("*1\r\n$4\r\n", maxStrikes/2) + commands,
		"JSON":              strings.Repeat("{\"method\": \"x\"}\n", maxStrikes) + commands,
		"empty lines":       strings.Repeat("\r\n", maxStrikes) + commands,
		"lines too long":    strings.Repeat(strings.Repeat("x", maxLine+1)+"\r\n", maxStrikes) + commands,
		"random bytes":      string(noise) + "\n" + commands,
		"among real ones":   strings.Repeat("NOOP\r\nBOGUS\r\nSYST\r\n", maxStrikes) + commands,
		"after a slip each": strings.Repeat("USER alice\r\nPASSWORD x\r\n", maxStrikes) + commands,
	} {
		if answer := b.says(b.address, sent); !strings.HasSuffix(answer, "\r\n421 This is an FTP server\r\n") || strings.Contains(answer, "\r\n230") {
			t.Errorf("%s: answer %q", name, answer)
		}
	}
	if !b.log.logged("level=INFO", "The client does not speak FTP", "protocol=unknown") {
		t.Error("the log does not tell")
	}
	c := b.connect() // who makes fewer mistakes is not sent away
	for range maxStrikes - 1 {
		c.do("BOGUS", "500 Unknown command")
	}
	c.login()
	for range 2 * maxStrikes {
		c.do("BOGUS", "500 Unknown command")
	}
	c.do("QUIT", "221")
}

// tlsSpoken: TLS from the first byte, which is what a client for implicit TLS
// does at the wrong port, and SSL of before 1996.
func tlsSpoken(t *testing.T, b *bench) {
	for range 5 {
		conn := b.dialFrom("127.0.0.1", b.address)
		if err := tls.Client(conn, b.clientTLS()).Handshake(); err == nil {
			t.Error("the handshake succeeded")
		}
		_ = conn.Close()
	}
	answer := b.says(b.address, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"+strings.Repeat("x", 500))
	if want := "220 FTP server ready\r\n421 This is an FTP server\r\n"; answer != want {
		t.Errorf("a hello is answered %q, want %q", answer, want)
	}
	b.loggedEventually("level=INFO", "The client does not speak FTP", "protocol=TLS", "AUTH TLS")
	answer = b.says(b.address, "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\n"+strings.Repeat("BOGUS\r\n", maxStrikes))
	if !strings.HasSuffix(answer, "\r\n421 This is an FTP server\r\n") {
		t.Errorf("SSLv2 is answered %q", answer)
	}
}

// httpInTLS: a request that was led here within TLS, by a client that offers no
// ALPN.
func httpInTLS(t *testing.T, b *bench, commands string) {
	for _, request := range httpRequests(commands) {
		for name, c := range map[string]*client{"AUTH": b.connect(), "implicit": b.connectImplicit()} {
			if name == "AUTH" {
				c.do("AUTH TLS", "234")
				c.handshake()
			}
			c.sends(t, request)
			c.expect("421 This is an FTP server")
			c.ended()
		}
	}
}

// spokenAtImplicit: in clear, nothing is read there.
func spokenAtImplicit(t *testing.T, b *bench, commands string) {
	for _, sent := range append(httpRequests(commands), "SSH-2.0-client\r\n", "EHLO x\r\n", commands, strings.Repeat("\x00", 100)) {
		if answer := b.says(b.implicit, sent); len(answer) > 0 && answer[0] != 21 { // an alert of TLS
			t.Errorf("%.20q is answered %q", sent, answer)
		}
	}
	b.loggedEventually("TLS handshake failed", "The client did not begin TLS")
}

// spokenAtPassive: on ports that nobody awaits, and where somebody else does.
func spokenAtPassive(t *testing.T, b *bench, commands string) {
	for _, p := range b.config.Passive.Ports {
		if answer := b.says(net.JoinHostPort("127.0.0.1", fmt.Sprint(p.Listen)), httpRequests(commands)[0]); answer != "" {
			t.Errorf("at an idle port: %q", answer)
		}
	}
	c := b.loginTLS()
	for _, sent := range append(httpRequests(commands)[:3], "SSH-2.0-client\r\n", commands) {
		conn := c.open()
		c.do("STOR up", "150")
		_, err := io.WriteString(conn, sent)
		must(t, err)
		if answer, _ := io.ReadAll(conn); len(answer) > 0 && answer[0] != 21 {
			t.Errorf("to %.20q: %q", sent, answer)
		}
		c.expect("425 The data connection could not be secured")
		if b.content("up") != "" {
			t.Errorf("%.20q was taken for a file", sent)
		}
	}
	c.do("QUIT", "221")
}

// spokenAfterLogin: a slip of somebody who types ends nothing.
func spokenAfterLogin(t *testing.T, b *bench) {
	c := b.login()
	c.do("GET file", "500 Unknown command")
	c.do("GET / HTTP/1.1", "500 Unknown command")
	c.do("NOOP", "200")
	c.do("QUIT", "221")
}

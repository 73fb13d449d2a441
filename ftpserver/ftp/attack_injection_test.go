package ftp

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// TestAttackInjection: what comes in clear where TLS is about to begin is never
// obeyed, nor answered once it has begun (RFC 4217 §10.1; the class of attacks on
// STARTTLS). What stands behind AUTH TLS in the same piece is dropped; whatever
// comes later is where the handshake should be, which fails.
func TestAttackInjection(t *testing.T) {
	t.Run("in the same piece", injectedBehindAuth)
	t.Run("half a command", injectedHalf)
	t.Run("more than is read at once", injectedMuch)
	t.Run("behind a transfer", injectedBehindATransfer)
	t.Run("between reply and handshake", injectedBetween)
	t.Run("before implicit TLS", injectedBeforeImplicit)
	t.Run("what was chosen in clear", chosenInClear)
}

// injectedBehindAuth: no injected command is obeyed, and no reply to one comes up
// inside of TLS as if it were to the next.
func injectedBehindAuth(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "content")
	for _, injected := range []string{
		"HELP\r\nUSER alice\r\n",
		"USER alice\r\nPASS " + password + "\r\nDELE file\r\n",
		"USER alice\nPASS " + password + "\nDELE file\n",
		"AUTH TLS\r\nUSER alice\r\n",
		"QUIT\r\n",
		"\xff\xfb\x01\r\nPBSZ 0\r\nPROT P\r\n",
		"NOOP\x00\r\n",
	} {
		c := b.connect()
		c.sends(t, "AUTH TLS\r\n"+injected)
		c.expect("234")
		c.handshake()
		c.do("SYST", "215") // not the answer to anything before
		c.do("PASS "+password, "503 Send USER first")
		c.do("PROT P", "503 Send PBSZ 0 first")
		c.do("PWD", "530 Log in first")
		if b.content("file") == "" {
			t.Fatalf("%q was obeyed", injected)
		}
		c.do("QUIT", "221")
	}
	b.goesOn()
}

// injectedHalf: a command is not put together of a half in clear and a half
// inside of TLS, which would be under the client's login.
func injectedHalf(t *testing.T) {
	b := newBench(t, nil)
	c := b.connect()
	c.sends(t, "AUTH TLS\r\nDELE fi")
	c.expect("234")
	c.handshake()
	c.sends(t, "le\r\n")
	c.expect("500 Unknown command")
	c.do("SYST", "215")
	c.do("QUIT", "221")
	b.goesOn()
}

// injectedMuch: what was not read with AUTH TLS is met by the handshake.
func injectedMuch(t *testing.T) {
	b := newBench(t, nil)
	for _, injected := range []string{strings.Repeat("USER alice\r\n", 100), strings.Repeat("x", 3*maxLine)} {
		c := b.connect()
		c.sends(t, "AUTH TLS\r\n"+injected)
		c.expect("234")
		if err := c.shake(); err == nil {
			t.Error("the handshake succeeded behind injected bytes")
		}
	}
	b.loggedEventually("TLS handshake failed", "did not begin TLS")
	b.goesOn()
}

// shake is handshake where it may fail.
func (c *client) shake() error {
	_ = c.raw.SetDeadline(time.Now().Add(patience))
	return tls.Client(c.raw, c.clientTLS()).Handshake()
}

// injectedBehindATransfer: what was read ahead in clear is dropped with the rest.
func injectedBehindATransfer(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	data := c.begin("STOR up")
	c.send("AUTH TLS\r\nHELP\r\nUSER alice")
	waitAhead(t, b)
	must(t, data.Close())
	c.expect("226")
	c.expect("234")
	c.handshake()
	c.do("SYST", "215") // not the answer to HELP
	c.do("PASS "+password, "503")
	c.do("QUIT", "221")
	b.goesOn()
}

// injectedBetween: what comes after 234 was read is no command either: it is
// where TLS should be, also where the client's hello comes behind it.
func injectedBetween(t *testing.T) {
	b := newBench(t, nil)
	for _, injected := range []string{"USER alice\r\n", "NOOP\r\n", "\r\n", "220 Welcome\r\n"} {
		c := b.connect()
		c.do("AUTH TLS", "234")
		c.sends(t, injected)
		if err := c.shake(); err == nil {
			t.Errorf("the handshake succeeded behind %q", injected)
		}
	}
	c := b.connect()
	c.do("AUTH TLS", "234")
	c.sends(t, "NOOP\r\n") // and no more
	c.ended()
	b.loggedEventually("TLS handshake failed", "did not begin TLS")
	b.goesOn()
}

// injectedBeforeImplicit: there, no command in clear is read at all.
func injectedBeforeImplicit(t *testing.T) {
	b := newBench(t, implicit)
	b.file("file", "content")
	answer := b.says(b.implicit, "USER alice\r\nPASS "+password+"\r\nDELE file\r\n")
	if len(answer) > 0 && answer[0] != 21 { // an alert of TLS is all there may be
		t.Errorf("in clear: %q", answer)
	}
	conn, err := net.Dial("tcp", b.implicit)
	must(t, err)
	defer func() { _ = conn.Close() }()
	c := b.over(conn.(*net.TCPConn))
	c.sends(t, "USER alice\r\n")
	if c.shake() == nil {
		t.Error("the handshake succeeded behind injected bytes")
	}
	if b.content("file") == "" {
		t.Error("an injected command was obeyed")
	}
	b.loggedEventually("TLS handshake failed", "did not begin TLS")
	b.goesOn()
	b.connectImplicit().login()
}

// chosenInClear: what was chosen in clear, perhaps by somebody in between, does
// not hold once the connection is secured.
func chosenInClear(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "content")
	c := b.connect()
	c.do("OPTS MLST type;", "200 MLST OPTS type;")
	c.do("CLNT somebody", "200")
	c.secure()
	c.login()
	if got := c.do("MLST file", "250"); !strings.Contains(got, "size=7;") {
		t.Errorf("%s", got)
	}
	c.do("CLNT client", "200")
	if !b.log.logged("Client named itself", "name=client") {
		t.Error("the name that was given in clear holds")
	}
	b.goesOn()
}

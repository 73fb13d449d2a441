package ftp

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackDowngrade: after PROT P no spelling of anything brings data in clear,
// but for PROT C where the server allows that (RFC 4217 §9, RFC 2228 §3).
func TestAttackDowngrade(t *testing.T) {
	for name, protection := range map[string]config.DataProtection{
		"Required": config.DataProtectionRequired, "Optional": config.DataProtectionOptional,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				required(c)
				c.TLS.DataProtection = protection
			})
			b.file("file", "content")
			for _, spelt := range downgrades {
				c := b.loginTLS()
				c.sends(t, spelt.sent+"\r\n")
				reply := c.reply()
				if spelt.mayWork && protection == config.DataProtectionOptional {
					if !strings.HasPrefix(reply, "200") {
						t.Errorf("%q is answered %s", spelt.sent, reply)
					}
					continue
				}
				if !strings.HasPrefix(reply, spelt.begins) {
					t.Errorf("%q is answered %s, want %s", spelt.sent, reply, spelt.begins)
				}
				c.staysPrivate(t, fmt.Sprintf("%q", spelt.sent))
			}
			b.goesOn()
		})
	}
	t.Run("a login anew", downgradeByLogin)
	t.Run("in clear from the beginning", downgradeInClear)
}

var downgrades = []struct {
	sent, begins string
	mayWork      bool // it is PROT C
}{
	{"PROT C", "534", true}, {"prot c", "534", true}, {"pRoT C", "534", true}, {"PROT C ", "534", true},
	{"PROT C  ", "534", true}, {"PROT  C", "534", true}, {"PROT C\t", "534", true}, {"PROT \tC", "534", true},
	{"PR\xff\xf1OT C", "534", true}, {"PROT \xff\xf1C", "534", true},
	{"PROT\tC", "500", false}, {" PROT C", "500", false}, {"PROT,C", "500", false}, {"PROTC", "500", false}, {"XPROT C", "500", false},
	{"PROT", "501", false}, {"PROT ", "501", false}, {"PROT Clear", "504", false}, {"PROT CP", "504", false},
	{"PROT C P", "504", false}, {"PROT C,P", "504", false}, {"PROT \"C\"", "504", false}, {"PROT 0", "504", false},
	{"PROT S", "536", false}, {"PROT E", "536", false}, {"prot s ", "536", false}, {"PROT \xd0\xa1", "504", false},
	{"PROT C\x00", "501", false}, {"PROT P\rC", "501", false},
	{"CCC", "534", false}, {"ccc ", "534", false}, {"PBSZ 0", "200", false}, {"PBSZ 1", "200", false},
	{"PBSZ 4294967296", "200", false}, {"PBSZ -1", "501", false}, {"PBSZ", "501", false},
	{"AUTH TLS", "503", false}, {"AUTH TLS-P", "504", false}, {"AUTH SSL", "504", false}, {"AUTH GSSAPI", "504", false},
	{"AUTH TLS-C", "503", false}, {"ADAT x", "503", false}, {"MIC UFJPVCBD", "537", false}, {"ENC UFJPVCBD", "537", false}, {"CONF UFJPVCBD", "537", false},
	{"OPTS PROT C", "501", false}, {"SITE PROT C", "5", false},
}

// staysPrivate fails unless data connections are secured: who speaks in clear on
// one gets nothing.
func (c *client) staysPrivate(t *testing.T, after string) {
	t.Helper()
	for _, command := range []string{"RETR file", "LIST", "MLSD", "NLST"} {
		conn := c.open()
		c.send(command)
		reply := c.reply()
		if strings.HasPrefix(reply, "521") || strings.HasPrefix(reply, "530") {
			continue // not without PROT P
		}
		if !strings.HasPrefix(reply, "150") {
			t.Fatalf("after %s, %s is answered %s", after, command, reply)
		}
		_, _ = io.WriteString(conn, "what is no TLS\r\n")
		got, _ := io.ReadAll(conn)
		if strings.Contains(string(got), "content") || strings.Contains(string(got), "file") {
			t.Errorf("after %s, %s sent %q in clear", after, command, got)
		}
		c.expect("425 The data connection could not be secured")
	}
}

// downgradeByLogin: REIN takes back PROT P (RFC 4217 §11), and with it all data
// connections, where none may be in clear; USER leaves it as it is.
func downgradeByLogin(t *testing.T) {
	b := newBench(t, required)
	b.file("file", "content")
	c := b.loginTLS()
	c.do("REIN", "220")
	c.do("USER alice", "331") // over TLS as before
	c.do("PASS "+password, "230")
	c.open()
	c.do("RETR file", "521 This server needs secured data connections")
	c.do("PROT P", "503 Send PBSZ 0 first")
	c.open()
	c.do("LIST", "521")
	c = b.loginTLS()
	c.login()
	c.staysPrivate(t, "USER")
	b.goesOn()
}

// downgradeInClear: no login and no data connection where TLS is required, in
// whatever way somebody tries to go on without.
func downgradeInClear(t *testing.T) {
	b := newBench(t, required)
	c := b.connect()
	for _, line := range []string{"USER alice", "user alice", "USER  alice"} {
		c.do(line, "530 This server needs TLS")
		c.do("PASS "+password, "503 Send USER first")
	}
	for line, begins := range map[string]string{"PROT C": "503", "PROT P": "503", "PBSZ 0": "503", "CCC": "533", "EPSV": "530", "LIST": "530"} {
		c.do(line, begins)
	}
	c.do("AUTH SSL", "504")
	c.do("USER alice", "530 This server needs TLS")
	b.goesOn()
}

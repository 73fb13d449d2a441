package ftp

import (
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackBruteForce: whoever guesses passwords gets few tries, however many
// connections they have, and nobody else is locked out by it.
func TestAttackBruteForce(t *testing.T) {
	t.Run("on one connection", bruteOnOne)
	t.Run("as a guest in between", bruteAsAGuest)
	t.Run("at once", bruteAtOnce)
	t.Run("locks out nobody else", bruteAmongOthers)
	t.Run("locks out nobody else where addresses are hidden", bruteWhereHidden)
}

// bruteOnOne ends with the third wrong password, whoever it was for.
func bruteOnOne(t *testing.T) {
	b := newBench(t, guessing)
	for _, names := range [][]string{{"alice", "alice", "alice"}, {"alice", "bob", "nobody"}} {
		c := b.connectFrom("127.0.0.66")
		for _, name := range names {
			c.try(name, "wrong", "530")
		}
		c.ended()
	}
	b.goesOn()
}

// bruteAsAGuest: anonymous logins in between earn no further guesses.
func bruteAsAGuest(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Anonymous = &config.Anonymous{}
		c.Limits.FailedLogins.Mode = config.GuessingOff
	})
	c := b.connect()
	for range maxLoginFailures {
		c.try("anonymous", "x", "230")
		c.try("alice", "wrong", "530")
	}
	c.ended()
	c = b.connect() // a login of one's own begins anew
	for range 2 {
		for range maxLoginFailures - 1 {
			c.try("alice", "wrong", "530")
		}
		c.try("alice", password, "230")
	}
	c.do("QUIT", "221")
	b.goesOn()
}

// bruteAtOnce: of many at one time, no more passwords are looked at than may fail.
func bruteAtOnce(t *testing.T) {
	b := newBench(t, guessing)
	clients := make([]*client, 12)
	for i := range clients {
		clients[i] = b.connectFrom("127.0.0.66")
		clients[i].do("USER alice", "331")
	}
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() {
			_, _ = fmt.Fprintf(c.conn, "PASS wrong\r\n")
			_, _ = c.text.ReadLine()
		})
	}
	all.Wait()
	// On a slow machine, some have waited for their turn for too long.
	late := b.log.lines("Login could not be checked")
	if looked, locked := b.log.lines("wrong password"), b.log.lines(`reason="locked out"`); looked != 3 || locked+late != 9 {
		t.Errorf("%d were looked at, %d locked out and %d too late, want 3 and 9", looked, locked, late)
	}
	b.goesOn()
}

// guess tries passwords of several names from an address until it has had so many
// answers, on as many connections as that takes.
func (b *bench) guess(from string, names []string, tries int) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	for tried := 0; tried < tries; {
		conn, err := d.Dial("tcp", b.address)
		if err != nil {
			b.t.Error(err)
			return
		}
		text := textproto.NewConn(conn)
		_, _, err = text.ReadResponse(220)
		for range maxLoginFailures {
			if err != nil {
				break
			}
			_ = text.PrintfLine("USER %s\r\nPASS guess-%d", names[tried%len(names)], tried)
			_, _, _ = text.ReadResponse(331)
			if code, _, _ := text.ReadResponse(530); code == 230 {
				b.t.Error("a guess was right")
			}
			tried++
		}
		_ = conn.Close()
	}
}

// bruteAmongOthers: while two guess at everybody's password from one address,
// their owners log in from theirs, at any time, and so does a new user. At the
// attacker's address, who has been there before can log in too.
func bruteAmongOthers(t *testing.T) {
	b := newBench(t, guessing)
	c := b.connectFrom("127.0.0.66")
	c.login()
	c.do("QUIT", "221")
	var attackers sync.WaitGroup
	for i := range 2 {
		names := []string{"bob", "nobody", fmt.Sprint("name-", i), "bob"}
		attackers.Go(func() { b.guess("127.0.0.66", names, 12) })
	}
	for range 4 {
		for from, name := range map[string]string{"127.0.0.2": "alice", "127.0.0.3": "bob"} {
			c := b.connectFrom(from)
			c.try(name, password, "230")
			c.do("QUIT", "221")
		}
	}
	attackers.Wait()
	b.connectFrom("127.0.0.66").try("bob", password, "530 Login incorrect")
	b.connectFrom("127.0.0.66").try("alice", password, "230") // was there before
	b.connectFrom("127.0.0.3").try("bob", password, "230")
	if looked := b.log.lines("wrong password") + b.log.lines("unknown user"); looked > 3+3+7 {
		t.Errorf("%d guesses were looked at", looked)
	}
	if !b.log.logged("level=WARN", "Logins locked out", "of=address", "network=127.0.0.66/32") {
		t.Error("the log does not tell of the address")
	}
	b.goesOn()
}

// bruteWhereHidden: where all come from one address, guesses at one user's
// password delay that user alone, and lock out nobody.
func bruteWhereHidden(t *testing.T) {
	b := newBench(t, func(c *config.Config) { guessing(c); hidden(c) })
	b.guess("127.0.0.1", []string{"bob", "nobody"}, 12)
	b.connect().try("bob", password, "230")
	b.connect().try("alice", password, "230")
	if strings.Contains(b.log.String(), "Logins locked out") {
		t.Error("somebody was locked out")
	}
	b.goesOn()
}

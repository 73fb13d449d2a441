package ftp

import (
	"context"
	"fmt"
	"net"
	"net/textproto"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// connectFrom is connect from another address of loopback.
func (b *bench) connectFrom(address string) *client {
	b.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", b.address)
	must(b.t, err)
	c := &client{t: b.t, bench: b, raw: conn.(*net.TCPConn), conn: conn, text: textproto.NewConn(conn)}
	b.t.Cleanup(func() { _ = conn.Close() })
	c.expect("220")
	return c
}

// try sends a name and a password.
func (c *client) try(name, word, begins string) {
	c.t.Helper()
	c.do("USER "+name, "331")
	c.do("PASS "+word, begins)
}

// guessing is as short as tests need it: three failures lock out.
func guessing(c *config.Config) {
	c.Limits.FailedLogins = config.FailedLogins{Delay: time.Millisecond, MaxDelay: time.Millisecond, LockoutAfter: 3, AddressLockoutAfter: 7}
	with(c, "bob", func(*config.User) {})
}

// TestLockout: whoever is locked out is answered as with a wrong password, also
// with the right one; nobody else is, and a new password ends it.
func TestLockout(t *testing.T) {
	b := newBench(t, guessing)
	for _, name := range []string{"alice", "nobody"} {
		c := b.connect()
		for range 3 {
			c.try(name, "wrong", "530 Login incorrect")
		}
		c.ended()
		c = b.connect()
		c.try(name, password, "530 Login incorrect")
		c.try("bob", password, "230")
		if !b.log.logged(`msg="Login refused"`, "user="+name, `reason="locked out"`) {
			t.Errorf("%s: the reason is not logged:\n%s", name, b.log.String())
		}
		if !b.log.logged(`level=WARN msg="Logins locked out"`, "of=user", "network=127.0.0.1/32", "user="+name) {
			t.Errorf("%s: that it began is not logged:\n%s", name, b.log.String())
		}
	}
	b.connectFrom("127.0.0.2").try("alice", password, "230")
	hash, err := passhash.New("renewed")
	must(t, err)
	b.reload(func(c *config.Config) { c.Users[0].PasswordHash = hash })
	b.connect().try("alice", "renewed", "230")
}

// TestLockoutOfAnAddress: whoever tries many names is locked out, but for users
// who have come from there before.
func TestLockoutOfAnAddress(t *testing.T) {
	b := newBench(t, guessing)
	b.login().do("QUIT", "221")
	for i := range 7 {
		b.connect().try(fmt.Sprint("guess", i), "wrong", "530")
	}
	b.connect().try("bob", password, "530 Login incorrect")
	b.connect().try("alice", password, "230")
	b.connectFrom("127.0.0.2").try("bob", password, "230")
}

// longDelay makes a second try wait for longer than any test would.
func longDelay(c *config.Config) {
	c.Limits.FailedLogins = config.FailedLogins{Delay: 15 * time.Second, MaxDelay: 15 * time.Second}
}

// heldBack sends a login that waits for the delay.
func (b *bench) heldBack(word string) *client {
	b.t.Helper()
	c := b.connect()
	c.try("alice", "wrong", "530")
	c.do("USER alice", "331")
	b.server.changed.fire() // what the first try has made
	c.send("PASS " + word)
	eventually(b.t, "the login waits", func() bool {
		b.server.changed.mu.Lock()
		defer b.server.changed.mu.Unlock()
		return b.server.changed.ch != nil
	})
	return c
}

// TestLoginDelay: after a failure, the next try waits, also with the right
// password; a login from elsewhere does not.
func TestLoginDelay(t *testing.T) {
	const delay = 300 * time.Millisecond
	b := newBench(t, func(c *config.Config) {
		c.Limits.FailedLogins = config.FailedLogins{Mode: config.GuessingDelay, Delay: delay, MaxDelay: delay}
	})
	c := b.connect()
	c.try("alice", "wrong", "530")
	began := time.Now()
	c.try("alice", password, "230")
	if took := time.Since(began); took < delay {
		t.Errorf("it took %v, want %v at least", took, delay)
	}
}

// TestDelayIsJudgedAnew when the configuration changes: a new password must not
// wait for what has failed with the old one.
func TestDelayIsJudgedAnew(t *testing.T) {
	b := newBench(t, longDelay)
	began := time.Now()
	c := b.heldBack("renewed")
	hash, err := passhash.New("renewed")
	must(t, err)
	b.reload(func(c *config.Config) { c.Users[0].PasswordHash = hash })
	c.expect("230")
	if took := time.Since(began); took >= 15*time.Second {
		t.Errorf("it waited for %v", took)
	}
	b.reload(func(c *config.Config) { c.Limits.FailedLogins.Mode = config.GuessingOff })
	b.connect().try("alice", "wrong", "530")
	b.connect().try("alice", "renewed", "230") // at once
}

// TestLoginOfASessionThatEnds: one that begins when the end was asked for waits
// for nothing.
func TestLoginOfASessionThatEnds(t *testing.T) {
	b := newBench(t, nil)
	b.connect()
	s := b.server.all()[0]
	ctx, done := s.loginContext()
	if ctx.Err() != nil {
		t.Error("it is over before it has begun")
	}
	done()
	s.end(endNow)
	ctx, done = s.loginContext()
	defer done()
	if ctx.Err() == nil {
		t.Error("it goes on")
	}
}

// TestDelayEndsWithTheSession: the end of the server is not held up.
func TestDelayEndsWithTheSession(t *testing.T) {
	b := newBench(t, longDelay)
	b.heldBack(password)
	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.server.Drain(ctx)
	if took := time.Since(began); took >= 15*time.Second {
		t.Errorf("it waited for %v", took)
	}
}

package ftp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackEnumeration: nobody learns who has a login by what a wrong one is
// answered, nor by how long that takes, which is told by what is computed: one
// hash each time, and the same delay. That a hash takes as long whoever it is
// for is held by ftpserver/auth.
func TestAttackEnumeration(t *testing.T) {
	t.Run("by replies and by work", enumeratedByReplies)
	t.Run("by a password that is remembered", enumeratedByMemory)
	t.Run("by a lockout", enumeratedByLockout)
}

// watchHashes counts what the server hashes from here on.
func (b *bench) watchHashes() *counted {
	b.server.mu.Lock() // which each new session passes
	defer b.server.mu.Unlock()
	v := &counted{Verifier: b.server.Verifier}
	b.server.Verifier = v
	return v
}

// hashes is how often anything was hashed, or looked up.
func (c *counted) hashes() int32 { return c.remembering.Load() + c.anew.Load() + c.dummy.Load() }

// enumeratedByReplies: all who can't log in, and who can with a wrong password.
func enumeratedByReplies(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		guessing(c)
		with(c, "suspended", func(u *config.User) { u.Login = config.LoginSuspended })
		with(c, "expired", func(u *config.User) { u.ExpiresAt = time.Now().Add(-time.Hour) })
		with(c, "elsewhere", func(u *config.User) { u.AllowedCIDRs = []string{"10.0.0.0/8"} })
		c.Limits.FailedLogins.AddressLockoutAfter = 1000
	})
	v := b.watchHashes()
	var delays [][]time.Duration
	for name, reason := range map[string]string{
		"alice": "wrong password", "nobody": "unknown user", "suspended": "not enabled", "expired": "expired", "elsewhere": "address not allowed",
		"anonymous": "unknown user", "ftp": "unknown user", "ALICE": "unknown user", "alice ": "unknown user", "../alice": "unknown user",
		"root": "unknown user", strings.Repeat("x", 5000): "unknown user",
	} {
		word := password // the right one of all who are configured
		if name == "alice" {
			word = "wrong"
		}
		from := fmt.Sprintf("127.0.1.%d", len(delays)+1) // as failures at one address add up
		c := b.connectFrom(from)
		var delay []time.Duration
		for range maxLoginFailures {
			before := v.hashes()
			c.do("USER "+name, "331 Password please")
			if got := c.do("PASS "+word, "530"); got != "530 Login incorrect" {
				t.Errorf("%.20q is answered %q", name, got)
			}
			if n := v.hashes() - before; n != 1 {
				t.Errorf("%.20q: %d hashes", name, n)
			}
			delay = append(delay, b.delayOf(name, from))
		}
		delays = append(delays, delay)
		if !slices.Equal(delay, delays[0]) || delay[1] <= delay[0] {
			t.Errorf("%.20q is held back for %v, another for %v", name, delay, delays[0])
		}
		c.ended()
		user := strings.TrimSpace(name[:min(len(name), 20)])
		if !b.log.logged(`msg="Login refused"`, user, fmt.Sprintf("reason=%q", reason)) && !b.log.logged(`msg="Login refused"`, user, "reason="+reason) {
			t.Errorf("%.20q: the reason is not logged", name)
		}
		c = b.connectFrom(from) // it is locked out by now
		before := v.hashes()
		c.do("USER "+name, "331 Password please")
		if got := c.do("PASS "+word, "530"); got != "530 Login incorrect" || v.hashes()-before != 1 {
			t.Errorf("%.20q, locked out, is answered %q after %d hashes", name, got, v.hashes()-before)
		}
		c.do("QUIT", "221")
	}
	b.reload(func(c *config.Config) { c.Limits.FailedLogins.Mode = config.GuessingOff })
	b.goesOn()
}

// delayOf is how long the next try of a name from an address would be held back,
// by a policy whose delays are told from the time of the test.
func (b *bench) delayOf(name, from string) time.Duration {
	b.t.Helper()
	now := b.source.Current()
	all := b.server.all()
	s := all[slices.IndexFunc(all, func(s *session) bool { return s.client.String() == from })]
	slow := policy(now.Config.Limits.FailedLogins)
	slow.Delay, slow.MaxDelay = time.Hour, 100*time.Hour
	name = name[:min(len(name), config.MaxUsernameLength+1)]
	return b.server.guesses.Delay(slow, s.attempt(now, name, s.candidate(now, name))).Round(time.Hour)
}

// enumeratedByMemory: a login that is refused whatever the password takes its
// time also where the right one is remembered: else the time would tell that it
// is right.
func enumeratedByMemory(t *testing.T) {
	for name, narrow := range map[string]func(*config.User){
		"suspended": func(u *config.User) { u.Login = config.LoginSuspended },
		"expired":   func(u *config.User) { u.ExpiresAt = time.Now().Add(-time.Hour) },
		"elsewhere": func(u *config.User) { u.AllowedCIDRs = []string{"10.0.0.0/8"} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			v := b.watchHashes()
			b.login().do("QUIT", "221") // from here on, the password is remembered
			b.reload(func(c *config.Config) { narrow(&c.Users[0]) })
			b.refused("alice")
			if r, a, d := v.remembering.Load(), v.anew.Load(), v.dummy.Load(); r != 1 || a != 1 || d != 0 {
				t.Errorf("%d with the memory, %d anew, %d dummies, want 1, 1, 0", r, a, d)
			}
			b.refused("nobody")
			if d := v.dummy.Load(); d != 1 {
				t.Errorf("%d dummies for a user that does not exist", d)
			}
		})
	}
}

// enumeratedByLockout: a login that is locked out is hashed, and is not looked up
// in the memory: the time tells neither the lockout nor that a password is right.
func enumeratedByLockout(t *testing.T) {
	b := newBench(t, guessing)
	b.login().do("QUIT", "221") // the password is remembered
	c := b.connect()
	for range 3 {
		c.try("alice", "wrong", "530")
	}
	c.ended()
	v := b.watchHashes()
	c = b.connect()
	c.try("alice", password, "530")
	c.try("alice", "wrong", "530")
	if r, a, d := v.remembering.Load(), v.anew.Load(), v.dummy.Load(); r != 0 || a != 2 || d != 0 {
		t.Errorf("%d with the memory, %d anew, %d dummies, want 0, 2, 0", r, a, d)
	}
}

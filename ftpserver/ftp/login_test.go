package ftp

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// with is another user like the first of the configuration.
func with(c *config.Config, name string, edit func(*config.User)) {
	u := config.User{Name: name}
	edit(&u)
	addUsers(c, u)
}

// TestLoginsThatAreRefused look like a wrong password to the client, and are
// told apart in the log.
func TestLoginsThatAreRefused(t *testing.T) {
	narrowed := map[string]struct {
		edit   func(*config.User)
		reason string // "": none
	}{
		"suspended": {func(u *config.User) { u.Login = config.LoginSuspended }, "not enabled"},
		"expired":   {func(u *config.User) { u.ExpiresAt = time.Now().Add(-time.Hour) }, "expired"},
		"elsewhere": {func(u *config.User) { u.AllowedCIDRs = []string{"10.0.0.0/8", "::/0"} }, "address not allowed"},
		"here":      {func(u *config.User) { u.AllowedCIDRs = []string{"10.0.0.0/8", "127.0.0.0/8"} }, ""},
		"mapped":    {func(u *config.User) { u.AllowedCIDRs = []string{"::ffff:127.0.0.0/104"} }, ""},
		"later":     {func(u *config.User) { u.ExpiresAt = time.Now().Add(time.Hour) }, ""},
	}
	b := newBench(t, func(c *config.Config) {
		for name, n := range narrowed {
			with(c, name, n.edit)
		}
	})
	for name, n := range narrowed {
		if n.reason == "" {
			b.loginAs(name)
			continue
		}
		for range 2 { // the second time, the right password could be remembered
			b.refused(name)
		}
		if !b.log.logged(`msg="Login refused"`, "user="+name, n.reason) {
			t.Errorf("%s: the reason %q is not logged:\n%s", name, n.reason, b.log.String())
		}
		c := b.connect()
		c.do("USER "+name, "331 Password please")
		c.do("PASS wrong", "530 Login incorrect")
		if !b.log.logged(`msg="Login refused"`, "user="+name, "wrong password") {
			t.Errorf("%s: that the password was wrong is not logged", name)
		}
	}
	b.refused("nobody")
}

// counted counts how often each method of a Verifier is called.
type counted struct {
	Verifier
	remembering, anew, dummy atomic.Int32
}

func (c *counted) Verify(ctx context.Context, hash, password string) (bool, error) {
	c.remembering.Add(1)
	return c.Verifier.Verify(ctx, hash, password)
}

func (c *counted) VerifyAnew(ctx context.Context, hash, password string) (bool, error) {
	c.anew.Add(1)
	return c.Verifier.VerifyAnew(ctx, hash, password)
}

func (c *counted) Dummy(ctx context.Context, password string) error {
	c.dummy.Add(1)
	return c.Verifier.Dummy(ctx, password)
}

func TestClientIn(t *testing.T) {
	for _, c := range []struct {
		client string
		cidrs  []string
		want   bool
	}{
		{"10.1.2.3", nil, true},
		{"10.1.2.3", []string{"10.0.0.0/8"}, true},
		{"11.1.2.3", []string{"10.0.0.0/8"}, false},
		{"11.1.2.3", []string{"10.0.0.0/8", "11.1.2.3/32"}, true},
		{"10.1.2.3", []string{"::/0"}, false},
		{"10.1.2.3", []string{"::ffff:0:0/96"}, true},
		{"10.1.2.3", []string{"::ffff:10.0.0.0/104"}, true},
		{"11.1.2.3", []string{"::ffff:10.0.0.0/104"}, false},
		{"2001:db8::1", []string{"2001:db8::/32"}, true},
		{"2001:db8::1", []string{"0.0.0.0/0"}, false},
		{"2001:db8::1", []string{"::ffff:0:0/96"}, false},
	} {
		if got := clientIn(netip.MustParseAddr(c.client), c.cidrs); got != c.want {
			t.Errorf("%s in %v: %v", c.client, c.cidrs, got)
		}
	}
}

// TestExpires: sessions end at that instant, with no reload and no command.
func TestExpires(t *testing.T) {
	b := newBench(t, nil)
	idle, busy := b.login(), b.login()
	busy.begin("STOR cut")
	at := time.Now().Add(300 * time.Millisecond)
	b.reload(func(c *config.Config) { c.Users[0].ExpiresAt = at })
	busy.expect("426")
	if early := time.Until(at); early > 0 {
		t.Errorf("the transfer was cut %v too early", early)
	}
	busy.expect("421")
	idle.expect("421")
	idle.ended()
	b.refused("alice")
	if got := b.content("cut"); got != "" {
		t.Errorf("a cut upload is visible: %q", got)
	}
}

// TestExpiryIsMoved: a reload puts it off, and brings it forward.
func TestExpiryIsMoved(t *testing.T) {
	for try := 1; ; try++ { // on a slow machine, the moment can be over before it is put off
		b := newBench(t, nil)
		c := b.login()
		at := time.Now().Add(time.Duration(try) * 300 * time.Millisecond)
		b.reload(func(c *config.Config) { c.Users[0].ExpiresAt = at })
		b.reload(func(c *config.Config) { c.Users[0].ExpiresAt = time.Now().Add(time.Hour) })
		if time.Until(at) <= 0 {
			continue
		}
		for time.Until(at.Add(100*time.Millisecond)) > 0 {
			c.do("NOOP", "200")
		}
		c.do("NOOP", "200")
		b.reload(func(c *config.Config) { c.Users[0].ExpiresAt = time.Now().Add(-time.Second) })
		c.expect("421")
		c.ended()
		return
	}
}

// TestExpiresByTheClock: where the clock was set, no command passes after the
// end of a login, though the timer has not fired.
func TestExpiresByTheClock(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	for _, s := range b.server.all() {
		s.mu.Lock()
		s.expires = time.Now().Add(-time.Second) // as a clock that jumps makes it
		s.mu.Unlock()
	}
	c.do("MKD x", "421")
	c.ended()
}

// TestMaxSessionsChangedMeanwhile: the limit that holds is that of the moment of
// the login, not of when its password was sent.
func TestMaxSessionsChangedMeanwhile(t *testing.T) {
	b := newBench(t, nil)
	b.login()
	c := b.connect()
	c.do("USER alice", "331")
	done := b.heldUp(c)
	b.reload(func(c *config.Config) { c.Users[0].MaxSessions = 1 })
	done()
	c.expect("421 Too many sessions of this user")
}

// TestSeatOfAFailedLogin is given back.
func TestSeatOfAFailedLogin(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "x")
	b.reload(func(c *config.Config) {
		c.Users[0].MaxSessions = 1
		c.Users[0].Paths = []config.PathRule{{Path: "/file", Role: config.RoleReadOnly}}
	})
	failed := b.connect()
	for range 2 {
		failed.do("USER alice", "331")
		failed.do("PASS "+password, "550 Your home directory can't be opened")
	}
	b.reload(func(c *config.Config) { c.Users[0].Paths = nil })
	b.login() // while the session that failed is still there
	third := b.connect()
	third.do("USER alice", "331")
	third.do("PASS "+password, "421 Too many sessions of this user")
}

// TestMaxSessions: counted at login, given back at every kind of end, and a
// lower limit ends nobody.
func TestMaxSessions(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Users[0].MaxSessions = 2
		with(c, "bob", func(*config.User) {})
	})
	full := func() {
		t.Helper()
		c := b.connect()
		c.do("USER alice", "331")
		c.do("PASS wrong", "530") // who does not know the password learns nothing
		c.do("USER alice", "331")
		c.do("PASS "+password, "421 Too many sessions of this user")
		c.ended()
	}
	free := func() {
		t.Helper()
		eventually(t, "a session of alice has ended", func() bool {
			c := b.connect()
			c.do("USER alice", "331")
			c.send("PASS " + password)
			ok := c.reply()[:3] == "230"
			_ = c.conn.Close()
			return ok
		})
		eventually(t, "the try has ended", func() bool { return len(b.server.all()) <= 2 })
	}
	first, second := b.login(), b.login()
	full()
	b.loginAs("bob").do("QUIT", "221") // another user's are others
	first.do("QUIT", "221")
	free()
	first = b.login()
	full()
	must(t, second.raw.SetLinger(0)) // a client that is torn off
	must(t, second.raw.Close())
	free()
	second = b.login()
	second.do("USER bob", "331") // who logs out gives it back too
	third := b.login()
	full()
	b.reload(func(c *config.Config) { c.Users[0].MaxSessions = 1 })
	first.do("NOOP", "200")
	third.do("NOOP", "200")
	b.reload(func(c *config.Config) { c.Users[0].MaxSessions = 3 })
	b.login()
	full()
	if !b.log.logged(`msg="Login refused"`, "user=alice", "too many sessions of the user") {
		t.Error("the reason is not logged")
	}
}

// TestMaxSessionsAtOnce: of many logins at one time, as many pass as may.
func TestMaxSessionsAtOnce(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Users[0].MaxSessions = 3 })
	b.login().do("QUIT", "221") // the password is remembered from here on
	eventually(t, "it has ended", func() bool { return len(b.server.all()) == 0 })
	clients := make([]*client, 12)
	for i := range clients {
		clients[i] = b.connect()
		clients[i].do("USER alice", "331")
	}
	replies := make([]string, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			_, _ = fmt.Fprintf(c.conn, "PASS %s\r\n", password)
			replies[i], _ = c.text.ReadLine()
		})
	}
	wg.Wait()
	in := 0
	for _, r := range replies {
		if r[:3] == "230" {
			in++
		}
	}
	if in != 3 {
		t.Errorf("%d of 3 logged in: %q", in, replies)
	}
}

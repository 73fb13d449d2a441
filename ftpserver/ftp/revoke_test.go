package ftp

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/vfs"
)

// changes are all that can happen to a user, and how sessions end by it.
var changes = map[string]struct {
	change func(t *testing.T, c *config.Config)
	how    ending
}{
	"removed":      {func(_ *testing.T, c *config.Config) { c.Users = c.Users[1:] }, endRevoke},
	"suspended":    {func(_ *testing.T, c *config.Config) { c.Users[0].Login = config.LoginSuspended }, endNow},
	"expired":      {func(_ *testing.T, c *config.Config) { c.Users[0].ExpiresAt = time.Now().Add(-time.Minute) }, endNow},
	"password":     {func(t *testing.T, c *config.Config) { c.Users[0].PasswordHash = anotherHash(t) }, endRevoke},
	"home":         {func(_ *testing.T, c *config.Config) { c.Users[0].Home = "/elsewhere" }, endRevoke},
	"another user": {func(_ *testing.T, c *config.Config) { c.Users[0].UID = "2" }, endRevoke},
	"Admin":        {func(_ *testing.T, c *config.Config) { c.Users[0].Role = config.RoleAdmin }, endRevoke},
	"address":      {func(_ *testing.T, c *config.Config) { c.Users[0].AllowedCIDRs = []string{"192.0.2.0/24"} }, endRevoke},
	"TLS required": {func(_ *testing.T, c *config.Config) { c.TLS.Mode = config.TLSRequired }, endRevoke},
	"role":         {func(_ *testing.T, c *config.Config) { c.Users[0].Role = config.RoleReadOnly }, endNot},
	"paths": {func(_ *testing.T, c *config.Config) {
		c.Users[0].Paths = []config.PathRule{{Path: "/", Role: config.RoleReadOnly}}
	}, endNot},
	"own address":  {func(_ *testing.T, c *config.Config) { c.Users[0].AllowedCIDRs = []string{"127.0.0.0/8"} }, endNot},
	"later expiry": {func(_ *testing.T, c *config.Config) { c.Users[0].ExpiresAt = time.Now().Add(time.Hour) }, endNot},
	"max sessions": {func(_ *testing.T, c *config.Config) { c.Users[0].MaxSessions = 1 }, endNot},
	"limits":       {func(_ *testing.T, c *config.Config) { c.Limits.Sessions, c.Limits.SessionsPerAddress = 1, 1 }, endNot},
	"other user":   {func(_ *testing.T, c *config.Config) { c.Users[1].Login = config.LoginSuspended }, endNot},
	"anonymous":    {func(_ *testing.T, c *config.Config) { c.Anonymous = &config.Anonymous{} }, endNot},
	"ports":        {func(t *testing.T, c *config.Config) { c.Passive.Ports = freePorts(t, 2) }, endNot},
	"addresses": {func(_ *testing.T, c *config.Config) {
		c.Passive.Addresses = []config.PassiveAddress{{Address: "192.0.2.1"}}
	}, endNot},
	"log level":  {func(_ *testing.T, c *config.Config) { c.Log.Level = "Error" }, endNot},
	"TLS 1.3":    {func(_ *testing.T, c *config.Config) { c.TLS.MinVersion = "1.3" }, endNot},
	"no active":  {func(_ *testing.T, c *config.Config) { c.Active = false }, endNot},
	"durability": {func(_ *testing.T, c *config.Config) { c.Storage.Durability = config.DurabilityFull }, endNot},
}

func anotherHash(t *testing.T) string {
	t.Helper()
	hash, err := passhash.New("another")
	must(t, err)
	return hash
}

// TestRevocation holds every change against a session that waits and one that
// transfers: only of a user who is suspended or has expired is a transfer cut.
func TestRevocation(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				c.Active = true
				with(c, "bob", func(*config.User) {})
			})
			idle, busy := b.login(), b.login()
			data := busy.begin("STOR up")
			_, err := io.WriteString(data, "first half, ")
			must(t, err)
			b.reload(func(cfg *config.Config) { c.change(t, cfg) })
			if c.how == endNow {
				busy.expect("426")
				busy.expect("421")
				idle.expect("421")
				return
			}
			if c.how == endRevoke {
				idle.expect("421")
			} else {
				idle.do("PWD", "257")
			}
			_, err = io.WriteString(data, "second half")
			must(t, err)
			must(t, data.Close())
			busy.expect("226")
			if got := b.content("up"); got != "first half, second half" {
				t.Errorf("the upload holds %q", got)
			}
			if c.how == endRevoke {
				busy.expect("421")
				busy.ended()
			} else {
				busy.do("PWD", "257")
			}
		})
	}
}

// TestRoleAndPathsFollow from the next command on.
func TestRoleAndPathsFollow(t *testing.T) {
	b := newBench(t, nil)
	c := b.login()
	c.do("MKD in", "257")
	c.do("CWD in", "250")
	b.reload(func(c *config.Config) {
		c.Users[0].Paths = []config.PathRule{{Path: "/in", Role: config.RoleReadOnly}}
	})
	c.do("MKD x", "550 Permission denied: your role")
	c.do("MKD /x", "257")
	c.do("RNFR /in", "550 A path rule is for this directory")
	b.reload(func(c *config.Config) {
		c.Users[0].Paths = []config.PathRule{{Path: "/made/for/it", Role: config.RoleWriteOnly}}
		c.Users[0].Role = config.RoleReadOnly
	})
	c.do("MKD x", "550")
	c.do("PWD", `257 "/in"`)
	if got := c.upload("STOR /made/for/it/x", "x"); got[:3] != "226" {
		t.Errorf("upload into the drop box: %s", got)
	}
	b.reload(func(c *config.Config) { c.Users[0].Role, c.Users[0].Paths = config.RoleReadWrite, nil })
	c.do("MKD x", "257")
}

// TestRuleThatCannotBe ends the session whose user gets it, and is logged.
func TestRuleThatCannotBe(t *testing.T) {
	b := newBench(t, nil)
	b.file("file", "x")
	c := b.login()
	b.reload(func(c *config.Config) {
		c.Users[0].Paths = []config.PathRule{{Path: "/file", Role: config.RoleReadOnly}}
	})
	c.do("PWD", "421")
	c = b.connect()
	c.do("USER alice", "331")
	c.do("PASS "+password, "550 Your home directory can't be opened")
	if !b.log.logged("level=ERROR", "path rule /file: is not a directory") {
		t.Error("the reason is not logged")
	}
}

// Guests are judged by what is configured for guests.
func TestRevocationOfGuests(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.1")
	was := guest(&config.Anonymous{Home: "/pub", Role: config.RoleReadOnly}, client.String())
	for name, c := range map[string]struct {
		now  *config.Anonymous
		want ending
	}{
		"same": {&config.Anonymous{Home: "/pub", Role: config.RoleReadOnly}, endNot},
		"role": {&config.Anonymous{Home: "/pub", Role: config.RoleWriteOnly}, endNot},
		"home": {&config.Anonymous{Home: "/other", Role: config.RoleReadOnly}, endRevoke},
		"off":  {nil, endRevoke},
	} {
		if got := revocation(was, guest(c.now, client.String()), client, time.Now()); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestChangedWhileThePasswordIsChecked: what has changed meanwhile holds for
// who then logs in, without waiting for a command.
func TestChangedWhileThePasswordIsChecked(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"suspended":    func(c *config.Config) { c.Users[0].Login = config.LoginSuspended },
		"TLS required": func(c *config.Config) { c.TLS.Mode = config.TLSRequired },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			c := b.connect()
			c.do("USER alice", "331")
			done := b.heldUp(c)
			b.reload(change)
			done()
			c.expect("230")
			c.expect("421")
		})
	}
}

// TestIdleSessionsKeepNoUsers: the users of a time that is over can be freed,
// also while sessions of that time wait for a command.
func TestIdleSessionsKeepNoUsers(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Anonymous = &config.Anonymous{} })
	idle := []*client{b.connect(), b.login(), b.loginAs("anonymous")}
	old := weak.Make(b.server.Live.Current())
	for i := range 2 { // what is told of a reload holds what was before
		b.reload(func(c *config.Config) { with(c, fmt.Sprintf("user%d", i), func(*config.User) {}) })
	}
	eventually(t, "the old snapshot is collected", func() bool {
		runtime.GC()
		return old.Value() == nil
	})
	for _, c := range idle {
		c.do("NOOP", "200")
	}
}

// TestExpiryOfWhoWasThereBefore: a reload that comes while somebody else logs in
// does not give them the expiry of the one before.
func TestExpiryOfWhoWasThereBefore(t *testing.T) {
	b := newBench(t, func(c *config.Config) { with(c, "bob", func(*config.User) {}) })
	c := b.login()
	s := b.server.all()[0]
	view := func() *vfs.FS {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.fs
	}
	before := view()
	c.do("USER bob", "331")
	c.do("PASS "+password, "230")
	s.expireView(before, time.Now().Add(-time.Minute))
	c.do("NOOP", "200")
	s.expireView(view(), time.Now().Add(-time.Minute))
	c.expect("421")
}

// heldUp sends the right password, and returns when its check waits for done.
func (b *bench) heldUp(c *client) (done func()) {
	b.t.Helper()
	client := turn{from: origin(c.raw.LocalAddr().(*net.TCPAddr).AddrPort().Addr())}
	done, err := b.server.turns.wait(b.t.Context(), client)
	must(b.t, err)
	c.send("PASS " + password)
	eventually(b.t, "the login waits for its turn", func() bool {
		b.server.turns.mu.Lock()
		defer b.server.turns.mu.Unlock()
		return b.server.turns.lines[client].length == 2
	})
	return done
}

// TestTLSRequiredBetweenUserAndPass: no login in clear comes through, a guest's
// neither.
func TestTLSRequiredBetweenUserAndPass(t *testing.T) {
	for _, name := range []string{"alice", "anonymous"} {
		b := newBench(t, func(c *config.Config) { c.Anonymous = &config.Anonymous{} })
		c := b.connect()
		c.do("USER "+name, "331")
		b.reload(func(c *config.Config) { c.TLS.Mode = config.TLSRequired })
		c.do("PASS "+password, "530 This server needs TLS")
		c.do("PWD", "530")
		c.secure()
		c.do("USER "+name, "331")
		c.do("PASS "+password, "230")
	}
}

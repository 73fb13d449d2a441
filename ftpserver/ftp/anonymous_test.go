package ftp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAnonymous is RFC 1635: any password, one home, one role.
func TestAnonymous(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Anonymous = &config.Anonymous{} })
	must(t, os.MkdirAll(filepath.Join(b.root, "pub"), 0o755))
	must(t, os.WriteFile(filepath.Join(b.root, "pub", "file"), []byte("public"), 0o644))
	for _, name := range []string{"anonymous", "ftp", "Anonymous", "FTP"} {
		for _, password := range []string{"guest@example.org", "", "-x"} {
			c := b.connect()
			c.do("USER "+name, "331 Anonymous login")
			c.do("PASS "+password, "230")
			c.do("TYPE I", "200")
			if got, _ := c.download("RETR file"); got != "public" {
				t.Errorf("%s: %q", name, got)
			}
			c.do("DELE file", "550")
			c.do("STAT", "211-Status\n Logged in as anonymous")
			c.do("QUIT", "221")
		}
	}
	if !b.log.logged("msg=Login ", "user=anonymous") || b.log.logged("guest@example.org") {
		t.Error("the log should tell the login, and not what was given as a password")
	}
	b.reload(func(c *config.Config) { c.Anonymous.Role = config.RoleWriteOnly })
	c := b.loginAs("ftp")
	if got := c.carryOut(true, "RETR file"); got[:3] != "550" {
		t.Errorf("a download from the drop box: %s", got)
	}
	c.do("SIZE file", "550")
	if got := c.upload("STOR new", "x"); got[:3] != "226" {
		t.Errorf("upload: %s", got)
	}
	b.reload(func(c *config.Config) { c.Anonymous = nil })
	c.expect("421") // switched off
	b.refused("anonymous")
}

// TestAnonymousNeedsTLSToo where it is required.
func TestAnonymousNeedsTLSToo(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Anonymous = &config.Anonymous{}
		c.TLS.Mode = config.TLSRequired
	})
	c := b.connect()
	c.do("USER anonymous", "530 This server needs TLS")
	c.do("PASS x", "503")
	c.secure()
	c.do("USER anonymous", "331")
	c.do("PASS x", "230")
}

// TestAUserNamedAnonymous is a user like others.
func TestAUserNamedAnonymous(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Anonymous = &config.Anonymous{}
		with(c, "ftp", func(u *config.User) { u.Home = "/ftp" })
	})
	c := b.connect()
	c.do("USER ftp", "331 Password please")
	c.do("PASS wrong", "530")
	user, guest := b.loginAs("ftp"), b.loginAs("anonymous")
	user.do("STAT", "211-Status\n Logged in as ftp")
	b.reload(func(c *config.Config) { c.Anonymous = nil })
	guest.expect("421")
	user.do("NOOP", "200")
}

// TestGuestsDoNotShareUploads: what one address has begun, another can't go on
// with.
func TestGuestsDoNotShareUploads(t *testing.T) {
	a := &config.Anonymous{Home: "/pub", Role: config.RoleWriteOnly}
	one, two := guest(a, "192.0.2.1"), guest(a, "192.0.2.2")
	b := newBench(t, nil)
	begin := func(c candidate) {
		f, err := b.server.Store.FS(c.User)
		must(t, err)
		defer func() { _ = f.Close() }()
		u, err := f.Create("/part", 0, 0)
		must(t, err)
		must(t, u.Prepare(t.Context()))
		_, err = u.File().WriteString("half")
		must(t, err)
		must(t, u.Interrupt())
	}
	has := func(c candidate) bool {
		f, err := b.server.Store.FS(c.User)
		must(t, err)
		defer func() { _ = f.Close() }()
		_, ok := f.PartialSize("/part")
		return ok
	}
	begin(one)
	if !has(one) || has(two) {
		t.Errorf("one: %v, two: %v", has(one), has(two))
	}
}

// TestGuestsLeaveNoPartials where addresses are hidden: nobody could go on with them,
// and they would fill what guests may have together.
func TestGuestsLeaveNoPartials(t *testing.T) {
	b := newBench(t, func(c *config.Config) {
		c.Anonymous = &config.Anonymous{Role: config.RoleWriteOnly, Home: "/alice"}
		c.Passive.UnverifiedData = config.UnverifiedDataAllow
	})
	for seen, kept := range map[config.ClientAddresses]int{config.ClientAddressesPreserved: 1, config.ClientAddressesHidden: 0} {
		b.reload(func(c *config.Config) { c.Passive.ClientAddresses = seen })
		c := b.loginAs("anonymous")
		c.do("TYPE I", "200")
		c.cut("STOR new", "begin")
		left := b.partials()
		if len(left) != kept {
			t.Errorf("%s: %v stay", seen, left)
		}
		for _, part := range left {
			must(t, os.Remove(part))
		}
	}
}

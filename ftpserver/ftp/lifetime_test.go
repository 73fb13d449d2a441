package ftp

import (
	"context"
	"io"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestDrain: what is under way may finish, with the rename that follows an
// upload, and nothing new begins.
func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	c, idle := b.login(), b.login()
	data := c.begin("STOR up")
	drained := make(chan struct{})
	go func() {
		b.server.Drain(context.Background())
		close(drained)
	}()
	eventually(t, "the drain begins", b.server.Draining)
	idle.do("NOOP", "421")
	_, err := io.WriteString(data, "content")
	must(t, err)
	must(t, data.Close())
	c.expect("226")
	c.do("RNFR up", "350")
	c.do("RNTO there", "250")
	c.do("EPSV", "421")
	<-drained
	if got := b.content("there"); got != "content" {
		t.Errorf("the file holds %q", got)
	}
}

// TestDrainCannotBeHeldUp: commands that lead nowhere do not prolong it.
func TestDrainCannotBeHeldUp(t *testing.T) {
	b := newBench(t, nil)
	b.file("one", "1")
	c := b.login()
	c.do("RNFR one", "350")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go b.server.Drain(ctx)
	eventually(t, "the drain begins", b.server.Draining)
	c.do("NOOP", "200") // the rename is still announced
	c.do("PWD", "257")  // now it is not
	c.do("PWD", "421")
}

// TestChangedUser: a role holds from the next command on; whoever becomes an
// Admin, whose root is another, has to log in again.
func TestChangedUser(t *testing.T) {
	b := newBench(t, func(c *config.Config) { c.Users[0].Role = config.RoleReadOnly })
	c := b.login()
	c.do("MKD one", "550")
	b.reload(func(c *config.Config) { c.Users[0].Role = config.RoleReadWrite })
	c.do("MKD one", "257")
	c.do("CWD one", "250")
	b.reload(func(c *config.Config) { c.Users[0].Role = config.RoleAdmin })
	c.expect("421")
	c = b.login()
	c.do("PWD", `257 "/alice"`)
}

// TestTLSBecomesRequired: sessions in clear end.
func TestTLSBecomesRequired(t *testing.T) {
	b := newBench(t, nil)
	clear, secured := b.login(), b.loginTLS()
	b.reload(func(c *config.Config) { c.TLS.Mode = config.TLSRequired })
	clear.expect("421")
	secured.do("PWD", "257")
}

// TestSteps: RNFR holds for an RNTO that follows, REST for one transfer.
func TestSteps(t *testing.T) {
	b := newBench(t, nil)
	b.file("one", "0123456789")
	c := b.login()
	c.do("RNFR one", "350")
	c.do("PWD", "257")
	c.do("RNTO two", "503")
	c.do("REST 5", "350")
	c.do("MLSD one", "501") // the offset was for this
	data := c.begin("RETR one")
	all, err := io.ReadAll(data)
	must(t, err)
	c.expect("226")
	if string(all) != "0123456789" {
		t.Errorf("after REST for another command it sent %q", all)
	}
}

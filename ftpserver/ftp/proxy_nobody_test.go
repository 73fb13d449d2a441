package ftp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestProxyTellsNobody: a client of whom a header tells nothing is one whose address
// is hidden, also where addresses are not: nothing goes by the balancer's, and its
// data connections come without a header, and have to resume.
func TestProxyTellsNobody(t *testing.T) {
	for _, nobody := range []string{"0.0.0.0", "::"} {
		t.Run(nobody, func(t *testing.T) {
			b := newBenchWith(t, parts{}, func(c *config.Config) {
				trusting(config.ProxyRequired, "127.0.0.1/32")(c)
				c.Limits.SessionsPerAddress = 1
				c.Active = true
				c.Users[0].AllowedCIDRs = []string{"127.0.0.1/32"}
				addUsers(c, config.User{Name: "bob"})
			})
			must(t, os.Mkdir(filepath.Join(b.root, "bob"), 0o755))
			b.connectBy(header(2, "127.0.0.1")).try("alice", password, "230") // who is told of
			b.connectBy(header(1, nobody)).try("alice", password, "530")
			c := b.connectBy(header(2, nobody))
			c.header = ""
			c.tls = b.clientTLS()
			c.tls.ClientSessionCache = &keeper{}
			c.secure()
			c.try("bob", password, "230")
			c.do("TYPE I", "200")
			c.do("EPRT |1|127.0.0.1|40000|", "502")
			port, _ := portOf(c.do("EPSV", "229"))
			if got := c.uploadOn(c.dialWith(fromHere("127.0.0.9"), port), "STOR file", "bob's"); !strings.HasPrefix(got, "226") {
				t.Error(got)
			}
			clear := b.connectBy(header(2, nobody))
			clear.try("bob", password, "230")
			clear.do("EPSV", "425 Nothing would tell whose")
		})
	}
}

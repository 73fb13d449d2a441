package ftp

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestAttackBounce: nobody has the server connect to anything but a port of
// their own (RFC 2577 §3), however it is written, and none is kept for later.
func TestAttackBounce(t *testing.T) {
	for name, f := range map[string]func(*testing.T, *bench){
		"spelt in every way":     bounceSpelt,
		"to the server itself":   bounceToItself,
		"from its own hosts":     bounceFromItsHost,
		"after it was forbidden": bounceAfterReload,
		"under another level":    bounceOtherLevel,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(c *config.Config) {
				c.Active = true
				c.Admin.Listen, c.Admin.Status.Listen = "127.0.0.1:39997", "" // nobody listens there: the number counts
			})
			b.file("file", "USER alice\r\n")
			f(t, b)
			b.goesOn()
		})
	}
}

// portArgument is what PORT says for an address.
func portArgument(address string, port int) string {
	return fmt.Sprintf("%s,%d,%d", strings.ReplaceAll(address, ".", ","), port>>8, port&0xff)
}

func portOfListener(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// target is a service that is attacked; it fails the test when anybody comes.
func target(t *testing.T, address string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	must(t, err)
	came := make(chan struct{})
	go func() {
		defer close(came)
		if conn, err := l.Accept(); err == nil {
			t.Errorf("the server came to %s from %s", address, conn.RemoteAddr())
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-came })
	return portOfListener(l)
}

func bounceSpelt(t *testing.T, b *bench) {
	c := b.login()
	victim := target(t, "127.0.0.2")
	for _, spelt := range []string{
		"PORT " + portArgument("127.0.0.2", victim),
		"port  " + strings.ReplaceAll(portArgument("127.0.0.2", victim), ",", " , "),
		"PORT " + strings.Replace(portArgument("127.0.0.2", victim), "127", "0127", 1),
		"PORT " + portArgument("0.0.0.0", victim),
		"PORT " + portArgument("255.255.255.255", victim),
		"PORT " + portArgument("127.0.0.1", 25),
		"PORT " + portArgument("127.0.0.1", 1023),
		"PORT 127,0,0,1,0,0",
		"PORT 127,0,0,1,256,0",
		"PORT 127,0,0,1,-1,200",
		"PORT 127,0,0,2,4,1\x00",
		fmt.Sprintf("EPRT |1|127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |1|::ffff:127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |2|::ffff:127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |2|::ffff:7f00:2|%d|", victim),
		fmt.Sprintf("EPRT |2|0:0:0:0:0:ffff:127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |2|::127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |2|64:ff9b::127.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |2|::1|%d|", victim),
		fmt.Sprintf("EPRT |1|2130706434|%d|", victim),
		fmt.Sprintf("EPRT |1|0x7f000002|%d|", victim),
		fmt.Sprintf("EPRT |1|0177.0.0.2|%d|", victim),
		fmt.Sprintf("EPRT |1|127.2|%d|", victim),
		fmt.Sprintf("EPRT |1|localhost|%d|", victim),
		fmt.Sprintf("EPRT |1|127.0.0.2%%lo|%d|", victim),
		"EPRT |1|127.0.0.1|25|",
		"EPRT |1|127.0.0.1|0|",
		"EPRT |1|127.0.0.1|65536|",
		fmt.Sprintf("EPRT |1|127.0.0.1|%d|", 65536+22),
	} {
		c.do(spelt, "5")
		c.do("RETR file", "425 Send PASV or EPSV first")
	}
	for _, address := range []string{"127.0.0.2:", "0.0.0.0:", "255.255.255.255:"} {
		if !b.log.logged("level=WARN", "Active connection to another address refused", "="+address) {
			t.Errorf("the log does not tell of %s", address)
		}
	}
}

// bounceToItself: the server's own ports are no client's, though the client may
// have an address that is also the server's.
func bounceToItself(t *testing.T, b *bench) {
	c := b.login()
	own := []int{c.raw.RemoteAddr().(*net.TCPAddr).Port, 39997}
	for _, p := range b.config.Passive.Ports {
		own = append(own, p.Listen)
	}
	for _, port := range own {
		c.do("PORT "+portArgument("127.0.0.1", port), "504 PORT is not allowed to this server")
		c.do(fmt.Sprintf("EPRT |1|::ffff:127.0.0.1|%d|", port), "504 EPRT is not allowed to this server")
		c.do("RETR file", "425 Send PASV or EPSV first")
	}
	if !b.log.logged("level=WARN", "Active connection to the server itself refused", c.raw.RemoteAddr().String()) {
		t.Error("the log does not tell")
	}
	if n := len(b.server.all()); n != 1 {
		t.Errorf("%d sessions: the server has connected to itself", n)
	}
}

// bounceFromItsHost: nor has it come by the name of another address of its host.
func bounceFromItsHost(t *testing.T, b *bench) {
	addresses, err := net.InterfaceAddrs()
	must(t, err)
	i := slices.IndexFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.To4() != nil && !n.IP.IsLoopback()
	})
	from := "127.0.0.9"
	if i >= 0 {
		from = addresses[i].(*net.IPNet).IP.String()
	}
	c := b.connectFrom(from)
	c.login()
	c.do("PORT "+portArgument(from, b.config.Passive.Ports[0].Listen), "504 PORT is not allowed to this server")
	c.do("PORT "+portArgument(from, 50000), "200") // what is nobody's is the client's
}

// bounceAfterReload: a PORT that was accepted serves nobody once active mode is
// switched off, also when it is switched on again.
func bounceAfterReload(t *testing.T, b *bench) {
	victim := target(t, "127.0.0.1")
	for _, secured := range []bool{false, true} {
		c := b.login
		if secured {
			c = b.loginTLS
		}
		s := c()
		s.do("PORT "+portArgument("127.0.0.1", victim), "200")
		b.reload(func(c *config.Config) { c.Active = false })
		for _, command := range []string{"RETR file", "STOR up", "LIST", "MLSD"} {
			s.do("PORT "+portArgument("127.0.0.1", victim), "502 Active mode is switched off")
			s.do(command, "425 Active mode is switched off: use PASV or EPSV")
			b.reload(func(c *config.Config) { c.Active = true })
			s.do(command, "425 Send PASV or EPSV first")
			s.do("PORT "+portArgument("127.0.0.1", victim), "200")
			b.reload(func(c *config.Config) { c.Active = false })
		}
		s.do("LIST", "425 Active mode")
		if got, reply := s.download("RETR file"); got == "" {
			t.Errorf("a passive connection afterwards: %s", reply)
		}
		b.reload(func(c *config.Config) { c.Active = true })
	}
}

// bounceOtherLevel: PORT is forgotten where what it was sent under changes, and
// under PROT P the content goes to nobody who does not do TLS.
func bounceOtherLevel(t *testing.T, b *bench) {
	victim := target(t, "127.0.0.1")
	c := b.loginTLS()
	for _, change := range []string{"PROT C", "PROT P", "USER alice", "REIN"} {
		c.do("PORT "+portArgument("127.0.0.1", victim), "200")
		c.do(change, map[string]string{"USER alice": "331", "REIN": "220"}[change])
		if change == "USER alice" {
			c.do("PASS "+password, "230")
		}
		if change == "REIN" {
			c.login()
		}
		c.do("RETR file", "425 Send PASV or EPSV first")
	}
	c = b.loginTLS()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	c.do("PORT "+portArgument("127.0.0.1", portOfListener(l)), "200")
	c.do("RETR file", "150")
	conn, err := l.Accept()
	must(t, err)
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	must(t, err)
	got := make([]byte, 64)
	n, _ := conn.Read(got)
	if strings.Contains(string(got[:n]), "USER") {
		t.Errorf("in clear: %q", got[:n])
	}
	c.expect("425 The data connection could not be secured")
}

package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// hostsBench has certificates for three names, and the first is for none.
func hostsBench(t *testing.T, edit func(*config.Config)) (b *bench, certs map[string]issued) {
	certs = map[string]issued{
		"a.example.com": issueServer(t, "a.example.com"), "b.example.com": issueServer(t, "b.example.com", "*.b.example.com"),
	}
	b = newBench(t, func(c *config.Config) {
		for _, name := range []string{"a.example.com", "b.example.com"} {
			c.TLS.Certificates = append(c.TLS.Certificates, certs[name].write(t, t.TempDir(), "tls"))
		}
		if edit != nil {
			edit(c)
		}
	})
	return b, certs
}

// shown is the certificate that a client sees which asks for a name by SNI.
func (c *client) shown(sni string) *x509.Certificate {
	c.t.Helper()
	c.tls = &tls.Config{ServerName: sni, InsecureSkipVerify: true}
	c.do("AUTH TLS", "234")
	c.handshake()
	return c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// TestHostChoosesTheCertificate, where there is no SNI; on data connections too.
func TestHostChoosesTheCertificate(t *testing.T) {
	b, certs := hostsBench(t, nil)
	b.file("file", "content")
	for host, want := range map[string]string{"B.Example.Com.": "b.example.com", "x.b.example.com": "b.example.com", "a.example.com": "a.example.com"} {
		c := b.connect()
		c.do("HOST "+host, "220")
		if got := c.shown(""); !got.Equal(certs[want].cert) {
			t.Errorf("HOST %s: the client is shown the certificate of %v", host, got.DNSNames)
		}
		c.login()
		c.do("PBSZ 0", "200")
		c.do("PROT P", "200")
		c.protect = true
		data := c.begin("STOR file").(*tls.Conn)
		if got := data.ConnectionState().PeerCertificates[0]; !got.Equal(certs[want].cert) {
			t.Errorf("HOST %s, data: the client is shown the certificate of %v", host, got.DNSNames)
		}
		must(t, data.Close())
		c.expect("226")
	}
	c := b.connect()
	c.do("HOST x.example.com", "504 Unknown host")
	if got := c.shown(""); len(got.DNSNames) > 0 {
		t.Errorf("after a HOST that was refused: %v", got.DNSNames)
	}
}

// TestReinForgetsTheHost, which is chosen anew.
func TestReinForgetsTheHost(t *testing.T) {
	b, certs := hostsBench(t, nil)
	c := b.connect()
	c.do("HOST a.example.com", "220")
	c.do("REIN", "220")
	if got := c.shown("b.example.com"); !got.Equal(certs["b.example.com"].cert) {
		t.Errorf("the client is shown the certificate of %v", got.DNSNames)
	}
}

// TestHostAndSNI must not contradict each other.
func TestHostAndSNI(t *testing.T) {
	b, certs := hostsBench(t, nil)
	c := b.connect()
	c.do("HOST a.example.com", "220")
	if got := c.shown("a.example.com"); !got.Equal(certs["a.example.com"].cert) {
		t.Error("the same by both")
	}
	c.do("HOST b.example.com", "504 TLS was begun for another host")
	c.do("HOST a.example.com", "220")

	c = b.connect()
	if got := c.shown("b.example.com"); !got.Equal(certs["b.example.com"].cert) {
		t.Error("by SNI alone")
	}
	c.do("HOST a.example.com", "504")
	c.do("HOST b.example.com", "220")

	c = b.connect()
	c.do("HOST a.example.com", "220")
	c.do("AUTH TLS", "234")
	_ = c.raw.SetDeadline(time.Now().Add(patience))
	if err := tls.Client(c.raw, &tls.Config{ServerName: "b.example.com", InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("SNI contradicts HOST, and the handshake succeeds")
	}
	eventually(t, "the log tells why", func() bool { return b.log.logged("TLS handshake failed", "different hosts by HOST and by SNI") })
}

// TestWhichHosts are ours: those that are configured, else those of the
// certificates and the address; without either, all.
func TestWhichHosts(t *testing.T) {
	some := func(c *config.Config) {
		c.Hosts = []string{"ftp.example.com", "*.example.org", "192.0.2.1", "2001:db8::1"}
	}
	for name, tt := range map[string]struct {
		edit func(*config.Config)
		want map[string]string
	}{
		"certificates": {nil, map[string]string{
			"a.example.com": "220", "x.b.example.com": "220", "127.0.0.1": "220", "x.y.b.example.com": "504", "example.com": "504", "[::1]": "504", "192.0.2.1": "504",
		}},
		"configured": {some, map[string]string{
			"FTP.example.com": "220", "a.example.org": "220", "192.0.2.1": "220", "[2001:DB8:0::1]": "220", "a.example.com": "504", "127.0.0.1": "504", "[::1]": "504",
		}},
		"nothing known": {func(c *config.Config) { c.TLS = config.TLS{Mode: config.TLSDisabled} }, map[string]string{"any.example.com": "220", "[::1]": "220", "a b": "501"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := hostsBench(t, tt.edit)
			for host, want := range tt.want {
				b.connect().do("HOST "+host, want)
			}
		})
	}
	b, _ := hostsBench(t, nil)
	c := b.connect()
	c.do("HOST a.example.com", "220")
	b.reload(some)
	c.do("HOST a.example.com", "504") // live
	c.do("USER alice", "331")         // and what was accepted stays
	c.do("PASS "+password, "230")
}

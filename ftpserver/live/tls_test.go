package live

import (
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const (
	certA = "{certFile: a.crt, keyFile: a.key}"
	certB = "{certFile: b.crt, keyFile: b.key}"
)

func withCerts(banner string, certs ...string) string {
	return configured("banner: " + banner + "\ntls: {mode: Required, certificates: [" + strings.Join(certs, ", ") + "]}\n")
}

func TestACertificateThatIsNotThereYet(t *testing.T) {
	d := newDir(t)
	d.issue("a")
	d.write(config.FileName, withCerts("old", certA))
	s := d.open()

	d.write(config.FileName, withCerts("new", certA, certB))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "b.crt: no such file") {
		t.Errorf("Reload = %v", err)
	}
	if got := s.Current(); got.Config.Banner != "new" || len(got.TLS.Statuses()) != 1 {
		t.Errorf("banner %q with %d certificates, want new with one", got.Config.Banner, len(got.TLS.Statuses()))
	}
	d.issue("b")
	mustReload(t, s)
	if got := s.Current(); len(got.TLS.Statuses()) != 2 {
		t.Errorf("%d certificates, want both", len(got.TLS.Statuses()))
	}
}

// A configuration that would turn every client away is not put in force.
func TestAConfigurationWithoutAnyCertificateIsRefused(t *testing.T) {
	for name, before := range map[string]string{
		"other certificates before": withCerts("old", certA),
		"no TLS before":             configured("banner: old\n"),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			d.issue("a")
			d.write(config.FileName, before)
			s := d.open()
			old := s.Current()

			d.write(config.FileName, withCerts("new", certB))
			const want = "tls: mode Required needs a certificate that can be used: b.crt: no such file"
			for range 2 {
				if err := s.Reload(); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Reload = %v, want %q", err, want)
				}
			}
			if got := s.Current(); got.Config != old.Config || got.TLS != old.TLS {
				t.Error("the old configuration is not in force with its certificates")
			}
			if n := d.logged("Configuration file refused"); n != 1 {
				t.Errorf("refused %d times in the log", n)
			}
			d.issue("b")
			mustReload(t, s)
			if got := s.Current(); got.Config.Banner != "new" || got.TLS.Statuses()[0].File != "b.crt" {
				t.Error("the certificate is there, and the configuration still not in force")
			}
		})
	}
}

func TestTLSCanBeSwitchedOff(t *testing.T) {
	d := newDir(t)
	d.issue("a")
	d.write(config.FileName, withCerts("old", certA))
	s := d.open()
	d.write(config.FileName, configured("tls: {mode: Disabled}\n"))
	mustReload(t, s)
	if got := s.Current(); got.TLS != nil || len(got.Files) != 1 {
		t.Errorf("TLS = %v, files = %v", got.TLS, got.Files)
	}
}

// The authorities of clients follow their file; where the file can't be used,
// those in force stay, and a configuration that never had any is refused: it
// would let nobody in, or everybody.
func TestAuthoritiesOfClients(t *testing.T) {
	const asking = "tls: {certificates: [" + certA + "], clientCertificates: {mode: Required, caFile: clients.crt}}\n"
	d := newDir(t)
	ca := d.issue("a")
	d.write(config.FileName, withCerts("old", certA))
	s := d.open()
	old := s.Current()

	d.write(config.FileName, configured(asking))
	const want = "tls: mode Required needs authorities for clients' certificates that can be used: clients.crt: no such file"
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Reload = %v, want %q", err, want)
	}
	if s.Current().Config != old.Config || s.Current().TLS != old.TLS {
		t.Error("the old configuration is not in force")
	}

	d.write("clients.crt", ca)
	mustReload(t, s)
	good := s.Current()
	if good.TLS.AsksClients() != config.ClientCertificatesRequired || status(t, good, "clients.crt").Hash != config.Hash([]byte(ca)) {
		t.Errorf("asks %q, file %+v", good.TLS.AsksClients(), status(t, good, "clients.crt"))
	}
	d.write("clients.crt", "broken")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "clients.crt: holds no certificate") {
		t.Errorf("Reload = %v", err)
	}
	if got := s.Current(); !got.TLS.SameClients(good.TLS) || status(t, got, "clients.crt").Hash != config.Hash([]byte(ca)) {
		t.Error("the old authorities are not in force")
	}
	other := d.issue("b")
	d.write("clients.crt", other)
	mustReload(t, s)
	if s.Current().TLS.SameClients(good.TLS) {
		t.Error("the new authorities are not in force")
	}
}

// The port for implicit TLS follows, but not together with that of listen, which
// does not and by which it was judged.
func TestImplicitTLSFollows(t *testing.T) {
	d := newDir(t)
	d.issue("a")
	with := func(settings string) string {
		return configured("tls: {certificates: [" + certA + "]" + settings + "}\n")
	}
	d.write(config.FileName, with(""))
	s := d.open()
	for _, port := range []string{"990", "991"} {
		d.write(config.FileName, with(", implicit: {listen: '127.0.0.1:"+port+"'}"))
		mustReload(t, s)
		if got := s.Current().Config.TLS.Implicit.Listen; got != "127.0.0.1:"+port {
			t.Errorf("listen = %s", got)
		}
	}
	if n := d.logged("Setting takes effect at the next start", "tls.implicit"); n != 0 {
		t.Error("the log says that it takes a start")
	}
	moved := strings.Replace(with(", implicit: {listen: '127.0.0.1:992'}"), "listen: 127.0.0.1:2121", "listen: 127.0.0.1:993", 1)
	d.write(config.FileName, moved)
	mustReload(t, s)
	if got := s.Current().Config.TLS.Implicit.Listen; got != "127.0.0.1:991" {
		t.Errorf("together with listen, it is %s", got)
	}
	if d.logged("Setting takes effect at the next start", "listen") != 1 || d.logged("Setting takes effect at the next start", "tls.implicit") != 1 {
		t.Error("the log does not say that both take a start")
	}
	d.write(config.FileName, with(""))
	mustReload(t, s)
	if got := s.Current().Config.TLS.Implicit.Listen; got != "" {
		t.Errorf("switched off, it is %s", got)
	}
}

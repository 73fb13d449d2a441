package ftp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// clientsBench asks for certificates of clients, signed by an authority.
type clientsBench struct {
	*bench
	authority issued
	caFile    string
}

func newClientsBench(t *testing.T, mode config.ClientCertificateMode, edit func(*config.Config)) *clientsBench {
	t.Helper()
	authority := issueAuthority(t, "clients")
	caFile := authority.write(t, t.TempDir(), "clients").CertFile
	b := newBench(t, func(c *config.Config) {
		required(c)
		c.TLS.ClientCertificates = config.ClientCertificates{Mode: mode, CAFile: caFile}
		edit(c)
	})
	return &clientsBench{bench: b, authority: authority, caFile: caFile}
}

// connectAs is a session over TLS that shows a certificate; nil shows none.
func (b *clientsBench) connectAs(who *issued, edit func(*tls.Config)) *client {
	b.t.Helper()
	c := b.connect()
	cfg := b.clientTLS()
	if who != nil {
		cfg.Certificates = []tls.Certificate{who.shown()}
	}
	if edit != nil {
		edit(cfg)
	}
	c.tls = cfg
	c.secure()
	return c
}

func known(list ...config.ClientCertificate) func(*config.User) {
	return func(u *config.User) { u.ClientCertificates = list }
}

func alone(list ...config.ClientCertificate) func(*config.User) {
	return func(u *config.User) {
		u.ClientCertificates, u.CertificateLogin = list, config.CertificateLoginWithoutPassword
	}
}

// TestClientCertificates: who may log in as whom, showing what.
func TestClientCertificates(t *testing.T) {
	byName := func(name string) config.ClientCertificate { return config.ClientCertificate{CommonName: name} }
	users := map[string]func(*config.User){
		"bob":   known(byName("robert"), config.ClientCertificate{Email: "bob@example.com"}),
		"carol": alone(config.ClientCertificate{URI: "spiffe://example.com/carol"}),
		"dave":  func(u *config.User) { alone(byName("dave"))(u); u.Login = config.LoginSuspended },
	}
	const (
		in, alsoIn = "230", "232" // with the password; without
		no         = "530 Login incorrect"
	)
	b := newClientsBench(t, config.ClientCertificatesOptional, func(c *config.Config) {
		for name, edit := range users {
			with(c, name, edit)
		}
		c.Anonymous = &config.Anonymous{}
		must(t, os.MkdirAll(filepath.Join(c.Storage.Root, "pub"), 0o755))
	})
	for _, tt := range []struct{ user, shows, want, reason string }{
		{"alice", "", in, ""},
		{"alice", "alice", in, ""},
		{"alice", "bob", no, "client certificate of somebody else"},
		{"alice", "Alice", no, "client certificate of somebody else"},
		{"bob", "", no, "client certificate missing"},
		{"bob", "alice", no, "client certificate of somebody else"},
		{"bob", "bob", in, ""},
		{"bob", "robert", in, ""},
		{"carol", "", no, "client certificate missing"},
		{"carol", "bob", no, "client certificate of somebody else"},
		{"carol", "carol", alsoIn, ""},
		{"dave", "dave", no, "not enabled"},
		{"nobody", "nobody", no, "unknown user"},
		{"anonymous", "alice", in, ""},
		{"anonymous", "", in, ""},
	} {
		t.Run(tt.user+" by "+tt.shows, func(t *testing.T) {
			var who *issued
			if tt.shows != "" {
				cert := issueClient(t, b.authority, tt.shows)
				who = &cert
			}
			b.t = t
			c := b.connectAs(who, nil)
			if tt.want == alsoIn {
				c.do("USER "+tt.user, "232")
				c.do("PASS anything", "202")
				c.do("PWD", "257")
				return
			}
			c.do("USER "+tt.user, "331")
			c.do("PASS "+password, tt.want)
			if tt.reason != "" && !b.log.logged("Login refused", "user="+tt.user, tt.reason) {
				t.Errorf("the log does not say %q:\n%s", tt.reason, b.log.String())
			}
		})
	}
}

// TestClientCertificateRequired: not even a guest comes without one.
func TestClientCertificateRequired(t *testing.T) {
	b := newClientsBench(t, config.ClientCertificatesRequired, implicit)
	c := b.connect()
	c.do("USER alice", "530 This server needs TLS")
	alice := issueClient(t, b.authority, "alice")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := b.connectAs(&alice, func(cfg *tls.Config) { cfg.MaxVersion = version })
		c.login()
		c.upload("STOR file", "content")
		if got, _ := c.download("RETR file"); got != "content" {
			t.Errorf("%x: %q", version, got)
		}
	}
}

// TestFingerprint, as openssl prints it.
func TestFingerprint(t *testing.T) {
	b := newClientsBench(t, config.ClientCertificatesOptional, func(*config.Config) {})
	who, other := issueClient(t, b.authority, "x"), issueClient(t, b.authority, "x")
	sum := sha256.Sum256(who.cert.Raw)
	b.reload(func(c *config.Config) {
		var pairs []string
		for _, one := range sum {
			pairs = append(pairs, fmt.Sprintf("%02X", one))
		}
		known(config.ClientCertificate{SHA256: strings.Join(pairs, ":")})(&c.Users[0])
	})
	b.connectAs(&who, nil).login()
	c := b.connectAs(&other, nil)
	c.do("USER alice", "331")
	c.do("PASS "+password, "530")
	b.reload(func(c *config.Config) {
		known(config.ClientCertificate{SHA256: hex.EncodeToString(sum[:])})(&c.Users[0])
	})
	b.connectAs(&who, nil).login()
}

// TestClientCertificateOnData: a data connection shows the certificate of its
// control connection, or resumes; with any other, or none, nothing is transferred.
func TestClientCertificateOnData(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			b := newClientsBench(t, config.ClientCertificatesOptional, func(*config.Config) {})
			b.file("file", "content")
			alice, bob := issueClient(t, b.authority, "alice"), issueClient(t, b.authority, "bob")
			cache := tls.NewLRUClientSessionCache(4)
			c := b.connectAs(&alice, func(cfg *tls.Config) { cfg.MaxVersion, cfg.ClientSessionCache = version, cache })
			c.login()
			if got, reply := c.download("RETR file"); got != "content" {
				t.Fatalf("%q, %s", got, reply)
			}
			resumed := c.begin("RETR file").(*tls.Conn)
			if !resumed.ConnectionState().DidResume {
				t.Error("the client did not resume")
			}
			_, err := io.ReadAll(resumed)
			must(t, err)
			c.expect("226")

			try := func(who *issued) {
				t.Helper()
				conn := c.open()
				c.do("RETR file", "150")
				cfg := b.clientTLS()
				cfg.MaxVersion = version
				if who != nil {
					cfg.Certificates = []tls.Certificate{who.shown()}
				}
				if data, _ := io.ReadAll(tls.Client(conn, cfg)); len(data) > 0 {
					t.Errorf("received %q", data)
				}
				_ = conn.Close()
				c.expect("425 The data connection could not be secured")
			}
			try(&bob)
			try(nil)
			if !b.log.logged("msg=Transfer", "outcome=failed", "both must show the same") && !b.log.logged("msg=Transfer", "showed no certificate") {
				t.Errorf("the log does not tell why:\n%s", b.log.String())
			}
			if got, _ := c.download("RETR file"); got != "content" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

// TestClientCertificateRevoked: who could not log in any more does not stay.
func TestClientCertificateRevoked(t *testing.T) {
	name := config.ClientCertificate{CommonName: "alice"}
	for what, tt := range map[string]struct {
		before func(*config.User)
		change func(b *clientsBench, c *config.Config)
		stays  bool
	}{
		"the authority changes": {nil, func(b *clientsBench, _ *config.Config) {
			must(b.t, os.WriteFile(b.caFile, issueAuthority(b.t, "next").certPEM(), 0o600))
		}, false},
		"an authority is added": {nil, func(b *clientsBench, _ *config.Config) {
			must(b.t, os.WriteFile(b.caFile, append(issueAuthority(b.t, "next").certPEM(), b.authority.certPEM()...), 0o600))
		}, true},
		"none are asked for": {nil, func(_ *clientsBench, c *config.Config) { c.TLS.ClientCertificates = config.ClientCertificates{} }, false},
		"another is the user's": {nil, func(_ *clientsBench, c *config.Config) {
			known(config.ClientCertificate{CommonName: "bob"})(&c.Users[0])
		}, false},
		"it is named":             {nil, func(_ *clientsBench, c *config.Config) { known(name)(&c.Users[0]) }, true},
		"a password is asked for": {alone(name), func(_ *clientsBench, c *config.Config) { c.Users[0].CertificateLogin = "" }, false},
		"another is added": {alone(name), func(_ *clientsBench, c *config.Config) {
			alone(config.ClientCertificate{CommonName: "x"}, name)(&c.Users[0])
		}, true},
		"another role": {alone(name), func(_ *clientsBench, c *config.Config) { c.Users[0].Role = config.RoleReadOnly }, true},
	} {
		t.Run(what, func(t *testing.T) {
			b := newClientsBench(t, config.ClientCertificatesOptional, func(c *config.Config) {
				if tt.before != nil {
					tt.before(&c.Users[0])
				}
			})
			alice := issueClient(t, b.authority, "alice")
			c := b.connectAs(&alice, nil)
			if tt.before == nil {
				c.login()
			} else {
				c.do("USER alice", "232")
			}
			c.do("PWD", "257")
			b.reload(func(c *config.Config) { tt.change(b, c) })
			if !tt.stays {
				c.expect("421 Your login has changed")
				c.ended()
				return
			}
			c.do("PWD", "257")
			b.reload(func(c *config.Config) { c.Banner = "again" })
			c.do("PWD", "257")
		})
	}
}

// TestClientCertificatesBecomeRequired: those without end, as those in clear do
// when TLS becomes required.
func TestClientCertificatesBecomeRequired(t *testing.T) {
	b := newClientsBench(t, config.ClientCertificatesOptional, func(*config.Config) {})
	alice := issueClient(t, b.authority, "alice")
	without, has, early := b.connectAs(nil, nil), b.connectAs(&alice, nil), b.connectAs(nil, nil)
	without.login()
	has.login()
	b.reload(func(c *config.Config) { c.TLS.ClientCertificates.Mode = config.ClientCertificatesRequired })
	without.expect("421")
	has.do("PWD", "257")
	early.do("USER alice", "331")
	early.do("PASS "+password, "530")
}

// TestRefusedCertificatesAreHashedAnew: the reply to a right password must not
// come sooner where the certificate is wrong.
func TestRefusedCertificatesAreHashedAnew(t *testing.T) {
	b := newClientsBench(t, config.ClientCertificatesOptional, func(*config.Config) {})
	v := &counted{Verifier: b.server.Verifier}
	b.server.Verifier = v
	b.connectAs(nil, nil).login() // from here on, the password is remembered
	bob := issueClient(t, b.authority, "bob")
	c := b.connectAs(&bob, nil)
	c.do("USER alice", "331")
	c.do("PASS "+password, "530")
	if v.anew.Load() != 1 {
		t.Errorf("%d hashed anew, want 1", v.anew.Load())
	}
}

// TestLoginsByCertificateWhileReloading is for the race detector.
func TestLoginsByCertificateWhileReloading(t *testing.T) {
	b := newClientsBench(t, config.ClientCertificatesOptional, func(c *config.Config) {
		alone(config.ClientCertificate{CommonName: "alice"})(&c.Users[0])
	})
	alice := issueClient(t, b.authority, "alice")
	c := b.connectAs(&alice, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			b.reload(func(c *config.Config) { c.Banner = fmt.Sprint("banner ", i) })
		}
	})
	for range 50 {
		c.do("USER alice", "232")
		c.do("PWD", "257")
	}
	cancel()
	reloads.Wait()
}

// TestResumedClientCertificate: a session of TLS that was begun under other
// authorities, or when none was asked for, is no way around those in force.
func TestResumedClientCertificate(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for what, change := range map[string]func(*clientsBench){
			"other authorities": func(b *clientsBench) {
				must(b.t, os.WriteFile(b.caFile, issueAuthority(b.t, "next").certPEM(), 0o600))
			},
			"now required": func(b *clientsBench) { b.config.TLS.ClientCertificates.Mode = config.ClientCertificatesRequired },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				b := newClientsBench(t, config.ClientCertificatesOptional, func(c *config.Config) { c.Users[0].ClientCertificates = nil })
				cert := issueClient(t, b.authority, "alice")
				who := &cert
				if what == "now required" {
					who = nil
				}
				cache := tls.NewLRUClientSessionCache(4)
				resuming := func(cfg *tls.Config) { cfg.MaxVersion, cfg.ClientSessionCache = version, cache }
				b.connectAs(who, resuming).login()
				c := b.connectAs(who, resuming)
				if !c.conn.(*tls.Conn).ConnectionState().DidResume {
					t.Fatal("the client does not resume: there is nothing to try")
				}
				c.login()

				b.reload(func(*config.Config) { change(b) })
				c = b.connect()
				c.do("AUTH TLS", "234")
				cfg := b.clientTLS()
				if who != nil {
					cfg.Certificates = []tls.Certificate{who.shown()}
				}
				resuming(cfg)
				conn := tls.Client(c.raw, cfg)
				_ = c.raw.SetDeadline(time.Now().Add(patience))
				// Of other authorities the client has no certificate, and goes on without.
				refused := what == "now required"
				err := conn.Handshake()
				if err == nil && refused { // TLS 1.3 tells it after the client's part is done
					_, err = conn.Read(make([]byte, 1))
				}
				if (err != nil) != refused || conn.ConnectionState().DidResume {
					t.Errorf("resumed %v, %v", conn.ConnectionState().DidResume, err)
				}
			})
		}
	}
}

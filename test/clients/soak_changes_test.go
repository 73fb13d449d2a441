package clients

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// soakChange is something that an operator does to a running server.
type soakChange struct {
	name string
	do   func(*soak)
}

var soakChanges = []soakChange{
	{"settings changed", (*soak).changeSettings},
	{"broken configurations", (*soak).breakConfig},
	{"users removed and added", (*soak).removeGuest},
	{"users suspended", (*soak).suspendGuest},
	{"passwords changed", (*soak).changePassword},
	{"certificates renewed", (*soak).renewCertificate},
	{"transfer logs rotated", (*soak).rotate},
	{"hang-ups", func(s *soak) { s.server.signal(syscall.SIGHUP) }},
}

// change does one of them, and waits until it holds.
func (s *soak) change() {
	s.t.Helper()
	c := soakChanges[s.rng.IntN(len(soakChanges))]
	c.do(s)
	s.count(c.name, 1)
}

// apply writes the configuration and waits until it is loaded.
func (s *soak) apply() {
	s.t.Helper()
	s.edits++
	s.server.cfg.Banner = fmt.Sprintf("Edit %d", s.edits)
	loaded := s.metric(`ftpserver_config_reloads_total{outcome="loaded"}`)
	s.server.writeConfig()
	eventually(s.t, soakPatience, "the configuration is loaded", func() bool {
		return s.metric(`ftpserver_config_reloads_total{outcome="loaded"}`) > loaded
	})
	s.count("configurations loaded", 1)
}

func (s *soak) metric(name string) float64 {
	s.t.Helper()
	return scrape(s.t, s.server)[name]
}

func (s *soak) changeSettings() {
	s.t.Helper()
	c := &s.server.cfg
	c.Log.Level = []string{"Debug", "Info", "Warn"}[s.rng.IntN(3)]
	c.Storage.Durability = []config.Durability{config.DurabilityFull, config.DurabilityNone}[s.rng.IntN(2)]
	c.Welcome = []string{"", "Hello.\nBe kind."}[s.rng.IntN(2)]
	if s.long && s.rng.IntN(10) == 0 { // one that goes is kept for late connections for more than a minute
		c.Passive.Ports = s.base.Passive.Ports[s.rng.IntN(4):]
	}
	s.apply()
}

// breakConfig writes what can't be used; then all goes on as before.
func (s *soak) breakConfig() {
	s.t.Helper()
	broken := []string{"users: [}", "listen: 1\nnonsense: 2\n", "listen: \"127.0.0.1:0\"\nlimits: {stallTimeout: 1ms}\n", ""}[s.rng.IntN(4)]
	refused := s.metric(`ftpserver_config_reloads_total{outcome="refused"}`)
	path := s.server.configPath()
	s.must(os.WriteFile(path+".new", []byte(broken), 0o600))
	s.must(os.Rename(path+".new", path))
	eventually(s.t, soakPatience, "the broken configuration is refused", func() bool {
		return s.metric(`ftpserver_config_reloads_total{outcome="refused"}`) > refused
	})
	s.apply()
}

// guest is one of the users that are changed.
func (s *soak) guest() *config.User {
	name := fmt.Sprintf("guest%d", s.rng.IntN(soakGuests))
	i := slices.IndexFunc(s.server.cfg.Users, func(u config.User) bool { return u.Name == name })
	return &s.server.cfg.Users[i]
}

func (s *soak) removeGuest() {
	s.t.Helper()
	all, gone := slices.Clone(s.server.cfg.Users), s.guest().Name
	s.server.cfg.Users = slices.DeleteFunc(slices.Clone(all), func(u config.User) bool { return u.Name == gone })
	s.apply()
	s.server.cfg.Users = all
	s.apply()
}

func (s *soak) suspendGuest() {
	s.t.Helper()
	u := s.guest()
	u.Login = config.LoginSuspended
	s.apply()
	u.Login = config.LoginEnabled
	s.apply()
}

func (s *soak) changePassword() {
	s.t.Helper()
	u := s.guest()
	*u = s.newUser(u.Name, fmt.Sprintf("%s%d", soakMark, s.edits))
	s.apply()
}

// renewCertificate replaces certificate and key, and waits until clients see it.
func (s *soak) renewCertificate() {
	s.t.Helper()
	s.edits++
	serial := int64(1000 + s.edits)
	s.server.issuer.issue(s.t, s.server.dir, serial)
	eventually(s.t, soakPatience, "the new certificate is served", func() bool {
		s.count("sessions", 1)
		wire, err := soakDial(s.addr, net.IPv4(127, 0, 0, 1))
		s.must(err)
		defer func() { _ = wire.raw.Close() }()
		_, _, err = wire.expect("connect", 220)
		s.must(err)
		s.must(wire.secure(s.tls, tls.VersionTLS12, true))
		return wire.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64() == serial
	})
}

// xferlog is the file of the log of transfers.
func (s *soak) xferlog() string { return filepath.Join(s.logs(), "xferlog") }

func (s *soak) logs() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log.dir == "" {
		s.log.dir = s.t.TempDir()
	}
	return s.log.dir
}

// rotate takes the log of transfers away, as logrotate does.
func (s *soak) rotate() {
	s.t.Helper()
	s.edits++
	if exists(s.xferlog()) {
		s.must(os.Rename(s.xferlog(), fmt.Sprintf("%s.%d", s.xferlog(), s.edits)))
	}
}

// restore puts back the settings that the run began with. Passwords stay new.
func (s *soak) restore() {
	s.t.Helper()
	c := &s.server.cfg
	c.Log, c.Storage, c.Passive, c.Welcome = s.base.Log, s.base.Storage, s.base.Passive, s.base.Welcome
	s.apply()
}

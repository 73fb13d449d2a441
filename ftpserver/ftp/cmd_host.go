package ftp

import (
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// setHost takes the name by which the client knows this server (RFC 7151 §3). All
// names lead to the same files; the name chooses the certificate where the client
// sends no SNI, and one that is not ours is refused.
func (s *session) setHost(arg string) {
	host, ok := config.NormalHost(arg)
	switch {
	case s.loggedIn() || s.asked != "":
		s.reply(503, "HOST is for before USER")
	case !ok:
		s.reply(501, "HOST needs a host name or an address, IPv6 in brackets, without a port")
	case s.serverName != "" && host != s.serverName:
		s.reply(504, "TLS was begun for another host")
	case !s.knownHost(host):
		s.log.Debug("Unknown host refused", "host", host) // whoever it is may repeat it
		s.reply(504, "Unknown host")
	default:
		s.host = host
		s.reply(220, "Host accepted")
	}
}

// knownHost tells whether a host is one of this server's.
func (s *session) knownHost(host string) bool {
	now := s.server.Live.Current()
	if hosts := now.Config.Hosts; len(hosts) > 0 {
		return config.HostMatches(hosts, host)
	}
	// Without a certificate, nothing says which names are ours.
	return now.TLS == nil || now.TLS.Serves(host) || host == s.local.String()
}

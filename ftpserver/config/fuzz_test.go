package config

import (
	"reflect"
	"slices"
	"testing"
)

// Whatever is decoded is valid, and stays itself when it is written and read.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", minimal, minimal + "users: [{name: a, passwordHash: " + someHash + "}]",
		minimal + "tls: {mode: Optional, certificates: [{certFile: a, keyFile: b}]}\nactive: true\n",
		"listen: ':0'\npassive: {ports: [{slot: 0, listen: 1}], addressPending: true}\nstorage: {root: /, durability: None}\n",
		minimal + "anonymous: {}\nusers: [{name: a, passwordHash: $6$a$b, paths: [{path: /in, role: WriteOnly}, {path: /, role: ReadOnly}], allowedCIDRs: [10.0.0.0/8, '::ffff:0:0/96'], expiresAt: 2027-01-31T18:00:00+02:00, maxSessions: 2}]",
		minimal + "anonymous: {home: /x, role: WriteOnly}\nusers: [{name: a, passwordHash: $2, paths: [], allowedCIDRs: [], expiresAt: 2027-01-31}]",
		minimal + "tls: {implicit: {listen: ':990'}, certificates: [{certFile: a, keyFile: b}], clientCertificates: {mode: Required, caFile: c}, dataProtection: Optional, ocspStapling: Enabled}\nhosts: [a.example.com, '*.b.example.com', '::1']\nusers: [{name: a, passwordHash: $2, clientCertificates: [{commonName: a}, {sha256: '00'}], certificateLogin: WithoutPassword}]\n",
		"listen: ':0'\npassive: {range: 1-2}\nstorage: {root: /, uploads: Direct, umask: 027, overwrite: Deny, hiddenFiles: Hide, names: {allowed: ['*.[a-f]\\*'], denied: [\"?\"]}}\n",
		minimal + "anonymous: {quota: {bytes: 1}}\nusers: [{name: a, passwordHash: $2, quota: {bytes: 9223372036854775807, files: 1}, paths: [{path: /a, role: ReadOnly, uploads: Atomic, overwrite: Allow}]}]",
		minimal + "proxyProtocol: {trusted: [{cidr: 10.0.0.0/8}, {cidr: '::ffff:192.0.2.0/120', mode: Optional}]}\n",
		minimal + "modeZ: Allow\n", "a: &a [*a]", "---\n---\n", "listen: !!int x", "{", "\x00", "banner: |\n  a\n  b\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data, Lenient)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("decoded, but not valid: %v", err)
		}
		written, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(written, Strict)
		if err != nil {
			t.Fatalf("written configuration is refused: %v\n%s", err, written)
		}
		if !reflect.DeepEqual(normal(c), normal(again)) {
			t.Fatalf("written and read: %+v\nwant %+v", again, c)
		}
	})
}

// normal drops the difference between a list that is empty and one that is
// absent.
func normal(c *Config) Config {
	n := *c
	if len(n.Passive.Ports) == 0 {
		n.Passive.Ports = nil
	}
	if len(n.ProxyProtocol.Trusted) == 0 {
		n.ProxyProtocol.Trusted = nil
	}
	if len(n.Passive.Addresses) == 0 {
		n.Passive.Addresses = nil
	}
	for i := range n.Passive.Addresses {
		if len(n.Passive.Addresses[i].ClientCIDRs) == 0 {
			n.Passive.Addresses[i].ClientCIDRs = nil
		}
	}
	if len(n.TLS.Certificates) == 0 {
		n.TLS.Certificates = nil
	}
	if len(n.Hosts) == 0 {
		n.Hosts = nil
	}
	if len(n.Users) == 0 {
		n.Users = nil
	}
	if len(n.Storage.Names.Allowed) == 0 {
		n.Storage.Names.Allowed = nil
	}
	if len(n.Storage.Names.Denied) == 0 {
		n.Storage.Names.Denied = nil
	}
	n.Users = slices.Clone(n.Users)
	for i := range n.Users {
		u := &n.Users[i]
		if len(u.Paths) == 0 {
			u.Paths = nil
		}
		if len(u.ClientCertificates) == 0 {
			u.ClientCertificates = nil
		}
		if len(u.AllowedCIDRs) == 0 {
			u.AllowedCIDRs = nil
		}
		u.ExpiresAt = u.ExpiresAt.UTC() // the same instant, as UTC or as an offset of 0
	}
	return n
}

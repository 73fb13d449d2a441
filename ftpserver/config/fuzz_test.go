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
	if len(n.Users) == 0 {
		n.Users = nil
	}
	n.Users = slices.Clone(n.Users)
	for i := range n.Users {
		u := &n.Users[i]
		if len(u.Paths) == 0 {
			u.Paths = nil
		}
		if len(u.AllowedCIDRs) == 0 {
			u.AllowedCIDRs = nil
		}
		u.ExpiresAt = u.ExpiresAt.UTC() // the same instant, as UTC or as an offset of 0
	}
	return n
}

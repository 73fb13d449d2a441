package config

import (
	"strings"
	"testing"
)

const certs = "certificates: [{certFile: a, keyFile: b}]"

func TestTLSRefuses(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"protection":          {minimal + "tls: {" + certs + ", dataProtection: Maybe}", "tls.dataProtection: \"Maybe\" is not one of Required, Optional"},
		"stapling":            {minimal + "tls: {" + certs + ", ocspStapling: true}", "tls.ocspStapling"},
		"implicit without":    {minimal + "tls: {implicit: {listen: '0.0.0.0:990'}}", "tls.implicit: needs TLS: give tls.certificates"},
		"implicit no port":    {minimal + "tls: {" + certs + ", implicit: {listen: '990'}}", `tls.implicit.listen: "990" is not host:port`},
		"implicit elsewhere":  {with("listen", "127.0.0.1:21") + "\ntls: {" + certs + ", implicit: {listen: '127.0.0.2:990'}}", `tls.implicit.listen: must be on "127.0.0.1" as listen is`},
		"implicit wider":      {with("listen", "127.0.0.1:21") + "\ntls: {" + certs + ", implicit: {listen: ':990'}}", "tls.implicit.listen: must be on"},
		"implicit same port":  {minimal + "tls: {" + certs + ", implicit: {listen: '0.0.0.0:2121'}}", "tls.implicit.listen: port 2121 is that of listen"},
		"clients no mode":     {minimal + "tls: {" + certs + ", clientCertificates: {caFile: c}}", "tls.clientCertificates.mode: give Optional or Required"},
		"clients no file":     {minimal + "tls: {" + certs + ", clientCertificates: {mode: Optional}}", "tls.clientCertificates.caFile: name the PEM file"},
		"clients mode":        {minimal + "tls: {" + certs + ", clientCertificates: {mode: On, caFile: c}}", `"On" is not one of Optional, Required`},
		"clients without":     {minimal + "tls: {clientCertificates: {mode: Optional, caFile: c}}", "tls.clientCertificates: needs TLS"},
		"clients by the side": {minimal + "tls: {mode: Optional, " + certs + ", clientCertificates: {mode: Required, caFile: c}}", "Required needs tls.mode Required"},
		"two ways":            {user("{name: a, passwordHash: $2, clientCertificates: [{commonName: a, email: b}]}"), "users[0].clientCertificates[0]: give exactly one"},
		"no way":              {user("{name: a, passwordHash: $2, clientCertificates: [{}]}"), "users[0].clientCertificates[0]: give exactly one"},
		"fingerprint":         {user("{name: a, passwordHash: $2, clientCertificates: [{sha256: abcd}]}"), "users[0].clientCertificates[0].sha256: must be 64 hexadecimal digits"},
		"too many":            {user("{name: a, passwordHash: $2, clientCertificates: [" + strings.Repeat("{commonName: a},", 33) + "]}"), "must be at most 32, are 33"},
		"login":               {user("{name: a, passwordHash: $2, certificateLogin: Never}"), "users[0].certificateLogin"},
		"login with none":     {user("{name: a, passwordHash: $2, certificateLogin: WithoutPassword}"), "WithoutPassword needs clientCertificates"},
		"handshake timeout":   {minimal + "limits: {handshakeTimeout: 1ms}", "limits.handshakeTimeout"},
		"handshakes":          {minimal + "limits: {handshakes: -1}", "limits.handshakes: must be 1 or more"},
		"host with port":      {minimal + "hosts: ['a:21']", `hosts[0]: "a:21" is neither`},
		"host wildcard":       {minimal + "hosts: [a, 'a.*.b']", `hosts[1]: "a.*.b" is neither`},
	}
	for name, tt := range tests {
		if _, err := Decode([]byte(tt.data), Strict); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestTLSTakes(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		want DataProtection
	}{
		"mode Required":      {"tls: {" + certs + "}", DataProtectionRequired},
		"mode Optional":      {"tls: {mode: Optional, " + certs + "}", DataProtectionOptional},
		"only on secured":    {"tls: {mode: Optional, dataProtection: Required, " + certs + "}", DataProtectionRequired},
		"PROT C after login": {"tls: {dataProtection: Optional, " + certs + "}", DataProtectionOptional},
		"implicit":           {"tls: {implicit: {listen: '127.0.0.1:990'}, " + certs + "}", DataProtectionRequired},
		"implicit any port":  {"tls: {implicit: {listen: ':0'}, " + certs + "}", DataProtectionRequired},
		"clients": {"tls: {clientCertificates: {mode: Required, caFile: c}, " + certs + "}\nusers: [{name: a, passwordHash: $2, certificateLogin: WithoutPassword, clientCertificates: [{uri: 'spiffe://x/a'}, {sha256: '" +
			strings.Repeat("AB:", 31) + "ab'}]}]", DataProtectionRequired},
		"hosts": {"hosts: [ftp.example.com, '*.example.com', 192.0.2.1, '[::1]', '::1']", DataProtectionOptional},
	} {
		c, err := Decode([]byte(minimal+tt.data), Strict)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.TLS.DataProtection != tt.want {
			t.Errorf("%s: data protection %s, want %s", name, c.TLS.DataProtection, tt.want)
		}
	}
}

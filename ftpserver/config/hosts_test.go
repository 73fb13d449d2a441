package config

import (
	"strings"
	"testing"
)

func TestNormalHost(t *testing.T) {
	for host, want := range map[string]string{
		"ftp.example.com": "ftp.example.com", "FTP.Example.COM.": "ftp.example.com", "localhost": "localhost",
		"a_b.example": "a_b.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"192.0.2.1": "192.0.2.1", "[2001:DB8::1]": "2001:db8::1", "[2001:db8:0:0:0:0:0:1]": "2001:db8::1", "::1": "::1",
		"3com.example": "3com.example",
		// no hosts
		"": "", ".": "", "a..b": "", ".a": "", "-a.example": "", "a-.example": "", "a b": "", "ftp.example.com:21": "",
		"[::1": "", "::1]": "", "[::1]:21": "", "[192.0.2.1]": "", "[fe80::1%eth0]": "", "fe80::1%eth0": "",
		"10.0.0.256": "", "10.1": "", "bücher.example": "", "a/b": "", "a\x00b": "",
		strings.Repeat("a", 64) + ".example": "", strings.Repeat("a.", 130) + "a": "",
	} {
		got, ok := NormalHost(host)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", host, got, ok, want)
		}
	}
}

// FuzzNormalHost: what is taken is safe to show, and its normal form is its own.
func FuzzNormalHost(f *testing.F) {
	for _, seed := range []string{"ftp.example.com", "[::1]", "192.0.2.1", "*.example.com", "A.", "[::ffff:1.2.3.4]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		normal, ok := NormalHost(host)
		if !ok {
			return
		}
		if again, ok := NormalHost(normal); !ok || again != normal {
			t.Errorf("%q becomes %q, which becomes %q, %v", host, normal, again, ok)
		}
		if strings.ContainsFunc(normal, func(r rune) bool { return r <= ' ' || r > '~' }) || normal != strings.ToLower(normal) {
			t.Errorf("%q becomes %q", host, normal)
		}
		if !HostMatches([]string{host}, normal) {
			t.Errorf("%q does not match itself", host)
		}
	})
}

func TestHostMatches(t *testing.T) {
	hosts := []string{"FTP.example.com", "*.partners.example.com", "[::1]"}
	for host, want := range map[string]bool{
		"ftp.example.com": true, "a.partners.example.com": true, "::1": true,
		"partners.example.com": false, "a.b.partners.example.com": false, "example.com": false, "xftp.example.com": false,
	} {
		if got := HostMatches(hosts, host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

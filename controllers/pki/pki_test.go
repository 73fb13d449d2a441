package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func authority(t *testing.T) *pki.CA {
	t.Helper()
	pair, err := pki.NewCA("team/files", now, pki.DefaultLifetimes.CA)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCA(pair)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestIssuedCertificateIsVerifiedByTheAuthority(t *testing.T) {
	ca := authority(t)
	pair, err := ca.Issue([]string{"files.shop", "192.0.2.1", "2001:db8::1"}, now, pki.DefaultLifetimes.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(pair.Cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if string(rest) != string(ca.PEM()) {
		t.Error("the chain does not end with the authority")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	for _, name := range []string{"files.shop", "192.0.2.1", "2001:db8::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other", CurrentTime: now}); err == nil {
		t.Error("the certificate holds for a name that it does not have")
	}
}

func TestFits(t *testing.T) {
	ca, other := authority(t), authority(t)
	names := []string{"b", "a", "192.0.2.1"}
	pair, err := ca.Issue(names, now, pki.DefaultLifetimes.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	due := now.Add(pki.DefaultLifetimes.Leaf / 3 * 2)
	for name, tc := range map[string]struct {
		ca    *pki.CA
		names []string
		at    time.Time
		want  bool
	}{
		"as issued":           {ca, names, now, true},
		"names in any order":  {ca, []string{"192.0.2.1", "a", "b"}, now, true},
		"shortly before due":  {ca, names, due.Add(-2 * time.Hour), true},
		"due":                 {ca, names, due, false},
		"a name more":         {ca, append([]string{"c"}, names...), now, false},
		"a name less":         {ca, names[:2], now, false},
		"another authority's": {other, names, now, false},
	} {
		t.Run(name, func(t *testing.T) {
			leaf, err := tc.ca.Inspect(pair)
			if err != nil {
				t.Fatal(err)
			}
			if got := leaf.Fits(tc.names, tc.at); got != tc.want {
				t.Errorf("fits is %v", got)
			}
		})
	}
}

func TestUnusablePairsAreErrors(t *testing.T) {
	ca := authority(t)
	a, errA := ca.Issue([]string{"a"}, now, pki.DefaultLifetimes.Leaf)
	b, errB := ca.Issue([]string{"b"}, now, pki.DefaultLifetimes.Leaf)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	for name, pair := range map[string]pki.KeyPair{
		"nothing":          {},
		"no key":           {Cert: a.Cert},
		"another's key":    {Cert: a.Cert, Key: b.Key},
		"half a file":      {Cert: a.Cert[:100], Key: a.Key},
		"keys only (text)": {Cert: a.Key, Key: a.Key},
	} {
		if _, err := ca.Inspect(pair); err == nil {
			t.Errorf("%s: is taken for a certificate", name)
		}
		if _, err := pki.ParseCA(pair); err == nil {
			t.Errorf("%s: is taken for an authority", name)
		}
	}
	if _, err := pki.ParseCA(a); err == nil {
		t.Error("a server's certificate is taken for an authority")
	}
}

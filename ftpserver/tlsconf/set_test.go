package tlsconf

import (
	"crypto/tls"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

func TestLoadSet(t *testing.T) {
	dir := t.TempDir()
	a, b := issue(t, nil, nil, "a.example.com"), issue(t, nil, nil, "b.example.com", "c.example.com")
	pairs := []config.Certificate{a.writePair(t, dir, "a"), b.writePair(t, dir, "b")}
	// As the operator names a volume beside its own.
	pairs[1].CertFile = "../" + filepath.Base(dir) + "/b.crt"

	s, files, err := LoadSet(dir, config.TLS{Mode: config.TLSRequired, MinVersion: "1.2", Certificates: pairs})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles := []config.FileStatus{
		{Name: "a.crt", Hash: config.Hash([]byte(a.certPEM()))},
		{Name: pairs[1].CertFile, Hash: config.Hash([]byte(b.certPEM()))},
	}
	if !reflect.DeepEqual(files, wantFiles) {
		t.Errorf("files = %v, want %v", files, wantFiles)
	}
	want := []config.CertificateStatus{
		{File: "a.crt", NotAfter: a.cert.NotAfter, DNSNames: []string{"a.example.com"}},
		{File: pairs[1].CertFile, NotAfter: b.cert.NotAfter, DNSNames: []string{"b.example.com", "c.example.com"}},
	}
	if got := s.Statuses(); !reflect.DeepEqual(got, want) {
		t.Errorf("statuses = %v, want %v", got, want)
	}
}

func TestLoadSetTellsAllThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	good := issue(t, nil, nil).writePair(t, dir, "good")
	s, files, err := LoadSet(dir, config.TLS{Mode: config.TLSOptional, Certificates: []config.Certificate{
		{CertFile: "x.crt", KeyFile: "x.key"}, good, {CertFile: "good.crt", KeyFile: "y.key"},
	}})
	if s != nil || err == nil {
		t.Fatalf("LoadSet = %v, %v, want an error", s, err)
	}
	for _, want := range []string{"x.crt: no such file", "good.crt: y.key: no such file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	if len(files) != 3 || files[0].Error == "" || files[1].Error != "" || files[2].Error == "" {
		t.Errorf("files = %+v", files)
	}
}

func TestNoSetWithoutTLS(t *testing.T) {
	dir := t.TempDir()
	on := config.TLS{Mode: config.TLSRequired, Certificates: []config.Certificate{issue(t, nil, nil).writePair(t, dir, "a")}}
	off := on
	off.Mode = config.TLSDisabled
	s, files, err := LoadSet(dir, off)
	if s != nil || files != nil || err != nil {
		t.Errorf("LoadSet = %v, %v, %v, want nothing", s, files, err)
	}
	if s.Statuses() != nil {
		t.Error("a nil Set has certificates")
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	a, b := issue(t, nil, nil), issue(t, nil, nil)
	c := config.TLS{Mode: config.TLSRequired, MinVersion: "1.2",
		Certificates: []config.Certificate{a.writePair(t, dir, "a"), b.writePair(t, dir, "b")}}
	s, _, err := LoadSet(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	if same, _ := s.Reload(dir, c); same != s {
		t.Error("nothing has changed, and yet there is another set")
	}
	stricter := c
	stricter.MinVersion = "1.3"
	if other, _ := s.Reload(dir, stricter); other == s || other.minVersion != tls.VersionTLS13 {
		t.Error("the new lowest version is not in force")
	}

	// One pair is broken, the other renewed: each counts for itself.
	write(t, dir, "a.crt", "broken")
	renewed := issue(t, nil, nil)
	renewed.writePair(t, dir, "b")
	next, files := s.Reload(dir, c)
	if got, want := serials(next), []string{serial(a), serial(renewed)}; !slices.Equal(got, want) {
		t.Errorf("served are %v, want %v", got, want)
	}
	if files[0].Hash != config.Hash([]byte(a.certPEM())) || !strings.HasPrefix(files[0].Error, "holds no PEM block") {
		t.Errorf("the broken pair: %+v, want the old one's hash and the reason", files[0])
	}
	if files[1].Hash != config.Hash([]byte(renewed.certPEM())) || files[1].Error != "" {
		t.Errorf("the renewed pair: %+v", files[1])
	}
}

func TestReloadLeavesOutWhatNeverServed(t *testing.T) {
	dir := t.TempDir()
	a := issue(t, nil, nil)
	pairs := []config.Certificate{a.writePair(t, dir, "a")}
	s, _, err := LoadSet(dir, config.TLS{Mode: config.TLSRequired, Certificates: pairs})
	if err != nil {
		t.Fatal(err)
	}
	missing := config.Certificate{CertFile: "b.crt", KeyFile: "b.key"}
	next, files := s.Reload(dir, config.TLS{Mode: config.TLSRequired, Certificates: []config.Certificate{missing, pairs[0]}})
	if got := serials(next); !slices.Equal(got, []string{serial(a)}) {
		t.Errorf("served are %v, want only %s", got, serial(a))
	}
	if files[0].Hash != "" || files[0].Error == "" {
		t.Errorf("the missing pair: %+v", files[0])
	}
	if none, _ := s.Reload(dir, config.TLS{Mode: config.TLSRequired, Certificates: []config.Certificate{missing}}); none != nil {
		t.Error("there is a set without a certificate")
	}
}

func serials(s *Set) []string {
	var out []string
	for _, p := range s.pairs {
		out = append(out, p.cert.Leaf.SerialNumber.String())
	}
	return out
}

func serial(i issued) string { return i.cert.SerialNumber.String() }

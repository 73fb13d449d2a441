package stapling

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func issue(t testing.TB, by *issued, edit func(*x509.Certificate)) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	edit(template)
	if by == nil {
		by = &issued{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return issued{cert, key}
}

func authority(t testing.TB) issued {
	return issue(t, nil, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
}

// answer is a response about a certificate, good for an hour, as edit changes it.
func answer(t testing.TB, issuer, leaf, by issued, edit func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{
		Status: ocsp.Good, SerialNumber: leaf.cert.SerialNumber,
		ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour),
	}
	if by != issuer {
		r.Certificate = by.cert
	}
	if edit != nil {
		edit(&r)
	}
	der, err := ocsp.CreateResponse(issuer.cert, by.cert, r, by.key)
	must(t, err)
	return der
}

// TestParse: only what a client may rely on is stapled.
func TestParse(t *testing.T) {
	ca, other := authority(t), authority(t)
	leaf := issue(t, &ca, func(*x509.Certificate) {})
	neighbour := issue(t, &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	responder := issue(t, &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	outdated := issue(t, &ca, func(c *x509.Certificate) {
		c.ExtKeyUsage, c.NotAfter = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, time.Now().Add(-time.Minute)
	})
	foreign := issue(t, &other, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	good := answer(t, ca, leaf, ca, nil)

	for name, tt := range map[string]struct {
		body []byte
		want string // of the error; "" for none
	}{
		"good":                     {good, ""},
		"by a responder":           {answer(t, ca, leaf, responder, nil), ""},
		"clock a little ahead":     {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(time.Minute) }), ""},
		"revoked":                  {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, time.Unix(1e9, 0) }), "the certificate is revoked: clients that ask turn away; replace it (since 2001-09-09T01:46:40Z)"},
		"unknown":                  {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.Status = ocsp.Unknown }), "does not know the certificate"},
		"of another certificate":   {answer(t, ca, neighbour, ca, nil), "no response matching"},
		"by another authority":     {answer(t, ca, leaf, other, func(r *ocsp.Response) { r.Certificate = nil }), "bad OCSP signature"},
		"by another's responder":   {answer(t, ca, leaf, foreign, nil), "bad OCSP signature"},
		"by another customer":      {answer(t, ca, leaf, neighbour, nil), "signed by a certificate that is not for OCSP"},
		"by an outdated responder": {answer(t, ca, leaf, outdated, nil), "signed by a certificate that is not valid now"},
		"outdated":                 {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-time.Second) }), "is outdated"},
		"of the future":            {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(10 * time.Minute) }), "is of the future"},
		"without an end":           {answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.NextUpdate = time.Time{} }), "does not say how long"},
		"nothing":                  {nil, "can't be used"},
		"no response":              {[]byte("<html>"), "can't be used"},
		"try later":                {[]byte{0x30, 0x03, 0x0a, 0x01, 0x03}, "can't be used"},
		"cut off":                  {good[:len(good)-1], "can't be used"},
		"with more behind":         {append(append([]byte{}, good...), 0), "can't be used"},
		"too long":                 {make([]byte, maxResponse+1), "longer than"},
	} {
		staple, err := parse(tt.body, leaf.cert, ca.cert, time.Now())
		switch {
		case tt.want == "" && (err != nil || len(staple.Response) == 0 || !staple.Until.After(time.Now())):
			t.Errorf("%s: %+v, %v", name, staple, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzParse: whatever a responder sends, there is no panic, and nothing is taken
// that is not good.
func FuzzParse(f *testing.F) {
	ca := authority(f)
	leaf := issue(f, &ca, func(*x509.Certificate) {})
	responder := issue(f, &ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	good := answer(f, ca, leaf, ca, nil)
	f.Add(good)
	f.Add(answer(f, ca, leaf, responder, nil))
	f.Add(answer(f, ca, leaf, ca, func(r *ocsp.Response) { r.Status = ocsp.Revoked }))
	f.Add([]byte{0x30, 0x03, 0x0a, 0x01, 0x03})
	f.Fuzz(func(t *testing.T, body []byte) {
		staple, err := parse(body, leaf.cert, ca.cert, time.Now())
		if err != nil {
			return
		}
		r, err := ocsp.ParseResponseForCert(staple.Response, leaf.cert, ca.cert)
		if err != nil || r.Status != ocsp.Good {
			t.Fatalf("taken, and is %+v, %v", r, err)
		}
	})
}

// TestFetch: what is asked, and what of the answer is not followed.
func TestFetch(t *testing.T) {
	ca := authority(t)
	var respond func(http.ResponseWriter, *http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { respond(w, r) }))
	defer server.Close()
	leaf := issue(t, &ca, func(c *x509.Certificate) { c.OCSPServer = []string{"ldap://x", server.URL + "/ocsp"} })
	good := answer(t, ca, leaf, ca, nil)
	fetch := func() (Staple, error) { return Fetch(context.Background(), NewClient(), leaf.cert, ca.cert) }

	respond = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q, err := ocsp.ParseRequest(body)
		if err != nil || q.SerialNumber.Cmp(leaf.cert.SerialNumber) != 0 || r.Method != http.MethodPost || r.URL.Path != "/ocsp" ||
			r.Header.Get("Content-Type") != "application/ocsp-request" {
			t.Errorf("%s %s with %+v, %v", r.Method, r.URL, q, err)
		}
		_, _ = w.Write(good)
	}
	if _, err := fetch(); err != nil {
		t.Error(err)
	}
	followed := false
	respond = func(w http.ResponseWriter, r *http.Request) {
		if followed = r.URL.Path == "/elsewhere"; !followed {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}
	if _, err := fetch(); err == nil || !strings.Contains(err.Error(), "status 307") || followed {
		t.Errorf("redirect: %v, followed %v", err, followed)
	}
	const endless = 256 << 20
	sent := make(chan int, 1)
	respond = func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for err := error(nil); err == nil && n < endless; n += 64 << 10 {
			_, err = w.Write(make([]byte, 64<<10))
		}
		sent <- n
	}
	if _, err := fetch(); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("endless: %v", err)
	}
	if n := <-sent; n >= endless {
		t.Error("all of an endless response was read")
	}
	respond = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(answer(t, ca, leaf, ca, func(r *ocsp.Response) { r.Status = ocsp.Revoked }))
	}
	if _, err := fetch(); !errors.Is(err, ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	server.Close()
	if _, err := fetch(); err == nil {
		t.Error("a responder that is gone has answered")
	}
}

func TestResponder(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{nil, ""}, {[]string{"https://a/"}, ""}, {[]string{"http://"}, ""}, {[]string{"http://user@a/"}, ""}, {[]string{"file:///etc/passwd"}, ""},
		{[]string{"https://a/", "http://b/x"}, "http://b/x"},
	} {
		got, err := Responder(&x509.Certificate{OCSPServer: tt.names})
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%v: %q, %v", tt.names, got, err)
		}
	}
}

package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf/stapling"
)

// responder answers about certificates of one authority, as answer says.
type responder struct {
	*httptest.Server
	t  *testing.T
	ca issued

	mu     sync.Mutex
	answer func(r *ocsp.Response) bool // false: none at all
	asked  map[string]int              // by serial number
}

func newResponder(t *testing.T) *responder {
	r := &responder{t: t, ca: authority(t, nil), asked: map[string]int{}, answer: func(*ocsp.Response) bool { return true }}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	question, err := ocsp.ParseRequest(body)
	if err != nil {
		r.t.Error(err)
		return
	}
	answer := ocsp.Response{Status: ocsp.Good, SerialNumber: question.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	r.mu.Lock()
	r.asked[question.SerialNumber.String()]++
	answered := r.answer(&answer)
	r.mu.Unlock()
	if !answered {
		<-request.Context().Done()
		return
	}
	der, err := ocsp.CreateResponse(r.ca.cert, r.ca.cert, answer, r.ca.key)
	if err != nil {
		r.t.Error(err)
	}
	_, _ = w.Write(der)
}

func (r *responder) answers(f func(*ocsp.Response) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *responder) count(i issued) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[serial(i)]
}

// certify issues a certificate that names the responder.
func (r *responder) certify(name string) issued {
	return issue(r.t, &r.ca, func(c *x509.Certificate) { c.OCSPServer = []string{r.URL} }, name)
}

// staples is a Stapler with what it tells.
type staples struct {
	*Stapler
	*served
	t *testing.T
	r *responder
	c config.TLS

	mu      sync.Mutex
	expiry  map[string]time.Time
	results map[string]int
	log     strings.Builder
}

func (s *staples) StapleFetched(result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[result]++
}

func (s *staples) StapleExpiry(file string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.expiry, file); !until.IsZero() {
		s.expiry[file] = until
	}
}

// expiries counts the certificates that have a staple.
func (s *staples) expiries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.expiry)
}

func (s *staples) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// logged counts lines that hold the words.
func (s *staples) logged(words string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.log.String(), words)
}

func newStaples(t *testing.T, r *responder) *staples {
	s := &staples{t: t, r: r, served: &served{dir: t.TempDir()}, expiry: map[string]time.Time{}, results: map[string]int{}}
	s.config = ServerConfig(s.current.Load)
	s.c = config.TLS{Mode: config.TLSRequired, MinVersion: "1.2", OCSPStapling: config.StaplingEnabled}
	s.Stapler = NewStapler(slog.New(slog.NewTextHandler(s, nil)), s)
	s.rest, s.retry = 10*time.Millisecond, 10*time.Millisecond
	t.Cleanup(s.Close)
	return s
}

// show puts a chain into the file a, and in force.
func (s *staples) show(i issued) {
	s.t.Helper()
	i.writePair(s.t, s.dir, "a")
	write(s.t, s.dir, "a.crt", i.certPEM()+s.r.ca.certPEM())
	s.c.Certificates = []config.Certificate{{CertFile: "a.crt", KeyFile: "a.key"}}
	s.follow()
}

func (s *staples) follow() {
	s.t.Helper()
	for _, f := range s.reload(s.t, s.c) {
		if f.Error != "" {
			s.t.Fatal(f.Error)
		}
	}
	s.Follow(s.current.Load())
}

// stapled is what a client is shown beside the certificate.
func (s *staples) stapled() []byte {
	s.t.Helper()
	state, err := s.dial(s.t, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return state.OCSPResponse
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestStaple(t *testing.T) {
	r := newResponder(t)
	s := newStaples(t, r)
	first := r.certify("a.example.com")
	s.show(first)
	eventually(t, "there is a staple", func() bool { return s.stapled() != nil })
	response, err := ocsp.ParseResponseForCert(s.stapled(), first.cert, r.ca.cert)
	if err != nil || response.Status != ocsp.Good {
		t.Fatalf("%+v, %v", response, err)
	}
	eventually(t, "metrics know of it", func() bool { return s.expiries() == 1 })

	// Another certificate beside it: the first keeps what it has.
	asked := r.count(first)
	issue(t, nil, nil, "b.example.com").writePair(t, s.dir, "b")
	s.c.Certificates = append(s.c.Certificates, config.Certificate{CertFile: "b.crt", KeyFile: "b.key"})
	s.follow()
	if s.stapled() == nil || r.count(first) != asked {
		t.Errorf("after a reload that did not touch it: staple %v, asked %d times, before %d", s.stapled() != nil, r.count(first), asked)
	}

	// Another in the same file: it is asked about, and the old staple is gone.
	second := r.certify("a.example.com")
	s.show(second)
	eventually(t, "the new one is stapled", func() bool {
		response, err := ocsp.ParseResponseForCert(s.stapled(), second.cert, r.ca.cert)
		return err == nil && response.SerialNumber.Cmp(second.cert.SerialNumber) == 0
	})
	s.c.OCSPStapling = config.StaplingDisabled
	s.follow()
	if s.stapled() != nil || s.expiries() > 0 {
		t.Error("stapling is off, and there is a staple")
	}
}

// TestStapleIsRefreshed in the middle of its time, long before its end.
func TestStapleIsRefreshed(t *testing.T) {
	r := newResponder(t)
	now := time.Now()
	s := &Stapler{rest: stapleRest}
	for _, tt := range []struct{ from, until, want time.Duration }{
		{0, 4 * 24 * time.Hour, 2 * 24 * time.Hour},
		{-24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour},
		{-3 * 24 * time.Hour, 24 * time.Hour, 12 * time.Hour}, // older than its middle
		{-time.Hour, time.Second, time.Minute},
	} {
		if got := s.untilRefresh(staple(now.Add(tt.from), now.Add(tt.until)), now); got != tt.want {
			t.Errorf("from %v until %v: refreshed in %v, want %v", tt.from, tt.until, got, tt.want)
		}
	}
	live := newStaples(t, r)
	live.rest = time.Millisecond
	r.answers(func(a *ocsp.Response) bool { // whole seconds are what a response has
		a.ThisUpdate, a.NextUpdate = time.Now().Add(-2*time.Second), time.Now().Add(2*time.Second)
		return true
	})
	cert := r.certify("a.example.com")
	live.show(cert)
	eventually(t, "it is asked again and again", func() bool { return r.count(cert) > 3 })
}

// TestDeadResponder: service goes on, with the staple as long as it is good, and
// then without; the log is told once.
func TestDeadResponder(t *testing.T) {
	r := newResponder(t)
	s := newStaples(t, r)
	cert := r.certify("a.example.com")
	r.answers(func(*ocsp.Response) bool { return false }) // takes the question, and says nothing
	s.show(cert)
	eventually(t, "it is asked", func() bool { return r.count(cert) > 0 })
	if s.stapled() != nil { // the handshake did not wait
		t.Error("there is a staple")
	}
	s.Follow(nil) // ends the question that hangs

	r.answers(func(a *ocsp.Response) bool { a.NextUpdate = time.Now().Add(3 * time.Second); return true })
	s.Follow(s.current.Load())
	eventually(t, "it is stapled once the responder answers", func() bool { return s.stapled() != nil })
	r.answers(func(a *ocsp.Response) bool { a.Status = ocsp.Unknown; return true })
	eventually(t, "it goes without one when the last is outdated", func() bool { return s.stapled() == nil })
	eventually(t, "metrics know", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.expiry) == 0 && s.results["unknown"] > 2
	})
	if n := s.logged("Fetching an OCSP staple failed"); n != 1 {
		t.Errorf("the log is told %d times, want once", n)
	}
}

// TestOutdatedStaple is not shown, whatever the timers do.
func TestOutdatedStaple(t *testing.T) {
	p := &Pair{}
	now := time.Now()
	p.staple([]byte("x"), now.Add(time.Minute))
	if p.shown(now).OCSPStaple == nil || p.shown(now.Add(time.Minute)).OCSPStaple != nil {
		t.Error("shown when it is good, and not afterwards")
	}
}

// TestRevokedCertificate goes on serving, without its staple, and loudly.
func TestRevokedCertificate(t *testing.T) {
	r := newResponder(t)
	s := newStaples(t, r)
	r.answers(func(a *ocsp.Response) bool { // short, so that it is asked again soon
		a.ThisUpdate, a.NextUpdate = time.Now().Add(-time.Hour), time.Now().Add(6*time.Second)
		return true
	})
	s.show(r.certify("a.example.com"))
	eventually(t, "there is a staple", func() bool { return s.stapled() != nil })
	r.answers(func(a *ocsp.Response) bool { a.Status, a.RevokedAt = ocsp.Revoked, time.Now(); return true })
	eventually(t, "that it is revoked is told", func() bool { return s.logged("Certificate is revoked") > 0 })
	if s.stapled() != nil { // though it could be shown for some seconds more
		t.Error("the staple of before is shown")
	}
}

// TestNobodyToAsk: that is as it should be, or is told.
func TestNobodyToAsk(t *testing.T) {
	r := newResponder(t)
	s := newStaples(t, r)
	s.show(issue(t, &r.ca, nil, "a.example.com"))
	if s.logged("No OCSP staple") != 0 {
		t.Error("a certificate without a responder is told")
	}
	r.certify("a.example.com").writePair(t, s.dir, "a")
	s.follow()
	if s.logged("the file holds no issuer") != 1 {
		t.Error("that the issuer is missing is not told")
	}
}

func staple(from, until time.Time) stapling.Staple { return stapling.Staple{From: from, Until: until} }

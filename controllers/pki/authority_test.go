package pki_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

// The authority of these tests lives a year of twelve months, all of one length.
const (
	month = 30 * 24 * time.Hour
	year  = 12 * month
)

// stored is an authority as the operator finds it, and the bundle that clients
// can have.
type stored struct {
	pki.Stored
	published []byte
}

func begin(t *testing.T, at time.Time) stored {
	t.Helper()
	pair, err := pki.NewCA("team/files", at, year)
	if err != nil {
		t.Fatal(err)
	}
	return stored{Stored: pki.Stored{Signing: pair}}
}

func (s stored) parse(t *testing.T) *pki.Authority {
	t.Helper()
	a, err := pki.ParseAuthority(s.Stored)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pass is what a pass of the operator does, and then publishing.
func (s *stored) pass(t *testing.T, at time.Time) (changed bool) {
	t.Helper()
	next, changed, err := s.parse(t).Advance("team/files", at, s.published, year)
	if err != nil {
		t.Fatal(err)
	}
	s.Stored = next
	bundle := s.parse(t).Bundle()
	changed = changed || !bytes.Equal(bundle, s.published)
	s.published = bundle
	return changed
}

// settle passes until nothing changes.
func (s *stored) settle(t *testing.T, at time.Time) {
	t.Helper()
	for range 5 {
		if !s.pass(t, at) {
			return
		}
	}
	t.Fatal("it does not settle")
}

// signer is the certificate of what signs.
func (s stored) signer() string { return string(s.Signing.Cert) }

// verifies tells whether a client that knows a bundle trusts what is signed now.
func (s stored) verifies(t *testing.T, bundle []byte, at time.Time) error {
	t.Helper()
	pair, err := s.parse(t).CA().Issue([]string{"files.shop"}, at, month)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pair.Cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "files.shop", CurrentTime: at})
	return err
}

func TestTimetable(t *testing.T) {
	s := begin(t, now)
	s.settle(t, now)
	old, one := s.signer(), bytes.Clone(s.published)
	for _, tc := range []struct {
		what          string
		at            time.Duration
		in            int // certificates in the bundle
		signs         bool
		next          bool
		oldBundleWell bool
	}{
		{"on the first day", time.Hour, 1, true, false, true},
		{"before it is due", 8*month - 24*time.Hour, 1, true, false, true},
		{"due: the next is published, the old signs", 8*month + time.Hour, 2, true, true, true},
		{"shortly before the overlap is over", 9*month - time.Hour, 2, true, true, true},
		{"the next signs, the old is still published", 9*month + 2*time.Hour, 2, false, false, false},
		{"shortly before the old one's end", 12*month - time.Hour, 2, false, false, false},
		{"the old leaves", 12*month + time.Hour, 1, false, false, false},
	} {
		at := now.Add(tc.at)
		s.settle(t, at)
		if got := strings.Count(string(s.published), "BEGIN CERTIFICATE"); got != tc.in {
			t.Errorf("%s: the bundle has %d certificates, want %d", tc.what, got, tc.in)
		}
		if got := s.signer() == old; got != tc.signs {
			t.Errorf("%s: the old one signs is %v", tc.what, got)
		}
		if got := len(s.Next.Cert) > 0; got != tc.next {
			t.Errorf("%s: there is a next one is %v", tc.what, got)
		}
		if err := s.verifies(t, s.published, at); err != nil {
			t.Errorf("%s: the bundle does not verify: %v", tc.what, err)
		}
		if err := s.verifies(t, one, at); (err == nil) != tc.oldBundleWell {
			t.Errorf("%s: a client that has only the first bundle: %v", tc.what, err)
		}
		if strings.Contains(string(s.published), "PRIVATE") || strings.Contains(string(s.Previous), "PRIVATE") {
			t.Errorf("%s: a key is published or kept after its time", tc.what)
		}
	}
}

// The bundle does not move when the next one begins to sign.
func TestBundleStaysOverTheSwitch(t *testing.T) {
	s := begin(t, now)
	s.settle(t, now.Add(8*month+time.Hour))
	before, signer := bytes.Clone(s.published), s.signer()
	s.settle(t, now.Add(9*month+2*time.Hour))
	if s.signer() == signer || !bytes.Equal(before, s.published) {
		t.Error("the switch changed the bundle, or there was none")
	}
}

// The overlap counts from when clients could have the next one, not from when
// it was made.
func TestOverlapBeginsWithPublication(t *testing.T) {
	s := begin(t, now)
	due := now.Add(8*month + time.Hour)
	advance := func(at time.Time) {
		t.Helper()
		var err error
		if s.Stored, _, err = s.parse(t).Advance("team/files", at, s.published, year); err != nil {
			t.Fatal(err)
		}
	}
	advance(due) // and the operator ends before it publishes
	old := s.signer()
	advance(due.Add(2 * month))
	if s.signer() != old || !s.Published.IsZero() {
		t.Fatal("what nobody could fetch has begun to sign")
	}
	s.settle(t, due.Add(2*month))
	if got := s.Published; !got.Equal(due.Add(2 * month)) {
		t.Errorf("published at %s", got)
	}
	s.settle(t, due.Add(3*month-time.Hour))
	if s.signer() != old {
		t.Error("the overlap was cut short")
	}
	s.settle(t, due.Add(3*month+time.Hour))
	if s.signer() == old {
		t.Error("the next one does not sign after the overlap")
	}
}

// However late it is, the old one does not sign to its end.
func TestLateOperator(t *testing.T) {
	for name, tc := range map[string]struct {
		at       time.Duration
		switched bool
	}{
		"at 11 twelfths":         {11 * month, false},
		"shortly before the end": {12*month - time.Hour, true},
		"after the end":          {13 * month, true},
		"long after":             {50 * year, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, now)
			old, at := s.signer(), now.Add(tc.at)
			s.settle(t, at)
			if got := s.signer() != old; got != tc.switched {
				t.Errorf("another signs is %v", got)
			}
			if err := s.verifies(t, s.published, at); err != nil {
				t.Error(err)
			}
			if expired := tc.at >= year; expired && strings.Contains(string(s.published), old) {
				t.Error("an expired one is published")
			}
			s.settle(t, now.Add(max(tc.at, 12*month-time.Hour)))
			if s.signer() == old {
				t.Error("the old one still signs at its end")
			}
		})
	}
}

// A Secret restored from any moment of the change leads on to a bundle that
// verifies, and while the old one lives clients that know it are served.
func TestRestoredFromBackup(t *testing.T) {
	moments := map[string]stored{}
	s := begin(t, now)
	moments["before"] = s
	first := s.parse(t).Bundle()
	s.pass(t, now.Add(8*month+time.Hour))
	moments["made"] = s
	s.settle(t, now.Add(8*month+time.Hour))
	moments["published"] = s
	s.settle(t, now.Add(9*month+2*time.Hour))
	moments["signs"] = s
	second := bytes.Clone(s.published)
	for name, backup := range moments {
		t.Run(name, func(t *testing.T) {
			for _, at := range []time.Duration{9*month + 3*time.Hour, 11 * month, 13 * month} {
				restored := stored{Stored: backup.Stored, published: s.published}
				restored.settle(t, now.Add(at))
				if err := restored.verifies(t, restored.published, now.Add(at)); err != nil {
					t.Errorf("at %s: %v", at, err)
				}
				// What clients could have fetched before knows the old one, or the next.
				if at < year && restored.verifies(t, append(bytes.Clone(first), second...), now.Add(at)) != nil {
					t.Errorf("at %s: clients that have what was published before turn away", at)
				}
			}
		})
	}
}

// Whatever is lost, repeated or put back: what signs is alive and published, no
// key is, and it comes to rest. Clients that fetch the bundle every two weeks
// verify whatever is signed while the operator runs.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		s, at := begin(t, now), now
		var client []byte
		var fetched time.Time
		var backups []stored
		for range 300 {
			at = at.Add(time.Duration(random.Int64N(int64(5 * 24 * time.Hour))))
			switch random.IntN(10) {
			case 0: // the write is lost, or another operator's step counts
				_, _, _ = s.parse(t).Advance("team/files", at, s.published, year)
			case 1: // the process ends between the write and publishing
				published := s.published
				s.pass(t, at)
				s.published = published
			case 2:
				backups = append(backups[max(0, len(backups)-2):], s)
			default:
				s.settle(t, at)
			}
			if fetched.IsZero() || at.Sub(fetched) > 14*24*time.Hour {
				s.settle(t, at)
				client, fetched = bytes.Clone(s.published), at
			}
			s.settle(t, at)
			if err := s.verifies(t, s.published, at); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := s.verifies(t, client, at); err != nil {
				t.Fatalf("seed %d: a client with the bundle of %s before: %v", seed, at.Sub(fetched), err)
			}
		}
		for _, b := range backups {
			b.published = s.published
			b.settle(t, at)
			if err := b.verifies(t, b.published, at); err != nil {
				t.Fatalf("seed %d: restored: %v", seed, err)
			}
		}
	}
}

// A next one that can't be used is made anew; what signs is never guessed.
func TestBrokenParts(t *testing.T) {
	s := begin(t, now)
	due := now.Add(8*month + time.Hour)
	s.settle(t, due)
	broken := s
	broken.Next.Key = broken.Next.Key[:40]
	broken.settle(t, due)
	if bytes.Equal(broken.Next.Cert, s.Next.Cert) || len(broken.Next.Cert) == 0 {
		t.Error("the next one was not made anew")
	}
	broken = s
	broken.Previous = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	if err := broken.verifies(t, broken.parse(t).Bundle(), due); err != nil {
		t.Error(err)
	}
	broken = s
	broken.Signing = pki.KeyPair{}
	if _, err := pki.ParseAuthority(broken.Stored); err == nil {
		t.Error("nothing signs, and that is no error")
	}
}

// The clock that wakes the operator is that of the next step.
func TestChangesAt(t *testing.T) {
	s := begin(t, now)
	for range 8 {
		at := s.parse(t).ChangesAt()
		before := s
		if before.settle(t, at.Add(-time.Minute)); before.signer() != s.signer() || !bytes.Equal(before.published, s.parse(t).Bundle()) {
			t.Errorf("something changed before %s", at)
		}
		if !s.pass(t, at) {
			t.Fatalf("nothing changed at %s", at)
		}
		s.settle(t, at)
	}
}

func TestLeafEndsWithItsAuthority(t *testing.T) {
	s := begin(t, now)
	at := now.Add(year - 24*time.Hour)
	pair, err := s.parse(t).CA().Issue([]string{"a"}, at, month)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := s.parse(t).CA().Inspect(pair)
	if err != nil || !leaf.NotAfter.Equal(s.parse(t).CA().NotAfter()) {
		t.Errorf("it ends at %s (%v), its authority at %s", leaf.NotAfter, err, s.parse(t).CA().NotAfter())
	}
}

// A certificate of a short life is valid before now, but by little, and is not
// renewed at once.
func TestShortLives(t *testing.T) {
	pair, err := pki.NewCA("files", now, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCA(pair)
	if err != nil {
		t.Fatal(err)
	}
	leafPair, err := ca.Issue([]string{"a"}, now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Inspect(leafPair)
	if err != nil {
		t.Fatal(err)
	}
	if wait := leaf.RenewAt.Sub(now); wait < 30*time.Second || wait > 45*time.Second {
		t.Errorf("it is renewed after %s", wait)
	}
	if !leaf.Fits([]string{"a"}, now) {
		t.Error("it is due as soon as it is made")
	}
}

func TestLifetimes(t *testing.T) {
	for name, tc := range map[string]struct {
		leaf, ca time.Duration
		want     string
	}{
		"defaults":  {pki.DefaultLifetimes.Leaf, pki.DefaultLifetimes.CA, ""},
		"shortest":  {time.Minute, 2 * time.Minute, ""},
		"too short": {time.Second, time.Hour, "--certificate-lifetime is 1s: must be at least 1m0s"},
		"none":      {0, 0, "--certificate-lifetime is 0s"},
		"equal":     {time.Hour, time.Hour, "--ca-lifetime is 1h0m0s: must be longer than --certificate-lifetime (1h0m0s)"},
		"too long":  {time.Hour, 101 * 365 * 24 * time.Hour, "at most 876000h0m0s (100 years)"},
	} {
		err := pki.Lifetimes{Leaf: tc.leaf, CA: tc.ca}.Validate()
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

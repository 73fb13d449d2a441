package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"
)

// Stored is a server's authority as it is stored: what signs, and what the
// change to the next one needs.
type Stored struct {
	// Signing signs.
	Signing KeyPair
	// Next is made to sign after it. Empty: there is none yet.
	Next KeyPair
	// Published is since when clients can have Next's certificate. Zero: it is
	// not known that they can.
	Published time.Time
	// Previous are the certificates (PEM), without keys, of those that have
	// signed before and have not expired. Clients may know no other.
	Previous []byte
}

// Authority is what a server's certificates are signed by and verified with,
// also while one certificate authority takes over from another. It is immutable.
//
// The timetable, in twelfths of the life of the one that signs: at 8 the next is
// made and published, while the old goes on signing so that clients can fetch
// it. Once it has been published for 1, usually at 9, it signs. The old one
// stays published until its end, at 12. One that was published late, since no
// operator ran, takes over at 11½ all the same: at 12 nobody would trust the old.
type Authority struct {
	signing, next *CA
	published     time.Time
	previous      []*x509.Certificate
	stored        Stored
}

// ParseAuthority reads an authority. The error says what is wrong with what
// signs. A next one that can't be used is passed over: it has signed nothing,
// and is made anew.
func ParseAuthority(s Stored) (*Authority, error) {
	signing, err := ParseCA(s.Signing)
	if err != nil {
		return nil, err
	}
	a := &Authority{signing: signing, previous: certificates(s.Previous), stored: s}
	if next, err := ParseCA(s.Next); err == nil {
		a.next, a.published = next, s.Published
	}
	return a, nil
}

// CA is what signs now.
func (a *Authority) CA() *CA { return a.signing }

// Bundle are the certificates (PEM) that clients verify with, the oldest first,
// so that it does not change when the next one begins to sign.
func (a *Authority) Bundle() []byte {
	all := append([]*x509.Certificate{a.signing.cert}, a.previous...)
	if a.next != nil {
		all = append(all, a.next.cert)
	}
	slices.SortStableFunc(all, func(x, y *x509.Certificate) int { return x.NotBefore.Compare(y.NotBefore) })
	all = slices.CompactFunc(all, (*x509.Certificate).Equal)
	var out []byte
	for _, c := range all {
		out = append(out, encode("CERTIFICATE", c.Raw)...)
	}
	return out
}

// Advance takes the steps that are due. published is the bundle that clients
// can have now, life that of a new authority. changed is false where nothing is
// due. Every step starts from what is stored and is a change of that alone, so
// that one that is lost, or taken twice, does no harm.
func (a *Authority) Advance(server string, now time.Time, published []byte, life time.Duration) (next Stored, changed bool, err error) {
	for {
		s, due, err := a.step(server, now, published, life)
		if err != nil {
			return Stored{}, false, err
		}
		if !due {
			return a.stored, changed, nil
		}
		changed = true
		if a, err = ParseAuthority(s); err != nil {
			return Stored{}, false, err
		}
	}
}

// step is the first step that is due, if one is.
func (a *Authority) step(server string, now time.Time, published []byte, life time.Duration) (s Stored, due bool, err error) {
	s = a.stored
	usable := a.next != nil && now.Before(a.next.cert.NotAfter)
	switch {
	case !usable && !now.Before(twelfth(a.signing.cert, 8)):
		if s.Next, err = NewCA(server, now, life); err != nil {
			return Stored{}, false, fmt.Errorf("make the next certificate authority: %w", err)
		}
		s.Published = time.Time{}
	case usable && !now.Before(a.switchAt()):
		previous := append([]*x509.Certificate{a.signing.cert}, a.previous...)
		s = Stored{Signing: s.Next, Previous: encodeAll(previous)}
	case usable && a.published.IsZero() && bytes.Contains(published, a.next.pem):
		s.Published = now.UTC().Truncate(time.Second)
	case slices.ContainsFunc(a.previous, func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) }):
		s.Previous = encodeAll(slices.DeleteFunc(slices.Clone(a.previous), func(c *x509.Certificate) bool { return !now.Before(c.NotAfter) }))
	default:
		return s, false, nil
	}
	return s, true, nil
}

// switchAt is when the next one begins to sign.
func (a *Authority) switchAt() time.Time {
	old := a.signing.cert
	latest := old.NotAfter.Add(-old.NotAfter.Sub(old.NotBefore) / 24)
	if a.published.IsZero() {
		return latest
	}
	at := a.published.Add(old.NotAfter.Sub(old.NotBefore) / 12)
	if at.After(latest) {
		return latest
	}
	return at
}

// ChangesAt is when the next step is due by the clock.
func (a *Authority) ChangesAt() time.Time {
	at := twelfth(a.signing.cert, 8)
	if a.next != nil {
		at = a.switchAt()
	}
	for _, c := range a.previous {
		if c.NotAfter.Before(at) {
			at = c.NotAfter
		}
	}
	return at
}

// certificates reads those that can be read.
func certificates(data []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			out = append(out, c)
		}
	}
	return out
}

func encodeAll(certs []*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, encode("CERTIFICATE", c.Raw)...)
	}
	return out
}

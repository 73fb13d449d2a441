package pki

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Lifetimes are how long new certificates are valid. Those that were made
// before keep theirs.
type Lifetimes struct {
	// Leaf is that of a server's certificate, CA that of an authority.
	Leaf, CA time.Duration
}

// DefaultLifetimes are 90 days and ten years.
var DefaultLifetimes = Lifetimes{Leaf: 90 * 24 * time.Hour, CA: 10 * 365 * 24 * time.Hour}

// The bounds. Below the shortest, a renewal could not reach the pods in time;
// above the longest, people's programs compute wrong dates.
const (
	shortest = time.Minute
	longest  = 100 * 365 * 24 * time.Hour
)

// Validate tells by the names of the operator's flags what is wrong.
func (l Lifetimes) Validate() error {
	switch {
	case l.Leaf < shortest:
		return fmt.Errorf("--certificate-lifetime is %s: must be at least %s", l.Leaf, shortest)
	case l.CA > longest:
		return fmt.Errorf("--ca-lifetime is %s: must be at most %s (100 years)", l.CA, longest)
	case l.CA <= l.Leaf:
		return fmt.Errorf("--ca-lifetime is %s: must be longer than --certificate-lifetime (%s), as a certificate is of no use without its authority", l.CA, l.Leaf)
	}
	return nil
}

// backdate allows for clocks that are behind: an hour, but little of a short
// life.
func backdate(life time.Duration) time.Duration { return min(time.Hour, life/10) }

// twelfth is when a certificate has lived so many twelfths of its life.
func twelfth(c *x509.Certificate, n int) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 12 * time.Duration(n))
}

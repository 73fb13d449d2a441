package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// The most that a given certificate may have, in bytes: all that a server can be
// given then fits into one Secret. Real chains have a few KiB.
const (
	maxChain = 64 << 10
	maxKey   = 16 << 10
)

// CertificateProblem tells why a Secret can't be used as a certificate, or
// nothing. parse says what is wrong with a chain and its key, and quotes nothing
// of the key.
func CertificateProblem(s *corev1.Secret, parse func(cert, key []byte) error) string {
	cert, key := s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey]
	switch {
	case s.Type != corev1.SecretTypeTLS:
		return fmt.Sprintf("it is of type %q: make one of type %s, with tls.crt and tls.key", s.Type, corev1.SecretTypeTLS)
	case len(cert) == 0 || len(key) == 0:
		return "it is not complete: it needs both tls.crt and tls.key"
	case len(cert) > maxChain:
		return fmt.Sprintf("tls.crt has %d bytes: give the server's certificate and its issuers only, at most %d bytes", len(cert), maxChain)
	case len(key) > maxKey:
		return fmt.Sprintf("tls.key has %d bytes: give one private key, at most %d bytes", len(key), maxKey)
	}
	if err := parse(cert, key); err != nil {
		return err.Error()
	}
	return ""
}

// OperatorsOwnSecret is the problem of a Secret that the operator has made for a
// server: the keys in it are not for clients.
const OperatorsOwnSecret = "it is one that the operator makes: name a Secret of your own"

// CertificateMissing is the finding for a given certificate whose Secret is not
// there. kept tells that an older copy goes on serving.
func CertificateMissing(c v1alpha1.TLSCertificate, kept bool) Finding {
	return no(v1alpha1.ReasonCertificateNotFound, fmt.Sprintf(
		"The Secret %s of the certificate %s does not exist: create it, of type %s. %s", c.SecretRef.Name, c.Name, corev1.SecretTypeTLS, meanwhile(kept)))
}

// InvalidCertificate is the finding for a given certificate that can't be used.
func InvalidCertificate(c v1alpha1.TLSCertificate, problem string, kept bool) Finding {
	return no(v1alpha1.ReasonInvalidCertificate, fmt.Sprintf(
		"The Secret %s of the certificate %s can't be used: %s. %s", c.SecretRef.Name, c.Name, problem, meanwhile(kept)))
}

// meanwhile names no Secret: which one a copy is of, a new process doesn't know.
func meanwhile(kept bool) string {
	if kept {
		return "The copy that was made before goes on serving"
	}
	return "Clients are shown the other certificates meanwhile"
}

// References joins what was found of all that the spec refers to. The message
// tells of all that is not well; the first that only an edit helps decides, else
// the first.
func References(findings ...Finding) Finding {
	bad := slices.DeleteFunc(slices.Clone(findings), Finding.OK)
	if len(bad) == 0 {
		return resolved
	}
	out := bad[max(0, slices.IndexFunc(bad, func(f Finding) bool { return slices.Contains(needsEdit, f.Reason) }))]
	messages := make([]string, len(bad))
	for i, f := range bad {
		messages[i] = f.Message
	}
	out.Message = strings.Join(messages, "; ")
	return out
}

// Certificate is a given certificate that clients are shown.
type Certificate struct {
	// Name is its name in the spec. Secret is the one that it is from; empty
	// where it is a copy that was made before.
	Name, Secret        string
	NotBefore, NotAfter time.Time
}

// maxWarning is how long before its end a certificate is told of at most.
const maxWarning = 14 * 24 * time.Hour

// warnAt is when less than a tenth of its life is left, but not earlier than two
// weeks before the end. Whoever renews by machine does so at two thirds or so;
// by then that has failed several times. Of a year's life a tenth would be more
// than people act on, of a day's two weeks would be always.
func (c Certificate) warnAt() time.Time {
	return c.NotAfter.Add(-min(c.NotAfter.Sub(c.NotBefore)/10, maxWarning))
}

// CertificatesValid judges the times of the given certificates that clients are
// shown. next is when that would change; zero: never.
func CertificatesValid(mode v1alpha1.TLSMode, shown []Certificate, now time.Time) (f Finding, next time.Time) {
	if mode == v1alpha1.TLSDisabled {
		return yes(v1alpha1.ReasonTLSDisabled, "No certificate is shown, as tls.mode is Disabled"), time.Time{}
	}
	var expired, early, ending []string
	for _, c := range shown {
		told := c.Name + " (the copy that was made before)"
		if c.Secret != "" {
			told = fmt.Sprintf("%s (Secret %s)", c.Name, c.Secret)
		}
		switch {
		case !now.Before(c.NotAfter):
			expired = append(expired, told+" expired on "+day(c.NotAfter))
		case now.Before(c.NotBefore):
			early = append(early, told+" begins on "+day(c.NotBefore))
		case !now.Before(c.warnAt()):
			ending = append(ending, told+" expires on "+day(c.NotAfter))
		}
		for _, at := range []time.Time{c.NotBefore, c.warnAt(), c.NotAfter} {
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	list := func(told []string) string { return "The certificate " + strings.Join(told, ", ") }
	switch {
	case len(expired) > 0:
		return no(v1alpha1.ReasonCertificateExpired, list(expired)+": put a new one into the Secret; clients that verify turn away until then"), next
	case len(early) > 0:
		return no(v1alpha1.ReasonCertificateNotYetValid, list(early)+": clients that verify turn away until then"), next
	case len(ending) > 0:
		return yes(v1alpha1.ReasonCertificateExpiring, list(ending)+": put a new one into the Secret, or see why that is not done by itself"), next
	}
	return yes(v1alpha1.ReasonCertificatesValid, "No certificate that is given ends soon"), next
}

// day is a date without a time, so that a message made of it does not move.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

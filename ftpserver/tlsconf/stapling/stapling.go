// Package stapling asks OCSP responders about certificates (RFC 6960), and judges
// what they answer: only what a client may rely on comes back.
//
// It keeps nothing and starts nothing: when to ask is for package tlsconf.
package stapling

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// maxResponse bounds what is read of a response, in bytes: one has 0.5 to 4 KiB.
	maxResponse = 64 << 10
	// timeout bounds one question, with all that is needed for it.
	timeout = 20 * time.Second
	// skew is how far a responder's clock may be ahead of ours.
	skew = 5 * time.Minute
)

// Staple is a response that says that a certificate is good.
type Staple struct {
	// Response is DER, as clients are shown it.
	Response []byte
	// From and Until are when the responder says so (thisUpdate, nextUpdate).
	From, Until time.Time
}

// What a responder may say of a certificate, other than that it is good.
var (
	ErrRevoked = errors.New("the certificate is revoked: clients that ask turn away; replace it")
	ErrUnknown = errors.New("the responder does not know the certificate: it may be new, or of another authority")
)

// Responder is the address of a certificate's responder, or why it has none that
// can be asked. Only plain HTTP is taken (RFC 6960 §A.1): what comes back is
// signed, and TLS to a responder would need a certificate that needs one.
func Responder(leaf *x509.Certificate) (string, error) {
	for _, s := range leaf.OCSPServer {
		if u, err := url.Parse(s); err == nil && u.Scheme == "http" && u.Host != "" && u.User == nil {
			return s, nil
		}
	}
	if len(leaf.OCSPServer) > 0 {
		return "", errors.New("the certificate names no responder with an address of http://")
	}
	return "", errors.New("the certificate names no responder")
}

// NewClient is an HTTP client for responders. It follows no redirects: the
// address is the one that the certificate's issuer has signed. Proxies are those
// of the environment.
func NewClient() *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true, // asked once in days
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// Fetch asks about a certificate. The error wraps ErrRevoked or ErrUnknown where
// the responder has answered so.
func Fetch(ctx context.Context, client *http.Client, leaf, issuer *x509.Certificate) (Staple, error) {
	address, err := Responder(leaf)
	if err != nil {
		return Staple{}, err
	}
	question, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return Staple{}, fmt.Errorf("make the question: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(question))
	if err != nil {
		return Staple{}, err
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	request.Header.Set("Accept", "application/ocsp-response")
	answer, err := client.Do(request)
	if err != nil {
		return Staple{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return Staple{}, fmt.Errorf("%s answers with status %d instead of 200", address, answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse+1))
	if err != nil {
		return Staple{}, err
	}
	return parse(body, leaf, issuer, time.Now())
}

// parse judges a response: it must be about this certificate, signed by its
// issuer or by one whom the issuer allows to, and of this time.
func parse(body []byte, leaf, issuer *x509.Certificate, now time.Time) (Staple, error) {
	if len(body) > maxResponse {
		return Staple{}, fmt.Errorf("the response is longer than %d bytes", maxResponse)
	}
	r, err := ocsp.ParseResponseForCert(body, leaf, issuer)
	if err != nil {
		return Staple{}, fmt.Errorf("the response can't be used: %w", err)
	}
	if c := r.Certificate; c != nil && !c.Equal(issuer) {
		if err := mayAnswer(c, now); err != nil {
			return Staple{}, err
		}
	}
	switch {
	case r.NextUpdate.IsZero():
		return Staple{}, errors.New("the response does not say how long it is good (nextUpdate)")
	case r.ThisUpdate.After(now.Add(skew)):
		return Staple{}, fmt.Errorf("the response is of the future (thisUpdate %s): look at the clocks", r.ThisUpdate.UTC().Format(time.RFC3339))
	case !now.Before(r.NextUpdate):
		return Staple{}, fmt.Errorf("the response is outdated (nextUpdate %s)", r.NextUpdate.UTC().Format(time.RFC3339))
	case r.Status == ocsp.Revoked:
		return Staple{}, fmt.Errorf("%w (since %s)", ErrRevoked, r.RevokedAt.UTC().Format(time.RFC3339))
	case r.Status != ocsp.Good:
		return Staple{}, ErrUnknown
	}
	return Staple{Response: body, From: r.ThisUpdate, Until: r.NextUpdate}, nil
}

// mayAnswer holds a responder's certificate against RFC 6960 §4.2.2.2. That the
// issuer has signed it is known; but so are the certificates of all the issuer's
// customers.
func mayAnswer(c *x509.Certificate, now time.Time) error {
	if !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return errors.New("the response is signed by a certificate that is not for OCSP")
	}
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return errors.New("the response is signed by a certificate that is not valid now")
	}
	return nil
}

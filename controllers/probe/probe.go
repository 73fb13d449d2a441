// Package probe asks the pods of a server what they have loaded, over TLS and
// with the token of their configuration. It judges nothing.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const (
	// Timeout bounds one question, from dialing to the end of the answer.
	Timeout = time.Second
	// maxAnswer bounds an answer, in bytes, and maxPerUser what is added for each
	// user. Pods may run any image: an answer must not fill our memory.
	maxAnswer  = 64 << 10
	maxPerUser = 256
)

// Target is a pod to ask.
type Target struct {
	// IP and Port are where the pod's status endpoint listens.
	IP   string
	Port int
	// Host is the name that the endpoint's certificate must have.
	Host string
	// Roots are the certificates (PEM) that it is verified with.
	Roots []byte
	// Token is what the operator proves itself with.
	Token string
	// Users is how many users the server has, to ask for the digest of each; 0
	// asks for none.
	Users int
}

// HTTP asks real pods. Its zero value is ready to use.
type HTTP struct{}

// Status asks a pod for its status. The error says in one line why there is no
// answer, and quotes neither token nor answer.
func (HTTP) Status(ctx context.Context, t Target) (*config.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(t.Roots) {
		return nil, errors.New("there is no certificate to verify it with")
	}
	url := "https://" + net.JoinHostPort(t.IP, strconv.Itoa(t.Port)) + config.StatusPath
	if t.Users > 0 {
		url += "?users=all"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Host = t.Host
	req.Header.Set("Authorization", "Bearer "+t.Token)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: t.Host, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, reason(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return decode(resp, maxAnswer+int64(t.Users)*maxPerUser)
}

func decode(resp *http.Response, limit int64) (*config.Status, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", resp.Status)
	}
	var s config.Status
	if err := json.NewDecoder(io.LimitReader(resp.Body, limit)).Decode(&s); err != nil {
		return nil, errors.New("its answer could not be read")
	}
	return &s, nil
}

// reason leaves out what differs from try to try, such as local ports, so that
// a condition made of it does not move.
func reason(ctx context.Context, err error) error {
	var unverified *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return errors.New("no answer in time")
	case errors.As(err, &unverified):
		return fmt.Errorf("its certificate cannot be verified: %w", unverified.Err)
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return errors.New("the connection broke")
}

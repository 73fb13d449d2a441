package ftp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/ftp-operator/ftp-operator/ftpserver/tlsconf"
)

// failure is why a handshake failed: a word for metrics, and what whoever runs
// the server can do.
type failure struct{ reason, advice string }

// handshakeError is a TLS handshake that failed.
type handshakeError struct {
	err error
	failure
}

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// adviceOf is what to do about an error of a handshake; "" for other errors.
func adviceOf(err error) string {
	var h *handshakeError
	if errors.As(err, &h) {
		return h.advice
	}
	return ""
}

// failures are told by crypto/tls in words only. TestHandshakeFailures holds
// them against it.
var failures = []struct {
	words string
	failure
}{
	{"client offered only unsupported versions", failure{"version", "The client is too old: it does not offer TLS of tls.minVersion or above; update it"}},
	{"no cipher suite supported", failure{"cipher", "The client offers no cipher suite with forward secrecy and authenticated encryption: update it, or its TLS library"}},
	{"unsupported application protocols", failure{"alpn", "The client does not mean FTP: it offers other protocols by ALPN; a request may have been sent here from elsewhere"}},
	{"didn't provide a certificate", failure{"no client certificate", "The client showed no certificate, and tls.clientCertificates asks for one: give it one of an authority in caFile"}},
	{"first record does not look like a TLS handshake", failure{"not TLS", "The client did not begin TLS: on the port for implicit TLS it must do so at once, else after AUTH TLS"}},
	{"remote error: tls: unknown certificate authority", failure{"refused by the client", "The client does not trust the server's certificate: give it the certificate authority"}},
	{"remote error: tls: bad certificate", failure{"refused by the client", "The client refuses the server's certificate: it must know the authority that signed it, the name that it connects to must be in it, and it must be valid"}},
	{"remote error: tls: certificate unknown", failure{"refused by the client", "The client refuses the server's certificate: it must know the authority that signed it, the name that it connects to must be in it, and it must be valid"}},
	{"remote error: tls: expired certificate", failure{"refused by the client", "The client finds the server's certificate expired: renew it, or set the client's clock"}},
	{"remote error: tls: protocol version", failure{"version", "Client and server have no version of TLS in common: see tls.minVersion"}},
	{"remote error:", failure{"refused by the client", "The client has ended the handshake: its own log may say why"}},
}

// classify tells what a failed handshake is about.
func classify(err error) failure {
	var unverified *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var name *tlsconf.NameError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errEvicted):
		return failure{"evicted", "Many connections begin TLS at once and do not end it: see ftpserver_tls_handshakes_in_progress; raise limits.handshakes if they are your clients"}
	case errors.Is(err, errOtherClient):
		return failure{"other client certificate", "The data connection showed another client certificate than the control connection: both must show the same"}
	case errors.As(err, &name):
		return failure{"host", "The client asked for different hosts by HOST and by SNI: it must name the same"}
	case errors.As(err, &unverified), errors.As(err, &invalid), errors.As(err, &authority):
		return failure{"client certificate", "The client's certificate can't be verified: it must be valid, for clients, and signed by an authority in tls.clientCertificates.caFile"}
	case errors.As(err, &record) && isProxyHeader(record.RecordHeader):
		return failure{"not TLS", adviseProxy}
	case errors.Is(err, net.ErrClosed):
		return failure{"given up", "The session or the transfer that the connection was for ended before the handshake did"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failure{"timeout", "The client did not end the handshake in limits.handshakeTimeout"}
	}
	for _, f := range failures {
		if strings.Contains(err.Error(), f.words) {
			return f.failure
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return failure{"client left", "The client closed the connection in the handshake: it may not trust the certificate, or have only looked whether the port is open"}
	}
	return failure{"other", "The client's and the server's TLS do not fit: see the error"}
}

// isProxyHeader tells whether what came in place of a record is the beginning of a
// header of the PROXY protocol, version 1 or 2.
func isProxyHeader(record [5]byte) bool {
	return record == [5]byte([]byte("PROXY")) || record == [5]byte([]byte("\r\n\r\n\x00"))
}

package tlsconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
)

// Connection is what the server knows of a connection before TLS begins on it.
// The zero value is a control connection of which nothing is known.
type Connection struct {
	// Data: it is a data connection.
	Data bool
	// Host is what the client has asked for with HOST, in the form of
	// config.NormalHost; "" for nothing. It stands in for SNI where the client
	// sends none (RFC 7151 §3.2.2).
	Host string
	// Client is the certificate that the client has shown on the control
	// connection. A data connection must show one too, or resume a session in
	// which one was shown; whether it is this one is for the caller to compare.
	// nil: none was shown, or it is not known yet whose the connection is.
	Client *x509.Certificate
}

type connectionKey struct{}

// Context is for tls.Conn.HandshakeContext: it tells ServerConfig what
// connection it is about.
func (c Connection) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(ctx context.Context) Connection {
	c, _ := ctx.Value(connectionKey{}).(Connection)
	return c
}

// NameError is a client that asked for one host with HOST and for another by
// SNI.
type NameError struct{ Host, ServerName string }

func (e *NameError) Error() string {
	return fmt.Sprintf("tls: the client asked for %q with HOST and for %q by SNI", e.Host, e.ServerName)
}

// check refuses a control connection of which HOST and SNI say different things.
// On data connections, clients name what they like: whose it is is known.
func (c Connection) check(hello *tls.ClientHelloInfo) error {
	if c.Data || c.Host == "" || hello.ServerName == "" || strings.EqualFold(c.Host, hello.ServerName) {
		return nil
	}
	return &NameError{Host: c.Host, ServerName: hello.ServerName}
}

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// theClient is who a balancer says is behind it.
const theClient = "203.0.113.7"

// announcing dials as a load balancer does that announces its client, on every
// connection.
func announcing(dial dialer) dialer {
	return func(ctx context.Context, address string) (net.Conn, error) {
		c, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		_, port, err := net.SplitHostPort(address)
		if err == nil {
			_, err = io.WriteString(c, fmt.Sprintf("PROXY TCP4 %s 198.51.100.1 40000 %s\r\n", theClient, port))
		}
		return c, err
	}
}

// TestFrontBehindBalancer: behind a load balancer that announces its clients, the
// front takes that from it and passes it on; data connections have it from the
// balancer itself. So it is with implicit TLS.
func TestFrontBehindBalancer(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	fronted(2, 2)(server)
	server.Spec.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 990}
	server.Spec.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{}
	for _, cidr := range []string{"0.0.0.0/1", "128.0.0.0/1"} { // wherever the nodes are
		server.Spec.Service.ProxyProtocol.Trusted = append(server.Spec.Service.ProxyProtocol.Trusted, v1alpha1.ProxySource{CIDR: cidr})
	}
	create(t, server, user)
	ready(t, server)
	ready(t, user)
	c := newOpener(t, server, user)
	c.door.dial = announcing(c.door.dial)

	eventually(t, func() string { // nodes lead there at their own pace
		s, err := c.try()
		if err != nil {
			return err.Error()
		}
		defer s.close()
		if c.slotOf(s); !strings.Contains(logs(t, frontPods(t, server)), theClient+":40000 [") {
			return "the front has not seen the client"
		}
		return ""
	})
	eventually(t, func() string { return greetedImplicitly(c) })
	servers := logs(t, slotPods(t, server))
	if !strings.Contains(servers, `"client":"`+theClient+`:40000"`) {
		t.Error("no server's log has the client")
	}
	if known := server.Status.ClientAddresses; known != v1alpha1.ClientAddressesPreserved {
		t.Errorf("status.clientAddresses is %s", known)
	}
}

// greetedImplicitly says what is wrong with a greeting over implicit TLS, or nothing.
func greetedImplicitly(c *opener) string {
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	defer cancel()
	raw, err := c.door.dial(ctx, net.JoinHostPort(c.door.host, strconv.Itoa(int(c.server.Status.Ports.Implicit))))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(stepTimeout))
	said, err := readReply(textproto.NewReader(bufio.NewReader(tls.Client(raw, c.door.tls.Clone()))))
	if err == nil {
		err = said.is(220)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestFrontPastBalancer: a client that comes past the load balancer is one whose
// address is hidden, also if it says that it is another.
func TestFrontPastBalancer(t *testing.T) {
	t.Parallel()
	server, user := serving(t, func(s *v1alpha1.FTPServer) {
		fronted(2, 2)(s)
		s.Spec.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{Trusted: []v1alpha1.ProxySource{{CIDR: "192.0.2.0/24"}}}
	})
	c := newOpener(t, server, user)
	eventually(t, func() string { // nodes lead there at their own pace
		s, err := c.try()
		if err != nil {
			return err.Error()
		}
		c.slotOf(s) // by a data connection
		s.close()
		if !frontLine.MatchString(logs(t, frontPods(t, server))) {
			return "the front has logged no session"
		}
		return ""
	})
	c.door.dial = announcing(c.door.dial)
	if s, err := c.try(); err == nil {
		s.close()
		t.Error("what a client says of itself is taken for the front's header")
	}
	if strings.Contains(logs(t, slotPods(t, server)), theClient) {
		t.Error("a server believes it")
	}
}

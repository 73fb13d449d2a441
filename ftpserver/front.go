package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/proxy"
)

var (
	errDraining    = errors.New("draining: new sessions are for another server")
	errNotReached  = fmt.Errorf("ready for less than %s: nodes may not lead to its passive ports yet", nodesFollow)
	errNotBelieved = errors.New("a PROXY header from this address is not believed: add it to proxyProtocol.trusted")
)

// takesSessions tells why a balancer at an address is to send its clients
// elsewhere. header tells that it sends a PROXY header, which would be taken for
// commands where it is not believed.
func (p *process) takesSessions(balancer netip.Addr, header bool) error {
	if p.server.Draining() {
		return errDraining
	}
	if err := p.ready(); err != nil {
		return err // it would have the fewest sessions, and draw all that are new
	}
	if !p.reached.by(time.Now()) {
		return errNotReached
	}
	if header && !proxy.Trusts(p.source.Current().Config, balancer) {
		return errNotBelieved
	}
	return nil
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/telemetry"
)

// alive tells what is wrong that only a new process can mend. It says nothing of how
// busy the server is.
func (p *process) alive() error {
	if stuck := p.watch.Stuck(); len(stuck) > 0 {
		return fmt.Errorf("stuck: connections are not taken any more on %s", strings.Join(stuck, ", "))
	}
	return nil
}

// ready tells why new clients should go elsewhere. It is the whole pod that is meant:
// its passive ports go with it, so that sessions here could not transfer any more. That
// is why a server that is busy, out of descriptors, or at the limit of its sessions
// stays ready, and so does one that drains.
func (p *process) ready() error {
	var err error
	if !p.server.Draining() {
		err = p.alive()
	}
	p.reached.note(err == nil, time.Now())
	return err
}

// load is what metrics tell of how full the server is.
func (p *process) load() telemetry.Load {
	return telemetry.Load{
		SessionLimit:   func() int { return p.source.Current().Config.Limits.Sessions },
		PassivePorts:   p.broker.Load,
		AcceptFailures: p.watch.Failures,
		StuckLoops:     func() int { return len(p.watch.Stuck()) },
	}
}

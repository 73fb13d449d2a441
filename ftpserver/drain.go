package main

import (
	"context"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// drain lets sessions finish what they are at, for as long as the configuration says:
// less than the pod has until it is killed. It goes on for some time also where there
// is nothing to finish: until all who send clients here know that the server is
// leaving, some still do, and are better told to connect again than refused.
func (p *process) drain() {
	timeout := p.drainTimeout()
	p.log.Info("Draining", "timeout", timeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	told, done := context.WithTimeout(ctx, p.source.Current().Config.Limits.DrainAtLeast)
	defer done()
	p.server.Drain(ctx)
	<-told.Done()
	p.log.Info("Drained")
}

// drainTimeout is short where the server is stuck: whoever asks it to end does so to
// have it replaced, and new clients wait for that.
func (p *process) drainTimeout() time.Duration {
	timeout := p.source.Current().Config.Limits.DrainTimeout
	if p.alive() != nil {
		return min(timeout, config.DefaultDrainTimeout)
	}
	return timeout
}

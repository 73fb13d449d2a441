package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// portRetry is how often what could not be opened is tried again.
const portRetry = 5 * time.Second

// retryPorts tries again to open ports that a new configuration has and that could
// not be opened with it, as somebody else had them.
func (p *process) retryPorts(ctx context.Context) { repeat(ctx, portRetry, portRetry, p.retry) }

func (p *process) retry() {
	before := p.notOpen()
	if len(before) == 0 {
		return
	}
	_, _ = p.broker.Retry(), p.implicit.retry() // their errors were logged with the configuration
	left := p.notOpen()
	opened := slices.DeleteFunc(before, func(port string) bool { return slices.Contains(left, port) })
	if len(opened) > 0 {
		p.log.Info("Ports that could not be opened are open now", "ports", opened, "notOpen", left)
	}
}

// notOpen are the ports of the configuration that could not be opened, as the status
// tells them.
func (p *process) notOpen() (ports []string) {
	if address := p.implicit.missing(); address != "" {
		ports = append(ports, "implicit TLS "+address)
	}
	for _, number := range p.broker.Missing() {
		ports = append(ports, fmt.Sprintf("passive %d", number))
	}
	return ports
}

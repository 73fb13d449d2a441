package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// tellEvery is how often the log is told of connections that were closed for their
// header, at most.
const tellEvery = time.Minute

// complaints are lines of the log of which there may be too many.
type complaints struct {
	now func() time.Time

	mu    sync.Mutex
	told  time.Time
	count int // since then
}

// add counts one more. Due tells that the log is to be told of all n of them.
func (c *complaints) add() (n int, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	now := c.now()
	if !c.told.IsZero() && now.Sub(c.told) < tellEvery {
		return 0, false
	}
	n, c.count, c.told = c.count, 0, now
	return n, true
}

const (
	adviseAbsent = "have the load balancer speak the PROXY protocol, on the control port and on the passive ports; where clients connect from that network themselves, set mode Optional for it in proxyProtocol.trusted"
	adviseWrong  = "see what the load balancer sends: the PROXY protocol of version 1 or 2 is understood, of TCP"
)

// tell tells the log of a connection that was closed for its header. Connections
// that say nothing and go are health checks, of which it has nothing to say.
func (r *Receiver) tell(source netip.AddrPort, outcome string, err error) {
	if outcome == outcomeClosed {
		return
	}
	level := slog.LevelDebug
	args := []any{"source", source.String(), "port", r.Port, "error", err}
	if n, due := r.complaints.add(); due {
		level = slog.LevelWarn
		advice := adviseWrong
		if errors.Is(err, errAbsent) {
			advice = adviseAbsent
		}
		args = append(args, "connections", n, "advice", advice)
	}
	r.Log.Log(context.Background(), level, "Connection closed for its PROXY header", args...)
}

package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
)

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
	if n, due := r.complaints.Add(); due {
		level = slog.LevelWarn
		advice := adviseWrong
		if errors.Is(err, errAbsent) {
			advice = adviseAbsent
		}
		args = append(args, "connections", n, "advice", advice)
	}
	r.Log.Log(context.Background(), level, "Connection closed for its PROXY header", args...)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
)

// routeProtocol marks the routes that were made here, so that a restart can tell
// them from the ones of the namespace.
const routeProtocol = "89"

// way leads to an address of a Service: over one or more nodes, over which the
// kernel then spreads connections, as a cloud's load balancer does; or, where it
// is local, to the balancer itself.
type way struct {
	local bool
	hops  []netip.Addr
}

func (w way) leads() bool { return w.local || len(w.hops) > 0 }

func (w way) equal(other way) bool { return w.local == other.local && slices.Equal(w.hops, other.hops) }

// routes are the ways from the client outside to the addresses of Services.
type routes struct {
	// outside are the client's addresses. What it sends to an address of its own
	// namespace would else come from that same address.
	outside []netip.Addr
	// laid is what the kernel has; nil until that was read.
	laid map[netip.Addr]way
}

// set makes the routes be exactly the wanted ones.
func (r *routes) set(ctx context.Context, wanted map[netip.Addr]way) error {
	if r.laid == nil {
		laid, err := existing(ctx)
		if err != nil {
			return err
		}
		r.laid = laid
	}
	var failures []error
	for to, old := range r.laid {
		// One of the other kind would be laid beside it, in another table.
		if w := wanted[to]; w.leads() && w.local == old.local {
			continue
		}
		args := []string{"route", "del", to.String(), "proto", routeProtocol}
		if old.local {
			args = []string{"route", "del", "local", to.String(), "table", "local", "proto", routeProtocol}
		}
		if _, err := ip(ctx, args...); err != nil {
			failures = append(failures, err)
			continue
		}
		delete(r.laid, to)
	}
	for to, w := range wanted {
		if !w.leads() || w.equal(r.laid[to]) {
			continue
		}
		if _, err := ip(ctx, r.replace(to, w)...); err != nil {
			failures = append(failures, err)
			continue
		}
		r.laid[to] = w
	}
	return errors.Join(failures...)
}

// replace is the command that lays a way.
func (r *routes) replace(to netip.Addr, w way) []string {
	if w.local {
		args := []string{"route", "replace", "local", to.String(), "dev", "lo", "table", "local", "proto", routeProtocol}
		for _, a := range r.outside {
			if family(a) == family(to) {
				args = append(args, "src", a.String())
			}
		}
		return args
	}
	args := []string{"route", "replace", to.String(), "proto", routeProtocol}
	for _, hop := range w.hops {
		args = append(args, "nexthop", "via", hop.String())
	}
	return args
}

// existing are the routes that an earlier run left. Their next hops are not
// read: an empty list differs from any wanted one, so they are laid again.
func existing(ctx context.Context) (map[netip.Addr]way, error) {
	found := map[netip.Addr]way{}
	for _, f := range []string{"-4", "-6"} {
		for _, table := range []string{"main", "local"} {
			out, err := ip(ctx, f, "-o", "route", "show", "table", table, "proto", routeProtocol)
			if err != nil {
				return nil, err
			}
			for line := range strings.Lines(out) {
				// "ADDRESS via …" or "local ADDRESS dev …"
				first, _, _ := strings.Cut(strings.TrimPrefix(line, "local "), " ")
				if to, err := netip.ParseAddr(first); err == nil {
					found[to] = way{local: table == "local"}
				}
			}
		}
	}
	return found, nil
}

func ip(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

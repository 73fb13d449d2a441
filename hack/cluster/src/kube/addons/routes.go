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

// routes are the ways from the client outside to the addresses of Services: one
// host route for each, over one or more nodes. The kernel then spreads
// connections over the nodes, as a cloud's load balancer does.
type routes struct {
	// laid is what the kernel has; nil until that was read.
	laid map[netip.Addr][]netip.Addr
}

// set makes the routes be exactly the wanted ones.
func (r *routes) set(ctx context.Context, wanted map[netip.Addr][]netip.Addr) error {
	if r.laid == nil {
		laid, err := existing(ctx)
		if err != nil {
			return err
		}
		r.laid = laid
	}
	var failures []error
	for to := range r.laid {
		if len(wanted[to]) > 0 {
			continue
		}
		if _, err := ip(ctx, "route", "del", to.String(), "proto", routeProtocol); err != nil {
			failures = append(failures, err)
			continue
		}
		delete(r.laid, to)
	}
	for to, hops := range wanted {
		if len(hops) == 0 || slices.Equal(r.laid[to], hops) {
			continue
		}
		args := []string{"route", "replace", to.String(), "proto", routeProtocol}
		for _, hop := range hops {
			args = append(args, "nexthop", "via", hop.String())
		}
		if _, err := ip(ctx, args...); err != nil {
			failures = append(failures, err)
			continue
		}
		r.laid[to] = hops
	}
	return errors.Join(failures...)
}

// existing are the routes that an earlier run left. Their next hops are not
// read: an empty list differs from any wanted one, so they are laid again.
func existing(ctx context.Context) (map[netip.Addr][]netip.Addr, error) {
	out, err := ip(ctx, "-o", "route", "show", "proto", routeProtocol)
	if err != nil {
		return nil, err
	}
	found := map[netip.Addr][]netip.Addr{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if to, err := netip.ParseAddr(fields[0]); err == nil {
			found[to] = nil
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

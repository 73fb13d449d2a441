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

// Connections are spread over several nodes by buckets: each has a routing table of
// its own, from bucketTables+1 on, which spread_connections in lib/network.sh has the
// connections looked up in. A connection stays in its bucket, so that it stays with its
// node for as long as the way has the same next hops.
const (
	buckets      = 8
	bucketTables = 100
)

// way leads to an address of a Service: over one or more nodes, over which
// connections are spread, as a cloud's load balancer does; or, where it is local, to
// the balancer itself.
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
		if err := r.remove(ctx, to, old); err != nil {
			failures = append(failures, err)
			continue
		}
		delete(r.laid, to)
	}
	for to, w := range wanted {
		if !w.leads() || w.equal(r.laid[to]) {
			continue
		}
		if err := r.lay(ctx, to, w); err != nil {
			failures = append(failures, err)
			continue
		}
		r.laid[to] = w
	}
	return errors.Join(failures...)
}

func (r *routes) remove(ctx context.Context, to netip.Addr, w way) error {
	if w.local {
		_, err := ip(ctx, "", "route", "del", "local", to.String(), "table", "local", "proto", routeProtocol)
		return err
	}
	_, err := ip(ctx, "", "route", "del", to.String(), "proto", routeProtocol)
	return errors.Join(err, clearBuckets(ctx, to))
}

// lay makes a way, or makes one over other nodes of it. What is in no bucket goes over
// the first.
func (r *routes) lay(ctx context.Context, to netip.Addr, w way) error {
	if w.local {
		args := []string{"route", "replace", "local", to.String(), "dev", "lo", "table", "local", "proto", routeProtocol}
		for _, a := range r.outside {
			if family(a) == family(to) {
				args = append(args, "src", a.String())
			}
		}
		_, err := ip(ctx, "", args...)
		return err
	}
	if _, err := ip(ctx, "", "route", "replace", to.String(), "proto", routeProtocol, "via", w.hops[0].String()); err != nil {
		return err
	}
	if len(w.hops) == 1 {
		return clearBuckets(ctx, to)
	}
	return inBuckets(ctx, func(n int) string {
		return fmt.Sprintf("route replace %s proto %s via %s table %d", to, routeProtocol, w.hops[n%len(w.hops)], bucketTables+n)
	})
}

// clearBuckets leaves all connections to the route in the main table. It may be that no
// bucket has one.
func clearBuckets(ctx context.Context, to netip.Addr) error {
	out, err := ip(ctx, "", "route", "show", "table", fmt.Sprint(bucketTables+1), to.String())
	if err != nil || strings.TrimSpace(out) == "" {
		return nil // also where the table has never had a route
	}
	return inBuckets(ctx, func(n int) string {
		return fmt.Sprintf("route del %s proto %s table %d", to, routeProtocol, bucketTables+n)
	})
}

// inBuckets runs a command of ip for each bucket.
func inBuckets(ctx context.Context, command func(n int) string) error {
	var batch strings.Builder
	for n := 1; n <= buckets; n++ {
		fmt.Fprintln(&batch, command(n))
	}
	_, err := ip(ctx, batch.String(), "-batch", "-")
	return err
}

// existing are the routes that an earlier run left. Their next hops are not
// read: an empty list differs from any wanted one, so they are laid again.
func existing(ctx context.Context) (map[netip.Addr]way, error) {
	found := map[netip.Addr]way{}
	for _, f := range []string{"-4", "-6"} {
		for _, table := range []string{"main", "local"} {
			out, err := ip(ctx, "", f, "-o", "route", "show", "table", table, "proto", routeProtocol)
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

// ip runs the program of that name, with an input.
func ip(ctx context.Context, input string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "ip", args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// owner is a Service that holds addresses. Another of the same name is another.
type owner struct {
	uid  types.UID
	name types.NamespacedName
}

// pool hands out the addresses of one family in a circle, so that one just freed
// is not given at once to another Service while somebody still talks to the old one.
type pool struct {
	first, last, next netip.Addr
	owners            map[netip.Addr]owner
}

// pools has one pool for each family that the cluster has.
type pools map[corev1.IPFamily]*pool

// parsePools reads ranges such as "10.89.0.200-10.89.0.254", separated by commas.
func parsePools(text string) (pools, error) {
	found := pools{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, _ := strings.Cut(part, "-")
		first, err := netip.ParseAddr(from)
		last, lastErr := netip.ParseAddr(to)
		if err := errors.Join(err, lastErr); err != nil {
			return nil, fmt.Errorf("the range %q: %w", part, err)
		}
		found[family(first)] = &pool{first: first, last: last, next: first, owners: map[netip.Addr]owner{}}
	}
	return found, nil
}

func family(a netip.Addr) corev1.IPFamily {
	if a.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

// keep frees every address whose owner is not in the set.
func (p pools) keep(owners map[owner]bool) {
	for _, pool := range p {
		for a, o := range pool.owners {
			if !owners[o] {
				delete(pool.owners, a)
			}
		}
	}
}

// of returns the addresses of an owner, sorted.
func (p pools) of(o owner) []netip.Addr {
	var all []netip.Addr
	for _, pool := range p {
		all = append(all, pool.of(o)...)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// claim reserves an address for its owner; false if it is another's or not ours to give.
func (p pools) claim(a netip.Addr, o owner) bool {
	pool := p[family(a)]
	return pool != nil && pool.claim(a, o)
}

// release frees all of an owner's addresses except those that are to stay.
func (p pools) release(o owner, stay ...netip.Addr) {
	for _, a := range p.of(o) {
		if !slices.Contains(stay, a) {
			delete(p[family(a)].owners, a)
		}
	}
}

func (p *pool) contains(a netip.Addr) bool {
	return a.BitLen() == p.first.BitLen() && a.Compare(p.first) >= 0 && a.Compare(p.last) <= 0
}

func (p *pool) claim(a netip.Addr, o owner) bool {
	if !p.contains(a) {
		return false
	}
	if holder, taken := p.owners[a]; taken {
		return holder == o
	}
	p.owners[a] = o
	return true
}

// take reserves a free address; false if there is none.
func (p *pool) take(o owner) (netip.Addr, bool) {
	start := p.next
	for a := start; ; {
		following := a.Next()
		if !p.contains(following) {
			following = p.first
		}
		if _, taken := p.owners[a]; !taken {
			p.owners[a], p.next = o, following
			return a, true
		}
		if a = following; a == start {
			return netip.Addr{}, false
		}
	}
}

func (p *pool) of(o owner) []netip.Addr {
	var all []netip.Addr
	for a, holder := range p.owners {
		if holder == o {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

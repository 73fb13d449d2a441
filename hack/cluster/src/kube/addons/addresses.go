package main

import "net/netip"

// pool hands out addresses in a circle, so that one just freed is not given at
// once to another Service while somebody still talks to the old one.
type pool struct {
	first, last, next netip.Addr
	owners            map[netip.Addr]string
}

func newPool(first, last netip.Addr) *pool {
	return &pool{first: first, last: last, next: first, owners: map[netip.Addr]string{}}
}

func (p *pool) contains(a netip.Addr) bool {
	return a.Is4() && a.Compare(p.first) >= 0 && a.Compare(p.last) <= 0
}

// claim reserves an address for its owner; false if it is another's or not ours to give.
func (p *pool) claim(a netip.Addr, owner string) bool {
	if !p.contains(a) {
		return false
	}
	if o, taken := p.owners[a]; taken {
		return o == owner
	}
	p.owners[a] = owner
	return true
}

// take reserves a free address; false if there is none.
func (p *pool) take(owner string) (netip.Addr, bool) {
	for a := p.next; ; {
		following := a.Next()
		if !p.contains(following) {
			following = p.first
		}
		if p.claim(a, owner) {
			p.next = following
			return a, true
		}
		if a = following; a == p.next {
			return netip.Addr{}, false
		}
	}
}

// keep frees every address whose owner is not in the set.
func (p *pool) keep(owners map[string]bool) {
	for a, o := range p.owners {
		if !owners[o] {
			delete(p.owners, a)
		}
	}
}

// of returns the address of an owner.
func (p *pool) of(owner string) (netip.Addr, bool) {
	for a, o := range p.owners {
		if o == owner {
			return a, true
		}
	}
	return netip.Addr{}, false
}

package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The reasons why a Service has its addresses, or none.
const (
	reasonAssigned      = "Assigned"
	reasonAddressTaken  = "AddressTaken"
	reasonHostnameTaken = "HostnameTaken"
	reasonInvalid       = "InvalidRequest"
	reasonNoAddress     = "NoAddressFree"
	reasonNoNodePorts   = "NoNodePorts"
)

// assignment is what a Service gets. With another reason than Assigned it has no
// address, and the message says why.
type assignment struct {
	addresses       []netip.Addr // in the order of the Service's families
	reason, message string
}

// assign gives a Service what it wishes, all of it or nothing. What it holds it
// keeps; what another holds it does not get, whoever is older.
func (b *balancer) assign(s *corev1.Service, w wish) assignment {
	o := ownerOf(s)
	a := b.assignHostname(o, w)
	if a.reason == reasonAssigned && w.proxied() && slices.ContainsFunc(s.Spec.Ports, hasNoNodePort) {
		a = assignment{reason: reasonNoNodePorts, message: "this kind of load balancer connects to node ports: set allocateLoadBalancerNodePorts"}
	}
	if a.reason == reasonAssigned {
		a = b.assignAddresses(s, o, w)
	}
	if a.reason != reasonAssigned {
		b.release(o)
	}
	return a
}

// release frees all that a Service holds.
func (b *balancer) release(o owner) {
	b.addresses.release(o)
	maps.DeleteFunc(b.hostnames, func(_ string, holder owner) bool { return holder == o })
}

func hasNoNodePort(p corev1.ServicePort) bool { return p.NodePort == 0 }

func (b *balancer) assignHostname(o owner, w wish) assignment {
	if holder, taken := b.hostnames[w.hostname]; taken && holder != o {
		return assignment{reason: reasonHostnameTaken, message: fmt.Sprintf("%s is the name of the Service %s", w.hostname, holder.name)}
	}
	maps.DeleteFunc(b.hostnames, func(name string, holder owner) bool { return holder == o && name != w.hostname })
	if w.hostname != "" {
		b.hostnames[w.hostname] = o
	}
	return assignment{reason: reasonAssigned}
}

func (b *balancer) assignAddresses(s *corev1.Service, o owner, w wish) assignment {
	if len(w.addresses) > 0 {
		return b.assignWished(o, w.addresses)
	}
	var due []netip.Addr
	for _, f := range s.Spec.IPFamilies {
		p := b.addresses[f]
		if p == nil {
			return assignment{reason: reasonNoAddress, message: fmt.Sprintf("there are no addresses of the family %s here", f)}
		}
		held := p.of(o)
		for len(held) < w.count {
			a, ok := p.take(o)
			if !ok {
				return assignment{reason: reasonNoAddress, message: fmt.Sprintf("no address of the family %s is free", f)}
			}
			held = append(held, a)
		}
		due = append(due, held[:w.count]...)
	}
	b.addresses.release(o, due...)
	return assignment{addresses: due, reason: reasonAssigned, message: "the load balancer is reached at its addresses"}
}

func (b *balancer) assignWished(o owner, wished []netip.Addr) assignment {
	for _, a := range wished {
		p := b.addresses[family(a)]
		if p == nil || !p.contains(a) {
			return assignment{reason: reasonInvalid, message: fmt.Sprintf("%s is not one of the addresses that are given here", a)}
		}
		if !p.claim(a, o) {
			return assignment{reason: reasonAddressTaken, message: fmt.Sprintf("%s is the address of the Service %s", a, p.owners[a].name)}
		}
	}
	b.addresses.release(o, wished...)
	return assignment{addresses: wished, reason: reasonAssigned, message: "the load balancer is reached at the wished addresses"}
}

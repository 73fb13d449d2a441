package main

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// nextHops are the nodes that take the Service's traffic. With
// externalTrafficPolicy Local these are the ones that run a ready pod or, while
// there is none, one that still serves as it terminates: kube-proxy there
// forwards to it. In every other case all nodes do, and kube-proxy answers for
// a Service without pods.
func (b *balancer) nextHops(s *corev1.Service, f corev1.IPFamily) []netip.Addr {
	nodes := b.liveNodes(f)
	if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		ready, serving := b.localNodes(s)
		for _, set := range []map[string]bool{ready, serving} {
			if hops := pick(nodes, func(name string) bool { return set[name] }); len(hops) > 0 {
				return hops
			}
		}
	}
	return pick(nodes, func(string) bool { return true })
}

// localNodes are the names of the nodes with a ready, and with a serving, endpoint.
func (b *balancer) localNodes(s *corev1.Service) (ready, serving map[string]bool) {
	ready, serving = map[string]bool{}, map[string]bool{}
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: s.Name})
	endpointSlices, _ := b.slices.EndpointSlices(s.Namespace).List(selector)
	for _, slice := range endpointSlices {
		for _, e := range slice.Endpoints {
			if e.NodeName == nil {
				continue
			}
			// Absent means true for ready, and the same as ready for serving.
			isReady := e.Conditions.Ready == nil || *e.Conditions.Ready
			if isReady {
				ready[*e.NodeName] = true
			}
			if isReady || e.Conditions.Serving != nil && *e.Conditions.Serving {
				serving[*e.NodeName] = true
			}
		}
	}
	return ready, serving
}

// liveNodes maps the name of each node that is ready and answers the balancer's
// checks to its address of a family.
func (b *balancer) liveNodes(f corev1.IPFamily) map[string]netip.Addr {
	found := map[string]netip.Addr{}
	nodes, _ := b.nodes.List(labels.Everything())
	for _, n := range nodes {
		isReady := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if a, has := nodeAddress(n, f); has && isReady && !b.health.dead(n.Name) {
			found[n.Name] = a
		}
	}
	return found
}

func nodeAddress(n *corev1.Node, f corev1.IPFamily) (netip.Addr, bool) {
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP && family(ip) == f {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// pick returns the sorted addresses of the nodes that are wanted.
func pick(nodes map[string]netip.Addr, wanted func(name string) bool) []netip.Addr {
	var hops []netip.Addr
	for name, a := range nodes {
		if wanted(name) {
			hops = append(hops, a)
		}
	}
	slices.SortFunc(hops, netip.Addr.Compare)
	return hops
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// balancer is the load balancer in front of the cluster. Any change of a
// Service, an EndpointSlice or a Node makes it look at everything again: with
// the few objects of a local cluster that is quick, and it can't miss a case.
type balancer struct {
	client    kubernetes.Interface
	events    record.EventRecorder
	informers informers.SharedInformerFactory
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	nodes     corelisters.NodeLister
	health    *health
	changed   chan struct{}

	addresses pools
	hostnames map[string]owner
	routes    routes
	frontends frontends
	names     *names
}

// wanted is what the namespace of the client outside, and the names, are to be.
type wanted struct {
	ways     map[netip.Addr]way
	backends map[netip.AddrPort]backend
	names    map[string][]netip.Addr
}

func newBalancer(client kubernetes.Interface, events record.EventRecorder, addresses pools, outside, own []netip.Addr, names *names) *balancer {
	factory := informers.NewSharedInformerFactory(client, 0)
	b := &balancer{
		client:    client,
		events:    events,
		informers: factory,
		services:  factory.Core().V1().Services().Lister(),
		slices:    factory.Discovery().V1().EndpointSlices().Lister(),
		nodes:     factory.Core().V1().Nodes().Lister(),
		changed:   make(chan struct{}, 1),
		addresses: addresses,
		hostnames: map[string]owner{},
		routes:    routes{outside: outside},
		frontends: frontends{own: own, open: map[netip.AddrPort]*frontend{}},
		names:     names,
	}
	b.health = newHealth(b.nodes, b.note)
	return b
}

// note has the balancer look at everything.
func (b *balancer) note() {
	select {
	case b.changed <- struct{}{}:
	default: // a look is due already
	}
}

func (b *balancer) run(ctx context.Context) {
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { b.note() },
		UpdateFunc: func(any, any) { b.note() },
		DeleteFunc: func(any) { b.note() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		b.informers.Core().V1().Services().Informer(),
		b.informers.Discovery().V1().EndpointSlices().Informer(),
		b.informers.Core().V1().Nodes().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	b.informers.Start(ctx.Done())
	// Which addresses are taken is known only when all Services have been seen.
	b.informers.WaitForCacheSync(ctx.Done())
	go b.health.run(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
		}
		if err := b.sync(ctx); err != nil {
			log.Printf("Load balancer: %v", err)
			time.AfterFunc(time.Second, b.note)
		}
	}
}

func (b *balancer) sync(ctx context.Context) error {
	services, err := b.services.List(labels.Everything())
	if err != nil {
		return err
	}
	// Of two that wish the same at once, the older one gets it.
	slices.SortFunc(services, func(x, y *corev1.Service) int {
		return cmp.Or(x.CreationTimestamp.Compare(y.CreationTimestamp.Time), cmp.Compare(x.UID, y.UID))
	})
	b.adopt(services)
	want := wanted{map[netip.Addr]way{}, map[netip.AddrPort]backend{}, map[string][]netip.Addr{}}
	var failures []error
	for _, s := range services {
		if err := b.serve(ctx, s, want); err != nil {
			failures = append(failures, fmt.Errorf("%s/%s: %w", s.Namespace, s.Name, err))
		}
	}
	return errors.Join(append(failures,
		b.routes.set(ctx, want.ways), b.frontends.set(want.backends), b.names.set(want.names))...)
}

// adopt frees what belonged to Services that are gone, and leaves to each of the
// others what its status tells: this may be a new run of the balancer.
func (b *balancer) adopt(services []*corev1.Service) {
	owners := map[owner]bool{}
	for _, s := range services {
		if balanced(s) {
			owners[ownerOf(s)] = true
		}
	}
	b.addresses.keep(owners)
	maps.DeleteFunc(b.hostnames, func(_ string, o owner) bool { return !owners[o] })
	for _, s := range services {
		o := ownerOf(s)
		if !owners[o] {
			continue
		}
		if len(b.addresses.of(o)) == 0 {
			for _, a := range toldAddresses(s) {
				b.addresses.claim(a, o)
			}
		}
		for _, i := range s.Status.LoadBalancer.Ingress {
			if _, taken := b.hostnames[i.Hostname]; i.Hostname != "" && !taken {
				b.hostnames[i.Hostname] = o
			}
		}
	}
}

// serve gives a Service its addresses, tells it, and adds what that takes.
func (b *balancer) serve(ctx context.Context, s *corev1.Service, want wanted) error {
	if !balanced(s) {
		return b.takeBack(ctx, s)
	}
	w, err := wishOf(s)
	var a assignment
	if err == nil {
		a = b.assign(s, w)
	} else {
		a = assignment{reason: reasonInvalid, message: err.Error()}
		b.release(ownerOf(s))
	}
	for _, address := range a.addresses {
		hops := b.nextHops(s, family(address))
		if !w.proxied() {
			want.ways[address] = way{hops: hops}
			continue
		}
		want.ways[address] = way{local: true}
		for _, p := range s.Spec.Ports {
			if p.Protocol == corev1.ProtocolTCP {
				want.backends[netip.AddrPortFrom(address, uint16(p.Port))] = w.backend(hops, uint16(p.NodePort))
			}
		}
		if w.hostname != "" {
			want.names[w.hostname] = append(want.names[w.hostname], address)
		}
	}
	return b.tell(ctx, s, w, a)
}

func (w wish) backend(nodes []netip.Addr, port uint16) backend {
	b := backend{header: w.header, sources: w.sources}
	for _, n := range nodes {
		b.targets = append(b.targets, netip.AddrPortFrom(n, port))
	}
	return b
}

// balanced says whether a Service is to have an address from here: a class
// names another load balancer.
func balanced(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil && s.DeletionTimestamp == nil
}

func ownerOf(s *corev1.Service) owner {
	return owner{s.UID, types.NamespacedName{Namespace: s.Namespace, Name: s.Name}}
}

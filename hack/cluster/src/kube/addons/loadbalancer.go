package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// balancer is the load balancer in front of the cluster. Any change of a
// Service, an EndpointSlice or a Node makes it look at everything again: with
// the few objects of a local cluster that is quick, and it can't miss a case.
type balancer struct {
	client    kubernetes.Interface
	informers informers.SharedInformerFactory
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister
	nodes     corelisters.NodeLister
	changed   chan struct{}
	addresses *pool
	routes    routes
}

func newBalancer(client kubernetes.Interface, addresses *pool) *balancer {
	factory := informers.NewSharedInformerFactory(client, 0)
	return &balancer{
		client:    client,
		informers: factory,
		services:  factory.Core().V1().Services().Lister(),
		slices:    factory.Discovery().V1().EndpointSlices().Lister(),
		nodes:     factory.Core().V1().Nodes().Lister(),
		changed:   make(chan struct{}, 1),
		addresses: addresses,
	}
}

func (b *balancer) run(ctx context.Context) {
	note := func() {
		select {
		case b.changed <- struct{}{}:
		default: // a look is due already
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		UpdateFunc: func(any, any) { note() },
		DeleteFunc: func(any) { note() },
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
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
		}
		if err := b.sync(ctx); err != nil {
			log.Printf("Load balancer: %v", err)
			time.AfterFunc(time.Second, note)
		}
	}
}

func (b *balancer) sync(ctx context.Context) error {
	services, err := b.services.List(labels.Everything())
	if err != nil {
		return err
	}
	// The older Service keeps an address that two of them claim.
	slices.SortFunc(services, func(x, y *corev1.Service) int {
		return x.CreationTimestamp.Compare(y.CreationTimestamp.Time)
	})
	mine := map[string]bool{}
	for _, s := range services {
		if balanced(s) {
			mine[string(s.UID)] = true
		}
	}
	b.addresses.keep(mine)
	for _, s := range services {
		owner := string(s.UID)
		if _, has := b.addresses.of(owner); has || !balanced(s) {
			continue
		}
		if a, ok := address(s); ok {
			b.addresses.claim(a, owner)
		}
	}
	wanted := map[netip.Addr][]netip.Addr{}
	var failures []error
	for _, s := range services {
		a, err := b.assign(ctx, s)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s/%s: %w", s.Namespace, s.Name, err))
		}
		if a.IsValid() {
			wanted[a] = b.nextHops(s)
		}
	}
	return errors.Join(append(failures, b.routes.set(ctx, wanted))...)
}

// balanced says whether a Service is to have an address from here: a class
// names another load balancer.
func balanced(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil && s.DeletionTimestamp == nil
}

// address is the one that the Service's status tells.
func address(s *corev1.Service) (netip.Addr, bool) {
	ingress := s.Status.LoadBalancer.Ingress
	if len(ingress) != 1 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(ingress[0].IP)
	return a, err == nil
}

// assign makes the Service's status tell its address, or none if it is no longer
// a load balancer. It returns the address in force.
func (b *balancer) assign(ctx context.Context, s *corev1.Service) (netip.Addr, error) {
	told, _ := address(s)
	if !balanced(s) {
		if b.addresses.contains(told) && s.DeletionTimestamp == nil {
			return netip.Addr{}, b.tell(ctx, s, netip.Addr{})
		}
		return netip.Addr{}, nil
	}
	owner := string(s.UID)
	due, ok := b.addresses.of(owner)
	if !ok {
		if due, ok = b.addresses.take(owner); !ok {
			return netip.Addr{}, errors.New("no address is free")
		}
	}
	if due == told {
		return due, nil
	}
	return due, b.tell(ctx, s, due)
}

// tell writes the address to the Service's status. A conflict means that the
// cache is behind: the retry sees the newer object.
func (b *balancer) tell(ctx context.Context, s *corev1.Service, a netip.Addr) error {
	s = s.DeepCopy()
	s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	if a.IsValid() {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: a.String()}}
	}
	_, err := b.client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, s, metav1.UpdateOptions{})
	if err == nil {
		log.Printf("Service %s/%s has address %v", s.Namespace, s.Name, s.Status.LoadBalancer.Ingress)
	}
	return err
}

// nextHops are the nodes that take the Service's traffic. With
// externalTrafficPolicy Local these are the ones that run a ready pod or, while
// there is none, one that still serves as it terminates: kube-proxy there
// forwards to it. In every other case all nodes do, and kube-proxy answers for
// a Service without pods.
func (b *balancer) nextHops(s *corev1.Service) []netip.Addr {
	nodes := b.readyNodes()
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

// readyNodes maps the name of each ready node to its address.
func (b *balancer) readyNodes() map[string]netip.Addr {
	found := map[string]netip.Addr{}
	nodes, _ := b.nodes.List(labels.Everything())
	for _, n := range nodes {
		isReady := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if !isReady {
			continue
		}
		for _, a := range n.Status.Addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
				found[n.Name] = ip
			}
		}
	}
	return found
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

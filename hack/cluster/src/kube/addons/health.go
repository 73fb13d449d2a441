package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// How a node is checked: a cloud's load balancer asks kube-proxy too. A node that
// is merely busy must not be taken for a dead one: its connections would go over the
// others, where nobody knows them.
const (
	checkEvery   = 2 * time.Second
	checkTimeout = 2 * time.Second
	deadAfter    = 5 // checks in a row that failed
	kubeProxy    = "10256"
)

// health finds nodes that have died, long before Kubernetes takes them for dead.
type health struct {
	nodes   corelisters.NodeLister
	changed func()
	client  http.Client
	mu      sync.Mutex
	failed  map[string]int // checks in a row, by the node's name
}

func newHealth(nodes corelisters.NodeLister, changed func()) *health {
	return &health{
		nodes: nodes, changed: changed, failed: map[string]int{},
		client: http.Client{Timeout: checkTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

func (h *health) dead(node string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed[node] >= deadAfter
}

func (h *health) run(ctx context.Context) {
	for tick := time.NewTicker(checkEvery); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		nodes, _ := h.nodes.List(labels.Everything())
		var checks sync.WaitGroup
		for _, n := range nodes {
			a, has := nodeAddress(n, corev1.IPv4Protocol)
			if has {
				checks.Go(func() { h.note(n.Name, h.answers(ctx, a)) })
			}
		}
		checks.Wait()
	}
}

func (h *health) answers(ctx context.Context, a netip.Addr) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(a.String(), kubeProxy)+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := h.client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (h *health) note(node string, answers bool) {
	before := h.dead(node)
	h.mu.Lock()
	h.failed[node]++
	if answers {
		h.failed[node] = 0
	}
	h.mu.Unlock()
	if now := h.dead(node); now != before {
		log.Printf("Node %s answers: %t", node, !now)
		h.changed()
	}
}

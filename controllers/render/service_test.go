package render_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// has is a live Service of a type, with ports written as name=port/nodePort.
func has(kind v1alpha1.ServiceType, ports ...string) *corev1.Service {
	svc := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceType(kind)}}
	for _, text := range ports {
		var p corev1.ServicePort
		var numbers string
		p.Name, numbers, _ = strings.Cut(text, "=")
		if _, err := fmt.Sscanf(numbers, "%d/%d", &p.Port, &p.NodePort); err != nil {
			panic(err)
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
	return svc
}

// ports are those of the Service that is rendered, as has reads them.
func ports(t *testing.T, in render.Input) (out []string) {
	t.Helper()
	objects, err := render.Objects(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects.Objects {
		if svc, ok := o.(*corev1.Service); ok && svc.Name == render.ServiceName(in.Server.Name) {
			for _, p := range svc.Spec.Ports {
				out = append(out, fmt.Sprintf("%s=%d/%d", p.Name, p.Port, p.NodePort))
			}
		}
	}
	return out
}

type spec = v1alpha1.FTPServerSpec

const (
	clusterIP  = v1alpha1.ServiceClusterIP
	balancer   = v1alpha1.ServiceLoadBalancer
	byNodePort = v1alpha1.ServiceNodePort
)

func TestNodePorts(t *testing.T) {
	for name, tc := range map[string]struct {
		kind v1alpha1.ServiceType
		edit func(*spec)
		live *corev1.Service
		want string
	}{
		"chosen ones are kept": {byNodePort, func(*spec) {}, has(byNodePort, "ftp=21/31000", "s0p0=30000/31001", "s0p1=30001/31002"),
			"ftp=21/31000 s0p0=31001/31001 s0p1=31002/31002"},
		"given ones come first": {byNodePort, func(s *spec) { s.Passive.FirstNodePort = ptr.To[int32](30050) }, nil,
			"s0p0=30050/30050 s0p1=30051/30051 ftp=21/0"},
		"a given one was another's": {byNodePort, func(s *spec) { s.Service.NodePort = ptr.To[int32](31002) },
			has(byNodePort, "ftp=21/31000", "s0p0=31001/31001", "s0p1=31002/31002"),
			"ftp=21/31002 s0p0=31001/31001 s0p1=30000/0"},
		"given passive ones were the control port's": {byNodePort, func(s *spec) { s.Passive.FirstNodePort = ptr.To[int32](30999) },
			has(byNodePort, "ftp=21/31000", "s0p0=31001/31001", "s0p1=31002/31002"),
			"s0p0=30999/30999 s0p1=31000/31000 ftp=21/0"},
		"a load balancer's are kept": {balancer, func(*spec) {}, has(balancer, "ftp=21/31000", "s0p0=30000/31001", "s0p1=30001/31002"),
			"ftp=21/31000 s0p0=30000/31001 s0p1=30001/31002"},
		"a load balancer's control port": {balancer, func(s *spec) { s.Service.NodePort = ptr.To[int32](31001) },
			has(balancer, "ftp=21/31000", "s0p0=30000/31001", "s0p1=30001/31002"),
			"ftp=21/31001 s0p1=30001/31002 s0p0=30000/0"},
		"a load balancer without": {balancer, func(s *spec) { s.Service.AllocateLoadBalancerNodePorts = ptr.To(false) },
			has(balancer, "ftp=21/31000", "s0p0=30000/31001", "s0p1=30001/31002"), "ftp=21/0 s0p0=30000/0 s0p1=30001/0"},
		"inside": {clusterIP, func(*spec) {}, has(byNodePort, "ftp=21/31000", "s0p0=31001/31001"), "ftp=21/0 s0p0=30000/0 s0p1=30001/0"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(func(in *render.Input) {
				in.Server.Spec.Service.Type, in.Service = tc.kind, tc.live
				tc.edit(&in.Server.Spec)
			})
			if got := strings.Join(ports(t, in), " "); got != tc.want {
				t.Errorf("the ports are\n%s, want\n%s", got, tc.want)
			}
		})
	}
}

// Clients are told what the Service has, and the ports are pending until it has
// what is asked for.
func TestAnnouncedPorts(t *testing.T) {
	for name, tc := range map[string]struct {
		kind    v1alpha1.ServiceType
		edit    func(*spec)
		slots   int
		live    *corev1.Service
		want    []int32
		pending bool
	}{
		"no Service":        {clusterIP, func(*spec) {}, 1, nil, []int32{30000, 30001}, true},
		"as it is to be":    {clusterIP, func(*spec) {}, 1, has(clusterIP, "ftp=21/0", "s0p0=30000/0", "s0p1=30001/0"), []int32{30000, 30001}, false},
		"moved":             {clusterIP, func(s *spec) { s.Passive.FirstPort = 40000 }, 1, has(clusterIP, "ftp=21/0", "s0p0=30000/0", "s0p1=30001/0"), []int32{30000, 30001}, true},
		"widened":           {balancer, func(s *spec) { s.Passive.PortsPerReplica = 3 }, 1, has(balancer, "ftp=21/31000", "s0p0=30000/1", "s0p1=30001/2"), []int32{30000, 30001}, true},
		"another slot":      {clusterIP, func(*spec) {}, 2, has(clusterIP, "ftp=21/0", "s0p0=30500/0", "s0p1=30501/0"), []int32{30500, 30501, 30002, 30003}, true},
		"the control port":  {clusterIP, func(s *spec) { s.Service.Port = 2121 }, 1, has(clusterIP, "ftp=21/0", "s0p0=30000/0", "s0p1=30001/0"), []int32{30000, 30001}, true},
		"another type":      {byNodePort, func(*spec) {}, 1, has(clusterIP, "ftp=21/0", "s0p0=30000/0", "s0p1=30001/0"), []int32{30000, 30001}, true},
		"chosen":            {byNodePort, func(*spec) {}, 1, has(byNodePort, "ftp=21/31000", "s0p0=30000/31001", "s0p1=30001/31002"), []int32{31001, 31002}, true},
		"the same inside":   {byNodePort, func(*spec) {}, 1, has(byNodePort, "ftp=21/31000", "s0p0=31001/31001", "s0p1=31002/31002"), []int32{31001, 31002}, false},
		"given and refused": {byNodePort, func(s *spec) { s.Passive.FirstNodePort = ptr.To[int32](30050) }, 1, has(byNodePort, "ftp=21/31000", "s0p0=31001/31001", "s0p1=31002/31002"), []int32{31001, 31002}, true},
		"control refused":   {byNodePort, func(s *spec) { s.Service.NodePort = ptr.To[int32](30021) }, 1, has(byNodePort, "ftp=21/31000", "s0p0=31001/31001", "s0p1=31002/31002"), []int32{31001, 31002}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(func(in *render.Input) {
				in.Server.Spec.Service.Type = tc.kind
				tc.edit(&in.Server.Spec)
			})
			if got := numbers(render.AnnouncedPorts(in.Server, tc.live, tc.slots)); !slices.Equal(got, tc.want) {
				t.Errorf("%v are announced, want %v", got, tc.want)
			}
			if got := render.PortsPending(in.Server, tc.live, tc.slots); got != tc.pending {
				t.Errorf("pending: %v", got)
			}
		})
	}
}

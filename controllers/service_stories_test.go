package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Numbers that no other test of this package asks for, in the part of the range
// from which Kubernetes takes what it chooses only when the rest is used up.
const (
	freeNodePort  = 30000
	freeNodePorts = 30010
)

// consistent waits until the Service has exactly the ports that the spec asks for
// and the configuration announces each slot's as clients reach them.
func consistent(t *testing.T, server *v1alpha1.FTPServer) *corev1.Service {
	t.Helper()
	var svc corev1.Service
	eventually(t, func() error {
		key := client.ObjectKeyFromObject(server)
		written := client.ObjectKey{Namespace: key.Namespace, Name: render.ConfigSecretName(key.Name)}
		if err := errors.Join(kube.Get(t.Context(), key, server), kube.Get(t.Context(), key, &svc), kube.Get(t.Context(), written, &corev1.Secret{})); err != nil {
			return err
		}
		return agrees(server, &svc, serverConfig(t, server.Namespace, server.Name))
	})
	return &svc
}

func agrees(server *v1alpha1.FTPServer, svc *corev1.Service, c *config.Config) error {
	spec := server.Spec
	if string(svc.Spec.Type) != string(spec.Service.Type) {
		return fmt.Errorf("the Service is of type %s", svc.Spec.Type)
	}
	passive := render.Slots(server) * int(spec.Passive.PortsPerReplica)
	if len(c.Passive.Ports) != passive || len(svc.Spec.Ports) != passive+1 {
		return fmt.Errorf("%d ports are announced, and the Service has %d", len(c.Passive.Ports), len(svc.Spec.Ports))
	}
	for _, p := range svc.Spec.Ports {
		hasNode := p.NodePort != 0
		if wants := spec.Service.Type != v1alpha1.ServiceClusterIP && ptr.Deref(spec.Service.AllocateLoadBalancerNodePorts, true); hasNode != wants {
			return fmt.Errorf("port %s has node port %d", p.Name, p.NodePort)
		}
		if p.Name == render.ControlPortName {
			if given := spec.Service.NodePort; given != nil && *given != p.NodePort {
				return fmt.Errorf("the control port is %d on nodes, not %d", p.NodePort, *given)
			}
			continue
		}
		if spec.Service.Type == v1alpha1.ServiceNodePort && p.Port != p.NodePort {
			return fmt.Errorf("port %s is %d inside and %d on nodes", p.Name, p.Port, p.NodePort)
		}
		announced := func(a config.PassivePort) bool {
			return render.PassivePortName(a.Slot, a.Listen-50000) == p.Name && a.Announce == int(p.Port)
		}
		if !slices.ContainsFunc(c.Passive.Ports, announced) {
			return fmt.Errorf("port %s is %d and is not announced so: %+v", p.Name, p.Port, c.Passive.Ports)
		}
	}
	if first := spec.Passive.FirstNodePort; first != nil && c.Passive.Ports[0].Announce != int(*first) {
		return fmt.Errorf("the first passive port is %d, not %d", c.Passive.Ports[0].Announce, *first)
	}
	return nil
}

// What an edit asks for, Kubernetes gives: nothing that the Service had before is
// in the way of what it is to have, whatever follows upon what.
func TestServiceFollowsEveryEdit(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficCluster
		s.Spec.Passive.PortsPerReplica = 2
	})
	create(t, server)
	runPods(t, ns, "files")
	automatic := consistent(t, server)
	const balancer, nodePort, clusterIP = v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNodePort, v1alpha1.ServiceClusterIP
	type spec = v1alpha1.FTPServerSpec
	for _, step := range []struct {
		name string
		edit func(*spec)
	}{
		{"from 2 to 8 ports", func(s *spec) { s.Passive.PortsPerReplica = 8 }},
		{"from 1 to 3 slots", func(s *spec) { s.Passive.Slots = ptr.To[int32](3) }},
		{"given passive ports", func(s *spec) { s.Passive.FirstNodePort = ptr.To[int32](freeNodePorts) }},
		{"moved by one", func(s *spec) { s.Passive.FirstNodePort = ptr.To[int32](freeNodePorts + 1) }},
		{"back by one, fewer", func(s *spec) { s.Passive.FirstNodePort, s.Passive.PortsPerReplica = ptr.To[int32](freeNodePorts), 4 }},
		{"automatic again", func(s *spec) { s.Passive.FirstNodePort = nil }},
		{"a given control port", func(s *spec) { s.Service.NodePort = ptr.To[int32](freeNodePort) }},
		{"that a passive port has had", func(s *spec) { s.Service.NodePort = ptr.To[int32](freeNodePorts + 3) }},
		{"passive ports where the control port is", func(s *spec) {
			s.Service.NodePort, s.Passive.FirstNodePort = nil, ptr.To[int32](freeNodePorts+2)
		}},
		{"a load balancer", func(s *spec) { s.Service.Type, s.Passive.FirstNodePort = balancer, nil }},
		{"with a given control port", func(s *spec) { s.Service.NodePort = ptr.To[int32](freeNodePort) }},
		{"inside only", func(s *spec) { s.Service.Type, s.Service.NodePort = clusterIP, nil }},
		{"a load balancer with a given control port", func(s *spec) { s.Service.Type, s.Service.NodePort = balancer, ptr.To[int32](freeNodePort) }},
		{"moved by one inside", func(s *spec) { s.Passive.FirstPort++ }},
		{"inside only, and moved", func(s *spec) {
			s.Service.Type, s.Service.NodePort, s.Passive.FirstPort, s.Passive.PortsPerReplica = clusterIP, nil, 30000, 8
		}},
		{"a load balancer of a class", func(s *spec) { s.Service.Type, s.Service.LoadBalancerClass = balancer, ptr.To("example.com/lb") }},
		{"without node ports", func(s *spec) { s.Service.AllocateLoadBalancerNodePorts = ptr.To(false) }},
		{"with node ports", func(s *spec) { s.Service.AllocateLoadBalancerNodePorts = nil }},
		{"Local", func(s *spec) { s.Service.ExternalTrafficPolicy = v1alpha1.ExternalTrafficLocal }},
		{"node ports, affine", func(s *spec) {
			s.Service.Type, s.Service.LoadBalancerClass, s.Service.SessionAffinity = nodePort, nil, v1alpha1.SessionAffinityClientIP
		}},
		{"inside again", func(s *spec) { s.Service.Type = clusterIP }},
		{"not affine", func(s *spec) { s.Service.SessionAffinity = v1alpha1.SessionAffinityNone }},
		{"both families, if there are", func(s *spec) { s.Service.IPFamilyPolicy = ptr.To(v1alpha1.IPFamilyPolicy("PreferDualStack")) }},
		{"one family", func(s *spec) { s.Service.IPFamilyPolicy, s.Service.IPFamilies = nil, []v1alpha1.IPFamily{"IPv4"} }},
		{"the cluster's own", func(s *spec) { s.Service.IPFamilies = nil }},
	} {
		t.Log(step.name)
		change(t, server, func(s *v1alpha1.FTPServer) { step.edit(&s.Spec) })
		says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
		now := consistent(t, server)
		if step.name == "from 1 to 3 slots" {
			for _, was := range automatic.Spec.Ports {
				if !slices.ContainsFunc(now.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == was.Name && p.NodePort == was.NodePort }) {
					t.Errorf("%s: port %s has moved from %d", step.name, was.Name, was.NodePort)
				}
			}
		}
	}
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

// Two servers want the same node ports. The one that comes later is told which,
// and the other goes on untouched; so does what the later one has been reached at
// before. Once they are free it has them, with nobody's help.
func TestNodePortsWantedTwice(t *testing.T) {
	const control, passive = 30080, 30070 // asked for by no other test
	ns := namespace(t)
	wants := func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.NodePort, s.Spec.Passive.FirstNodePort = v1alpha1.ServiceNodePort, ptr.To[int32](control), ptr.To[int32](passive)
	}
	winner := newServer(ns, "winner", wants)
	create(t, winner)
	consistent(t, winner)
	var before corev1.Service
	get(t, ns, "winner", &before)

	loser := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	create(t, loser)
	runPods(t, ns, "files")
	reaches(t, loser, kstatus.CurrentStatus)
	get(t, ns, "files", loser)
	reached := *loser.Status.DeepCopy()
	announced := serverConfig(t, ns, "files").Passive
	change(t, loser, wants)
	c := says(t, loser, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, fmt.Sprint(control)) || !strings.Contains(c.Message, "already allocated") || !strings.Contains(c.Message, "another Service has") {
		t.Errorf("it is not told which port, or what to do: %s", c.Message)
	}
	reaches(t, loser, kstatus.FailedStatus)
	says(t, loser, v1alpha1.ConditionAddressAssigned, metav1.ConditionFalse, v1alpha1.ReasonAddressPending)
	change(t, loser, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = v1alpha1.LogDebug }) // what else is asked for is done
	configured(t, ns, func(c *config.Config) error {
		if c.Log.Level != "Debug" {
			return fmt.Errorf("the log level is %s", c.Log.Level)
		}
		return nil
	})
	if now := serverConfig(t, ns, "files").Passive; !slices.Equal(now.Ports, announced.Ports) || now.AddressPending {
		t.Errorf("it was reached at %+v, and is told to announce %+v", announced, now)
	}
	get(t, ns, "files", loser)
	if is := loser.Status; is.Ports == nil || !slices.Equal(is.Ports.Passive, reached.Ports.Passive) || is.Ports.Control != reached.Ports.Control || len(is.Addresses) != 1 {
		t.Errorf("it was reached at %+v, and is told as at %+v", reached, is)
	}
	quiet(t, ns, "files")
	var after corev1.Service
	if get(t, ns, "winner", &after); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the winner was touched: %+v", after.Spec.Ports)
	}

	remove(t, winner, &after)
	reconcileAll(t, ns, "files") // as the operator does itself within half a minute
	consistent(t, loser)
	reaches(t, loser, kstatus.CurrentStatus)
}

// What the cluster does not have is told in the API server's words, and what runs
// goes on.
func TestFamilyThatTheClusterHasNot(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.IPFamilies = []v1alpha1.IPFamily{"IPv6"} })
	create(t, server)
	c := says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, "spec.ipFamilies[0]") || !strings.Contains(c.Message, "not configured on this cluster") {
		t.Errorf("it is told as %s", c.Message)
	}
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.IPFamilies = nil })
	consistent(t, server)
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.Service.IPFamilyPolicy = ptr.To(v1alpha1.IPFamilyPolicy("RequireDualStack"))
		s.Spec.Passive.FirstPort = 40000
	})
	c = says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, "dual-stack") {
		t.Errorf("it is told as %s", c.Message)
	}
	if p := serverConfig(t, ns, "files").Passive.Ports[0]; p.Announce != 30000 {
		t.Errorf("port %d is announced, and the Service has 30000 still", p.Announce)
	}
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.IPFamilyPolicy = nil })
	consistent(t, server)
}

// Of two servers that want one address of a load balancer, the one that its
// controller turns down is told why.
func TestAddressThatAnotherHas(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer })
	create(t, server)
	runPods(t, ns, "files")
	consistent(t, server)
	eventually(t, func() error {
		var svc corev1.Service
		get(t, ns, "files", &svc)
		svc.Status.Conditions = []metav1.Condition{{
			Type: "cilium.io/IPAMRequestSatisfied", Status: metav1.ConditionFalse, Reason: "already_allocated",
			Message: "203.0.113.9 is another Service's", LastTransitionTime: metav1.Now(),
		}}
		return kube.Status().Update(t.Context(), &svc)
	})
	eventually(t, func() error {
		c := says(t, server, v1alpha1.ConditionAddressAssigned, metav1.ConditionFalse, v1alpha1.ReasonAddressPending)
		if !strings.Contains(c.Message, "203.0.113.9 is another Service's") {
			return fmt.Errorf("it is told as %s", c.Message)
		}
		return nil
	})
	quiet(t, ns, "files")
}

package policy_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// live is a Service of a type, as the API server has it.
func live(kind v1alpha1.ServiceType, change ...func(*corev1.Service)) *corev1.Service {
	svc := &corev1.Service{}
	svc.Spec.Type = corev1.ServiceType(kind)
	svc.Spec.ClusterIPs = []string{"10.0.0.1", "fd00::1"}
	if kind != v1alpha1.ServiceClusterIP {
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	for _, f := range change {
		f(svc)
	}
	return svc
}

func throughCluster(svc *corev1.Service) {
	svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
}

func balanced(entries ...corev1.LoadBalancerIngress) func(*corev1.Service) {
	return func(svc *corev1.Service) { svc.Status.LoadBalancer.Ingress = entries }
}

// on places a pod on a node with these addresses.
func on(ips ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, ip := range ips {
			p.Status.HostIPs = append(p.Status.HostIPs, corev1.HostIP{IP: ip})
		}
	}
}

func ending(p *corev1.Pod) { p.DeletionTimestamp = &noon }

// cutOff is what is told of a pod whose node is not heard of any more.
func cutOff(p *corev1.Pod) {
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
	}
}

func slots(pods ...[]*corev1.Pod) (out []policy.Slot) {
	for i, p := range pods {
		out = append(out, policy.Slot{Number: i, Pods: p})
	}
	return out
}

func one(change ...func(*corev1.Pod)) []*corev1.Pod { return []*corev1.Pod{pod("p", change...)} }

func ips(values ...string) (out []v1alpha1.ServerAddress) {
	for _, v := range values {
		out = append(out, v1alpha1.ServerAddress{Type: v1alpha1.AddressIP, Value: v})
	}
	return out
}

func TestFindAddresses(t *testing.T) {
	const clusterIP, balancer, nodePort = v1alpha1.ServiceClusterIP, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNodePort
	two := live(nodePort, throughCluster)
	entries := balanced(corev1.LoadBalancerIngress{IP: "192.0.2.1", Hostname: "lb.example"}, corev1.LoadBalancerIngress{Hostname: "lb2.example"},
		corev1.LoadBalancerIngress{IP: "192.0.2.1"}, corev1.LoadBalancerIngress{IP: "2001:db8::1"})
	ended := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	for name, tc := range map[string]struct {
		reach   policy.Reach
		want    string
		passive string
	}{
		"no Service":       {policy.Reach{Type: clusterIP}, "[] pending", "[] pending"},
		"cluster IPs":      {policy.Reach{Type: clusterIP, Service: live(clusterIP)}, "[10.0.0.1 fd00::1]", "[10.0.0.1]"},
		"balancer pending": {policy.Reach{Type: balancer, Service: live(balancer)}, "[] pending", "[] pending"},
		"balancer": {policy.Reach{Type: balancer, Service: live(balancer, entries)},
			"[192.0.2.1 lb.example lb2.example 2001:db8::1]", "[192.0.2.1 lb.example lb2.example]"},
		"IPv6 only": {policy.Reach{Type: balancer, Service: live(balancer, balanced(corev1.LoadBalancerIngress{IP: "2001:db8::1"}))},
			"[2001:db8::1]", "[]"},
		"still of another type": {policy.Reach{Type: nodePort, Service: live(clusterIP)}, "[10.0.0.1 fd00::1] outdated", "[10.0.0.1]"},

		"node of the pod": {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(one(on("192.0.2.7", "2001:db8::7")))},
			"[192.0.2.7 2001:db8::7]", "[192.0.2.7]"},
		"no pod yet":          {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(nil)}, "[] pending", "[] pending"},
		"none is to run":      {policy.Reach{Type: nodePort, Service: live(nodePort), Told: ips("192.0.2.7")}, "[] pending", "[] pending"},
		"the pod is ending":   {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(one(on("192.0.2.7"), ending))}, "[192.0.2.7]", "[192.0.2.7]"},
		"the next one":        {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(append(one(on("192.0.2.7"), ending), one(on("192.0.2.8"))...))}, "[192.0.2.8]", "[192.0.2.8]"},
		"between two pods":    {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(one()), Told: ips("192.0.2.7")}, "[192.0.2.7] pending", "[] pending"},
		"the node is lost":    {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(one(on("192.0.2.7"), cutOff)), Told: ips("192.0.2.7")}, "[192.0.2.7] pending", "[] pending"},
		"an evicted pod":      {policy.Reach{Type: nodePort, Service: live(nodePort), Slots: slots(one(on("192.0.2.7"), ended))}, "[] pending", "[] pending"},
		"told of a ClusterIP": {policy.Reach{Type: clusterIP, Service: live(nodePort), Slots: slots(one()), Told: ips("10.0.0.1")}, "[] pending outdated", "[] pending"},

		"any node, in order": {policy.Reach{Type: nodePort, Service: two, Slots: slots(one(on("192.0.2.10", "2001:db8::a")), one(on("192.0.2.9", "2001:db8::9")), one(on("192.0.2.9", "2001:db8::9")))},
			"[192.0.2.9 2001:db8::9 192.0.2.10 2001:db8::a]", "[192.0.2.9 192.0.2.10]"},
		"a slot between two pods": {policy.Reach{Type: nodePort, Service: two, Slots: slots(one(), one(on("192.0.2.9"))), Told: ips("192.0.2.8", "192.0.2.9")},
			"[192.0.2.8 192.0.2.9]", "[192.0.2.8 192.0.2.9]"},
		"a slot has moved": {policy.Reach{Type: nodePort, Service: two, Slots: slots(append(one(on("192.0.2.8"), ending), one(on("192.0.2.7"))...), one(on("192.0.2.9"))), Told: ips("192.0.2.8", "192.0.2.9")},
			"[192.0.2.7 192.0.2.9]", "[192.0.2.7 192.0.2.9]"},
		"one of two nodes is lost": {policy.Reach{Type: nodePort, Service: two, Slots: slots(one(on("192.0.2.8"), cutOff), one(on("192.0.2.9"))), Told: ips("192.0.2.8", "192.0.2.9")},
			"[192.0.2.9]", "[192.0.2.9]"},
		"no slot has a pod": {policy.Reach{Type: nodePort, Service: two, Slots: slots(one(), one())}, "[] pending", "[] pending"},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.FindAddresses(tc.reach)
			if s := text(got); s != tc.want {
				t.Errorf("addresses are %s, want %s", s, tc.want)
			}
			passive, pending := policy.PassiveAddresses(v1alpha1.PassiveSpec{}, got)
			var told []string
			for _, a := range passive {
				told = append(told, a.Address)
			}
			if s := fmt.Sprint(told) + flag(" pending", pending); s != tc.passive {
				t.Errorf("PASV answers %s, want %s", s, tc.passive)
			}
		})
	}
}

func text(a policy.Addresses) string {
	var values []string
	for _, v := range a.List {
		values = append(values, v.Value)
	}
	return fmt.Sprint(values) + flag(" pending", a.Pending) + flag(" outdated", a.Outdated)
}

func flag(name string, is bool) string {
	if is {
		return name
	}
	return ""
}

// As many nodes as a status does not hold are told in part.
func TestMoreAddressesThanTold(t *testing.T) {
	var nodes [][]*corev1.Pod
	for i := range 64 {
		nodes = append(nodes, one(on(fmt.Sprintf("192.0.2.%d", 100+i))))
	}
	got := policy.FindAddresses(policy.Reach{Type: v1alpha1.ServiceNodePort, Service: live(v1alpha1.ServiceNodePort, throughCluster), Slots: slots(nodes...)})
	if len(got.List) != 32 || got.List[0].Value != "192.0.2.100" {
		t.Errorf("told are %v", got.List)
	}
}

// Who is in no network of the given addresses is told the Service's own.
func TestGivenPassiveAddresses(t *testing.T) {
	inside := v1alpha1.PassiveAddress{Address: "10.1.1.1", ClientCIDRs: []string{"10.0.0.0/8"}}
	outside := v1alpha1.PassiveAddress{Address: "203.0.113.1"}
	found := policy.Addresses{List: ips("192.0.2.1")}
	for name, tc := range map[string]struct {
		given []v1alpha1.PassiveAddress
		found policy.Addresses
		want  string
	}{
		"for all":                  {[]v1alpha1.PassiveAddress{inside, outside}, found, "[{10.1.1.1 [10.0.0.0/8]} {203.0.113.1 []}]"},
		"for all, nothing found":   {[]v1alpha1.PassiveAddress{outside}, policy.Addresses{Pending: true}, "[{203.0.113.1 []}]"},
		"for some":                 {[]v1alpha1.PassiveAddress{inside}, found, "[{10.1.1.1 [10.0.0.0/8]} {192.0.2.1 []}]"},
		"for some, nothing found":  {[]v1alpha1.PassiveAddress{inside}, policy.Addresses{Pending: true}, "[{10.1.1.1 [10.0.0.0/8]}] pending"},
		"for some, no longer true": {[]v1alpha1.PassiveAddress{inside}, policy.Addresses{List: ips("192.0.2.1"), Pending: true}, "[{10.1.1.1 [10.0.0.0/8]}] pending"},
	} {
		addresses, pending := policy.PassiveAddresses(v1alpha1.PassiveSpec{Addresses: tc.given}, tc.found)
		if got := fmt.Sprint(addresses) + flag(" pending", pending); got != tc.want {
			t.Errorf("%s: PASV answers %s, want %s", name, got, tc.want)
		}
	}
}

func TestAddressAssigned(t *testing.T) {
	const clusterIP, balancer, nodePort = v1alpha1.ServiceClusterIP, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNodePort
	conditions := func(kind string, status metav1.ConditionStatus) func(*corev1.Service) {
		return func(svc *corev1.Service) {
			svc.Status.Conditions = append(svc.Status.Conditions, metav1.Condition{Type: kind, Status: status, Reason: "Why", Message: "so"})
		}
	}
	address := balanced(corev1.LoadBalancerIngress{IP: "192.0.2.1"})
	broken := balanced(corev1.LoadBalancerIngress{IP: "192.0.2.1", Ports: []corev1.PortStatus{
		{Port: 21}, {Port: 30007, Error: ptr.To("example.com/TooManyListeners")},
	}})
	for name, tc := range map[string]struct {
		kind         v1alpha1.ServiceType
		svc          *corev1.Service
		replicas     int
		pendingPorts bool
		reason       v1alpha1.Reason
		message      string
		not          string
	}{
		"assigned":          {clusterIP, live(clusterIP), 1, false, v1alpha1.ReasonAddressAssigned, "at 10.0.0.1", "IPv6"},
		"no Service":        {clusterIP, nil, 1, false, v1alpha1.ReasonAddressPending, "has not assigned", ""},
		"ports pending":     {clusterIP, live(clusterIP), 1, true, v1alpha1.ReasonAddressPending, "has not assigned", ""},
		"another type":      {balancer, live(clusterIP), 1, false, v1alpha1.ReasonAddressPending, "not of type LoadBalancer yet; clients reach the server at 10.0.0.1", ""},
		"nothing to run":    {nodePort, live(nodePort), 0, false, v1alpha1.ReasonScaledToZero, "", ""},
		"no node":           {nodePort, live(nodePort), 1, false, v1alpha1.ReasonAddressPending, "no pod has one", ""},
		"no balancer":       {balancer, live(balancer), 1, false, v1alpha1.ReasonAddressPending, "whether the cluster has a load balancer", "It says"},
		"the loser is told": {balancer, live(balancer, conditions("cilium.io/IPAMRequestSatisfied", "False")), 1, false, v1alpha1.ReasonAddressPending, "It says: cilium.io/IPAMRequestSatisfied is False: Why (so)", ""},
		"ports refused":     {balancer, live(balancer, conditions(corev1.LoadBalancerPortsError, "True")), 1, false, v1alpha1.ReasonAddressPending, "LoadBalancerPortsError is True", ""},
		"all is well":       {balancer, live(balancer, address, conditions("example.com/Ready", "True"), conditions("ConflictFound", "False"), conditions("x", "Unknown")), 1, false, v1alpha1.ReasonAddressAssigned, "at 192.0.2.1", "says"},
		"complains":         {balancer, live(balancer, address, conditions("ConflictFound", "True")), 1, false, v1alpha1.ReasonAddressAssigned, "says: ConflictFound is True", ""},
		"a port is not":     {balancer, live(balancer, broken), 1, false, v1alpha1.ReasonAddressPending, "at 192.0.2.1 does not pass on everything: port 30007: example.com/TooManyListeners", "port 21"},
		"IPv6 only":         {balancer, live(balancer, balanced(corev1.LoadBalancerIngress{IP: "2001:db8::1"})), 1, false, v1alpha1.ReasonAddressAssigned, "by IPv6 only", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &v1alpha1.FTPServer{}
			s.Spec.Service.Type = tc.kind
			reach := policy.Reach{Type: tc.kind, Service: tc.svc}
			if tc.replicas > 0 {
				reach.Slots = slots(one())
			}
			got := policy.AddressAssigned(s, tc.replicas, policy.FindAddresses(reach), tc.pendingPorts)
			if got.Reason != tc.reason || !strings.Contains(got.Message, tc.message) || tc.not != "" && strings.Contains(got.Message, tc.not) {
				t.Errorf("got %+v", got)
			}
			if got.OK() != (tc.reason != v1alpha1.ReasonAddressPending) {
				t.Errorf("%s is told as %s", tc.reason, got.Status)
			}
		})
	}
}

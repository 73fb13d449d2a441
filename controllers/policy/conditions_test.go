package policy_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func finding(status metav1.ConditionStatus, reason v1alpha1.Reason) policy.Finding {
	return policy.Finding{Status: status, Reason: reason, Message: string(reason)}
}

func summary(conditions []metav1.Condition) string {
	var out []string
	for _, c := range conditions {
		out = append(out, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	return strings.Join(out, " ")
}

func TestSetConditions(t *testing.T) {
	good := policy.Named{Type: "A", Finding: finding("True", "Fine")}
	pending := policy.Named{Type: "B", Finding: finding("False", v1alpha1.ReasonPending)}
	unknown := policy.Named{Type: "C", Finding: finding("Unknown", v1alpha1.ReasonStatusUnreachable)}
	stuck := policy.Named{Type: "D", Finding: finding("False", v1alpha1.ReasonNameTaken)}
	for name, tc := range map[string]struct {
		findings []policy.Named
		want     string
	}{
		"all is well":         {[]policy.Named{good}, "Ready=True/Ready A=True/Fine"},
		"at work":             {[]policy.Named{good, pending}, "Ready=False/Pending A=True/Fine B=False/Pending Reconciling=True/Progressing"},
		"not known":           {[]policy.Named{good, unknown}, "Ready=Unknown/StatusUnreachable A=True/Fine C=Unknown/StatusUnreachable Reconciling=True/Progressing"},
		"needs an edit":       {[]policy.Named{stuck, good}, "Ready=False/NameTaken D=False/NameTaken A=True/Fine Stalled=True/NameTaken"},
		"the first decides":   {[]policy.Named{pending, stuck}, "Ready=False/Pending B=False/Pending D=False/NameTaken Stalled=True/NameTaken"},
		"unknown before wait": {[]policy.Named{unknown, pending}, "Ready=Unknown/StatusUnreachable C=Unknown/StatusUnreachable B=False/Pending Reconciling=True/Progressing"},
	} {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			policy.SetConditions(&conditions, 7, tc.findings, finding("True", v1alpha1.ReasonReady))
			if got := summary(conditions); got != tc.want {
				t.Errorf("got\n%s, want\n%s", got, tc.want)
			}
			for _, c := range conditions {
				if c.ObservedGeneration != 7 {
					t.Errorf("%s is of generation %d", c.Type, c.ObservedGeneration)
				}
			}
		})
	}
}

func TestConditionsRecover(t *testing.T) {
	var conditions []metav1.Condition
	ready := finding("True", v1alpha1.ReasonReady)
	policy.SetConditions(&conditions, 1, []policy.Named{{Type: "A", Finding: finding("False", v1alpha1.ReasonNameTaken)}}, ready)
	policy.SetConditions(&conditions, 2, []policy.Named{{Type: "A", Finding: finding("True", "Fine")}}, ready)
	if got := summary(conditions); got != "Ready=True/Ready A=True/Fine" {
		t.Errorf("got %s", got)
	}
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, f := range change {
		f(p)
	}
	return p
}

func TestFindAddresses(t *testing.T) {
	svc := &corev1.Service{}
	svc.Spec.ClusterIPs = []string{"10.0.0.1", "fd00::1"}
	balanced := svc.DeepCopy()
	balanced.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}, {Hostname: "lb.example"}, {IP: "192.0.2.1"}}
	hosts := []*corev1.Pod{pod("p", func(p *corev1.Pod) { p.Status.HostIPs = []corev1.HostIP{{IP: "192.0.2.7"}} })}
	for name, tc := range map[string]struct {
		kind    v1alpha1.ServiceType
		svc     *corev1.Service
		pods    []*corev1.Pod
		want    string
		passive string
	}{
		"no Service":        {v1alpha1.ServiceClusterIP, nil, nil, "{[] true}", "[] true"},
		"cluster IPs":       {v1alpha1.ServiceClusterIP, svc, hosts, "{[{IPAddress 10.0.0.1} {IPAddress fd00::1}] false}", "[{10.0.0.1 []}] false"},
		"balancer pending":  {v1alpha1.ServiceLoadBalancer, svc, hosts, "{[] true}", "[] true"},
		"balancer":          {v1alpha1.ServiceLoadBalancer, balanced, hosts, "{[{IPAddress 192.0.2.1} {Hostname lb.example}] false}", "[{192.0.2.1 []} {lb.example []}] false"},
		"node port, no pod": {v1alpha1.ServiceNodePort, svc, nil, "{[] true}", "[] true"},
		"node port":         {v1alpha1.ServiceNodePort, svc, hosts, "{[{IPAddress 192.0.2.7}] false}", "[{192.0.2.7 []}] false"},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.FindAddresses(tc.kind, tc.svc, tc.pods)
			if s := fmt.Sprint(got); s != tc.want {
				t.Errorf("addresses are %s, want %s", s, tc.want)
			}
			addresses, pending := policy.PassiveAddresses(v1alpha1.PassiveSpec{}, got)
			if s := fmt.Sprint(addresses, " ", pending); s != tc.passive {
				t.Errorf("PASV answers %s, want %s", s, tc.passive)
			}
		})
	}
	given := v1alpha1.PassiveSpec{Addresses: []v1alpha1.PassiveAddress{{Address: "203.0.113.1", ClientCIDRs: []string{"10.0.0.0/8"}}}}
	addresses, pending := policy.PassiveAddresses(given, policy.Addresses{Pending: true})
	if s := fmt.Sprint(addresses, " ", pending); s != "[{203.0.113.1 [10.0.0.0/8]}] false" {
		t.Errorf("PASV answers %s", s)
	}
}

func TestServerAccepted(t *testing.T) {
	none := []string(nil)
	for name, tc := range map[string]struct {
		got     policy.Finding
		reason  v1alpha1.Reason
		message string
	}{
		"all is well": {policy.ServerAccepted("", none, none, none), v1alpha1.ReasonAccepted, ""},
		"invalid":     {policy.ServerAccepted("bad", []string{"Service x"}, none, none), v1alpha1.ReasonInvalidSpec, "bad"},
		"taken":       {policy.ServerAccepted("", []string{"Service x", "Secret y"}, []string{"Secret z"}, none), v1alpha1.ReasonNameTaken, "Service x, Secret y"},
		"refused":     {policy.ServerAccepted("", none, []string{"Secret z"}, []string{"a: no", "b: never"}), v1alpha1.ReasonChildRejected, "a: no; b: never"},
		"leaving":     {policy.ServerAccepted("", none, []string{"Secret y", "Secret z"}, none), v1alpha1.ReasonChildLeaving, "Secret y, Secret z"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.got.Reason != tc.reason || !strings.Contains(tc.got.Message, tc.message) {
				t.Errorf("got %+v", tc.got)
			}
		})
	}
}

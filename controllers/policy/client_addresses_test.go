package policy_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func TestClientAddresses(t *testing.T) {
	const clusterIP, balancer, nodePort = v1alpha1.ServiceClusterIP, v1alpha1.ServiceLoadBalancer, v1alpha1.ServiceNodePort
	const local, through = v1alpha1.ExternalTrafficLocal, v1alpha1.ExternalTrafficCluster
	mode := func(m corev1.LoadBalancerIPMode) func(*corev1.Service) {
		return balanced(corev1.LoadBalancerIngress{IP: "192.0.2.1"}, corev1.LoadBalancerIngress{IP: "192.0.2.2", IPMode: ptr.To(m)})
	}
	for name, tc := range map[string]struct {
		kind   v1alpha1.ServiceType
		policy v1alpha1.ExternalTrafficPolicy
		svc    *corev1.Service
		hidden bool
	}{
		"inside":                                {clusterIP, through, live(clusterIP), false},
		"inside, no Service":                    {clusterIP, through, nil, false},
		"node of the pod":                       {nodePort, local, live(nodePort), false},
		"any node":                              {nodePort, through, live(nodePort, throughCluster), true},
		"balancer, node of the pod":             {balancer, local, live(balancer), false},
		"balancer, any node":                    {balancer, through, live(balancer, throughCluster), true},
		"balancer that routes":                  {balancer, local, live(balancer, mode(corev1.LoadBalancerIPModeVIP)), false},
		"balancer that connects":                {balancer, local, live(balancer, mode(corev1.LoadBalancerIPModeProxy)), true},
		"balancer that connects to any node":    {balancer, through, live(balancer, throughCluster, mode(corev1.LoadBalancerIPModeProxy)), true},
		"any node, no Service yet":              {balancer, through, nil, true},
		"about to be any node":                  {nodePort, through, live(nodePort), true},
		"any node until the Service is changed": {nodePort, local, live(nodePort, throughCluster), true},
		"inside, once the Service is changed":   {clusterIP, local, live(nodePort, throughCluster), true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.ServiceSpec{Type: tc.kind, ExternalTrafficPolicy: tc.policy}
			hidden := policy.SourcesHidden(spec, tc.svc, "")
			if hidden != tc.hidden {
				t.Errorf("sources are hidden: %v", hidden)
			}
			want := v1alpha1.ClientAddressesPreserved
			if hidden {
				want = v1alpha1.ClientAddressesHidden
			}
			if got := policy.ClientAddresses(spec, hidden); got != want {
				t.Errorf("client addresses are %s", got)
			}
			spec.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{}
			if policy.SourcesHidden(spec, tc.svc, "") != tc.hidden || policy.ClientAddresses(spec, hidden) != v1alpha1.ClientAddressesPreserved {
				t.Error("the PROXY protocol brings the addresses, and not by the sources")
			}
		})
	}
}

// What rests on addresses is told where the spec has it, and nothing else is.
func TestClientAddressesKnown(t *testing.T) {
	rules := map[string]string{ // what tells of each rule
		"resumes": "has to resume its session", "any session": "tls.dataSessions is Optional",
		"clear refused": "are refused with 425", "clear taken": "passive.unverifiedData is Allow",
		"per address": "limits.sessionsPerAddress", "lockout": "limits.failedLogins", "networks": "clientCIDRs",
		"anonymous": "anonymous login", "affinity": "service.sessionAffinity", "users": "allowedCIDRs", "policy": "networkPolicy.ftpFrom",
	}
	proxy := live(v1alpha1.ServiceLoadBalancer, balanced(corev1.LoadBalancerIngress{IP: "192.0.2.1", IPMode: ptr.To(corev1.LoadBalancerIPModeProxy)}))
	plain := live(v1alpha1.ServiceLoadBalancer, throughCluster)
	blocks := []v1alpha1.NetworkPeer{{IPBlock: &v1alpha1.IPBlock{CIDR: "198.51.100.0/24"}}}
	for name, tc := range map[string]struct {
		svc  *corev1.Service
		edit func(*v1alpha1.FTPServerSpec)
		want string
	}{
		"defaults":      {plain, func(*v1alpha1.FTPServerSpec) {}, "resumes lockout users"},
		"no guessing":   {plain, func(s *v1alpha1.FTPServerSpec) { s.Limits.FailedLogins.Mode = v1alpha1.FailedLoginsDelay }, "resumes users"},
		"any session":   {plain, func(s *v1alpha1.FTPServerSpec) { s.TLS.DataSessions = v1alpha1.DataSessionsOptional }, "any session lockout users"},
		"plain FTP":     {plain, func(s *v1alpha1.FTPServerSpec) { s.TLS.Mode = v1alpha1.TLSDisabled }, "clear refused lockout users"},
		"either":        {plain, func(s *v1alpha1.FTPServerSpec) { s.TLS.Mode = v1alpha1.TLSOptional }, "resumes clear refused lockout users"},
		"data in clear": {plain, func(s *v1alpha1.FTPServerSpec) { s.TLS.DataProtection = v1alpha1.DataProtectionOptional }, "resumes clear refused lockout users"},
		"whoever is first": {plain, func(s *v1alpha1.FTPServerSpec) {
			s.TLS.Mode, s.Passive.UnverifiedData = v1alpha1.TLSDisabled, v1alpha1.UnverifiedDataAllow
		}, "clear taken lockout users"},
		"no data in clear": {plain, func(s *v1alpha1.FTPServerSpec) { s.Passive.UnverifiedData = v1alpha1.UnverifiedDataAllow }, "resumes lockout users"},
		"all else": {proxy, func(s *v1alpha1.FTPServerSpec) {
			s.Limits.SessionsPerAddress, s.Anonymous = 3, &v1alpha1.AnonymousSpec{}
			s.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "a"}, {Address: "b", ClientCIDRs: []string{"10.0.0.0/8"}}}
			s.Service.SessionAffinity, s.NetworkPolicy.FTPFrom = v1alpha1.SessionAffinityClientIP, blocks
		}, "resumes per address lockout networks anonymous affinity users policy"},
		"affinity at the nodes": {plain, func(s *v1alpha1.FTPServerSpec) { s.Service.SessionAffinity = v1alpha1.SessionAffinityClientIP }, "resumes lockout users"},
		"no policy": {plain, func(s *v1alpha1.FTPServerSpec) {
			s.NetworkPolicy = v1alpha1.NetworkPolicySpec{Mode: v1alpha1.NetworkPolicyNone, FTPFrom: blocks}
		}, "resumes lockout users"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec v1alpha1.FTPServerSpec
			spec.TLS.Mode, spec.TLS.DataSessions = v1alpha1.TLSRequired, v1alpha1.DataSessionsAuto
			spec.Passive.UnverifiedData = v1alpha1.UnverifiedDataRefuse
			spec.Limits.FailedLogins.Mode = v1alpha1.FailedLoginsLockout
			spec.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: "a"}}
			spec.NetworkPolicy.FTPFrom = []v1alpha1.NetworkPeer{{}}
			spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceLoadBalancer, ExternalTrafficPolicy: v1alpha1.ExternalTrafficLocal}
			tc.edit(&spec)
			got := policy.ClientAddressesKnown(spec, tc.svc, "")
			if got.OK() || got.Reason != v1alpha1.ReasonClientAddressesHidden || !strings.Contains(got.Message, "service.proxyProtocol") {
				t.Fatalf("got %+v", got)
			}
			if offersLocal := strings.Contains(got.Message, "externalTrafficPolicy Local"); offersLocal == (tc.svc == proxy) {
				t.Errorf("the way out is %s", got.Message)
			}
			wanted := " " + tc.want + " "
			for rule, told := range rules {
				if strings.Contains(got.Message, told) != strings.Contains(wanted, " "+rule+" ") {
					t.Errorf("%q is wrongly told, or not: %s", rule, got.Message)
				}
			}
			spec.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{}
			got = policy.ClientAddressesKnown(spec, tc.svc, "")
			if !got.OK() || strings.Contains(got.Message, "networkPolicy.ftpFrom") != strings.Contains(wanted, " policy ") {
				t.Errorf("with the PROXY protocol: %+v", got)
			}
		})
	}
	if got := policy.ClientAddressesKnown(v1alpha1.FTPServerSpec{Service: v1alpha1.ServiceSpec{Type: v1alpha1.ServiceClusterIP}}, nil, ""); !got.OK() {
		t.Errorf("inside the cluster: %+v", got)
	}
}

// While a pod of the front is there that tells nobody's address, all that come through
// it have its own, whatever the Service is by now.
func TestClientAddressesThroughASilentFront(t *testing.T) {
	for name, tc := range map[string]struct {
		kind   v1alpha1.ServiceType
		change []func(*corev1.Service)
		says   string
	}{
		"inside":   {v1alpha1.ServiceClusterIP, nil, "Until the pod front-a of the front has ended"},
		"any node": {v1alpha1.ServiceNodePort, []func(*corev1.Service){throughCluster}, "The server sees addresses of nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec v1alpha1.FTPServerSpec
			spec.Service.Type = tc.kind
			svc := live(tc.kind, tc.change...)
			if !policy.SourcesHidden(spec.Service, svc, "front-a") {
				t.Error("the pod's address is taken for the clients'")
			}
			if got := policy.ClientAddressesKnown(spec, svc, "front-a"); got.OK() || !strings.Contains(got.Message, tc.says) || !strings.Contains(got.Message, "allowedCIDRs") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

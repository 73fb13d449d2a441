package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// SourcesHidden tells that the address which a connection comes from is not the
// client's: that of a node, with the external traffic policy Cluster, or of a
// load balancer that opens connections of its own, or of a pod of the front that
// does not tell whose they are. live is the Service, nil where there is none; while
// it is not as the spec asks, either of the two may hide them. silent is Front.Silent.
func SourcesHidden(spec v1alpha1.ServiceSpec, live *corev1.Service, silent string) bool {
	return silent != "" || serviceHides(spec, live)
}

func serviceHides(spec v1alpha1.ServiceSpec, live *corev1.Service) bool {
	if spec.Type != v1alpha1.ServiceClusterIP && spec.ExternalTrafficPolicy == v1alpha1.ExternalTrafficCluster {
		return true
	}
	if live == nil || live.Spec.Type == corev1.ServiceTypeClusterIP {
		return false
	}
	return live.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyCluster || proxied(live)
}

// proxied tells of a load balancer that delivers to a node's or pod's address
// (ipMode Proxy), from one of its own.
func proxied(svc *corev1.Service) bool {
	return svc != nil && slices.ContainsFunc(svc.Status.LoadBalancer.Ingress, func(entry corev1.LoadBalancerIngress) bool {
		return entry.IPMode != nil && *entry.IPMode == corev1.LoadBalancerIPModeProxy
	})
}

// ClientAddresses tells whether the server knows the addresses of its clients:
// where sources are hidden, by the PROXY protocol only.
func ClientAddresses(spec v1alpha1.ServiceSpec, sourcesHidden bool) v1alpha1.ClientAddresses {
	if sourcesHidden && spec.ProxyProtocol == nil {
		return v1alpha1.ClientAddressesHidden
	}
	return v1alpha1.ClientAddressesPreserved
}

// ClientAddressesKnown says what follows from hidden addresses for this very
// spec. live and silent are those of SourcesHidden.
func ClientAddressesKnown(spec v1alpha1.FTPServerSpec, live *corev1.Service, silent string) Finding {
	sourcesHidden := SourcesHidden(spec.Service, live, silent)
	if ClientAddresses(spec.Service, sourcesHidden) == v1alpha1.ClientAddressesPreserved {
		message := "The server sees the addresses of its clients"
		if spec.Service.ProxyProtocol != nil {
			message = "The server takes the addresses of its clients from the PROXY protocol; whoever comes without has none where the traffic policy is Cluster"
			message += told("; ", ftpFromBlocks(spec.NetworkPolicy))
		}
		return yes(v1alpha1.ReasonClientAddressesPreserved, message)
	}
	rules := strings.Join(withoutAddresses(spec, proxied(live)), "; ")
	if !serviceHides(spec.Service, live) {
		return no(v1alpha1.ReasonClientAddressesHidden, fmt.Sprintf("Until the pod %s of the front has ended, which does not tell the addresses of its clients, the server sees its own: %s", silent, rules))
	}
	way := "set service.externalTrafficPolicy Local (one replica), or service.proxyProtocol where the load balancer speaks it"
	if proxied(live) {
		way = "set service.proxyProtocol where the load balancer speaks it"
	}
	return no(v1alpha1.ReasonClientAddressesHidden,
		"The server sees addresses of nodes or of the load balancer in place of its clients': "+rules+". To have the addresses, "+way)
}

// withoutAddresses are the rules of a spec that rest on addresses, and what
// becomes of each.
func withoutAddresses(spec v1alpha1.FTPServerSpec, proxied bool) []string {
	rules := dataRules(spec)
	say := func(applies bool, what string) {
		if applies {
			rules = append(rules, what)
		}
	}
	say(spec.Limits.SessionsPerAddress > 0,
		"limits.sessionsPerAddress does not count: set limits.sessionsPerReplica here, and in FTPUsers")
	say(spec.Limits.FailedLogins.Mode == v1alpha1.FailedLoginsLockout,
		"limits.failedLogins locks out nobody: failures are counted by user, and delay that user's next login")
	say(slices.ContainsFunc(spec.Passive.Addresses, func(a v1alpha1.PassiveAddress) bool { return len(a.ClientCIDRs) > 0 }),
		"PASV tells nobody those of passive.addresses that have clientCIDRs")
	say(spec.Anonymous != nil, "each anonymous login is somebody else, who resumes no upload of another")
	say(proxied && spec.Service.SessionAffinity == v1alpha1.SessionAffinityClientIP,
		"service.sessionAffinity goes by the load balancer's addresses")
	say(true, "users with allowedCIDRs are not accepted")
	return append(rules, ftpFromBlocks(spec.NetworkPolicy)...)
}

// dataRules say what data connections need where their addresses prove nothing.
func dataRules(spec v1alpha1.FTPServerSpec) (rules []string) {
	switch {
	case spec.TLS.Mode == v1alpha1.TLSDisabled:
	case spec.TLS.DataSessions == v1alpha1.DataSessionsOptional:
		rules = append(rules, "a data connection over TLS belongs to whoever connects first, as tls.dataSessions is Optional")
	default:
		rules = append(rules, "a data connection over TLS has to resume its session, else it is refused with 522")
	}
	clear, field := dataInClear(spec.TLS)
	switch {
	case !clear:
	case spec.Passive.UnverifiedData == v1alpha1.UnverifiedDataAllow:
		rules = append(rules, "a data connection in clear ("+field+") belongs to whoever connects first, as passive.unverifiedData is Allow")
	default:
		rules = append(rules, "data connections in clear ("+field+") are refused with 425, as passive.unverifiedData is Refuse")
	}
	return rules
}

// dataInClear tells whether there may be data connections without TLS, and by
// which field.
func dataInClear(tls v1alpha1.TLSSpec) (may bool, field string) {
	switch {
	case tls.Mode != v1alpha1.TLSRequired:
		return true, "tls.mode " + string(tls.Mode)
	case tls.DataProtection == v1alpha1.DataProtectionOptional:
		return true, "tls.dataProtection Optional"
	}
	return false, ""
}

// ftpFromBlocks tells what a NetworkPolicy by address does where the pods see
// others: it lets in nobody, or everybody.
func ftpFromBlocks(spec v1alpha1.NetworkPolicySpec) []string {
	byAddress := func(p v1alpha1.NetworkPeer) bool { return p.IPBlock != nil }
	if spec.Mode == v1alpha1.NetworkPolicyNone || !slices.ContainsFunc(spec.FTPFrom, byAddress) {
		return nil
	}
	return []string{"networkPolicy.ftpFrom sees the addresses of nodes or of the load balancer: its ipBlocks must hold those, " +
		"and what narrows clients is service.loadBalancerSourceRanges"}
}

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AnonymousRole is what a client without a login of its own may do.
//
// +kubebuilder:validation:Enum=ReadOnly;WriteOnly
type AnonymousRole string

// AnonymousSpec lets in clients without a login of their own.
type AnonymousSpec struct {
	// home is the directory that they see as "/": an absolute path on the
	// server's storage. Absent: /pub.
	//
	// +optional
	// +default="/pub"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="home must be an absolute path: begin it with /"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().contains('/.ftpserver-')",message="home must hold no name that begins with .ftpserver-: those are the server's own"
	// +kubebuilder:validation:XValidation:rule="self == '/' || !self.matches('/$|//|/[.][.]?(/|$)|[\\\\x00-\\\\x1f\\\\x7f]')",message="home must be a plain path: without //, . or .. in it, without / at its end, without control characters"
	Home string `json:"home,omitempty"`

	// role is ReadOnly (list and download) or WriteOnly (a drop box). Absent:
	// ReadOnly.
	//
	// +optional
	// +default="ReadOnly"
	Role AnonymousRole `json:"role,omitempty"`

	// quota limits what the home may hold: of all guests together. Absent: no
	// limit but the volume.
	//
	// +optional
	Quota QuotaSpec `json:"quota,omitzero"`

	// limits bound what each guest may use, lower or higher than the server's.
	// Absent: only the server's limits hold.
	//
	// +optional
	Limits RatesSpec `json:"limits,omitzero"`
}

// NetworkPolicyMode says who keeps the NetworkPolicy of the pods.
//
// +kubebuilder:validation:Enum=Managed;None
type NetworkPolicyMode string

// The modes.
const (
	// NetworkPolicyManaged: the operator keeps one.
	NetworkPolicyManaged NetworkPolicyMode = "Managed"
	// NetworkPolicyNone: the operator makes none, and removes the one it made.
	NetworkPolicyNone NetworkPolicyMode = "None"
)

// NetworkPolicySpec says what may reach the pods, in clusters whose network
// enforces NetworkPolicies.
//
// +kubebuilder:validation:XValidation:rule="self.mode == 'Managed' || (!has(self.metricsFrom) && !has(self.ftpFrom))",message="metricsFrom and ftpFrom need networkPolicy.mode Managed: set the mode or remove the field"
type NetworkPolicySpec struct {
	// mode is Managed (the operator keeps a NetworkPolicy: FTP from ftpFrom, the
	// status port from the operator, metrics from metricsFrom; out of the pods
	// only DNS, where a host name is to be resolved) or None (it makes none).
	// Policies add up: another one that narrows FTP needs ftpFrom, or None.
	// Absent: Managed.
	//
	// +optional
	// +default="Managed"
	Mode NetworkPolicyMode `json:"mode,omitempty"`

	// ftpFrom are the peers that may connect by FTP, by the address that the pods
	// see: where status.clientAddresses is Hidden, or proxyProtocol is set, an
	// ipBlock must hold the nodes' or the load balancer's. Absent: everybody.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.podSelector) || has(p.namespaceSelector) || has(p.ipBlock))",message="each of ftpFrom needs a podSelector, a namespaceSelector or an ipBlock"
	FTPFrom []NetworkPeer `json:"ftpFrom,omitempty"`

	// metricsFrom are the peers that may read the metrics. Absent: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.podSelector) || has(p.namespaceSelector) || has(p.ipBlock))",message="each of metricsFrom needs a podSelector, a namespaceSelector or an ipBlock"
	MetricsFrom []NetworkPeer `json:"metricsFrom,omitempty"`
}

// NetworkPeer is who may connect: that which a NetworkPolicyPeer of Kubernetes
// names, but that what Kubernetes would refuse in one is refused at once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.ipBlock) || (!has(self.podSelector) && !has(self.namespaceSelector))",message="ipBlock goes with no selector: make it a peer of its own"
type NetworkPeer struct {
	// podSelector selects pods: of the namespaces that namespaceSelector selects
	// or, without, of the server's. Empty: all of them. Absent: all of the
	// namespaces that namespaceSelector selects.
	//
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`

	// namespaceSelector selects namespaces by their labels. Empty: all of them.
	// Absent: the server's own.
	//
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// ipBlock is a network. It goes with neither of the selectors. Absent: the
	// peer is one that they select.
	//
	// +optional
	IPBlock *IPBlock `json:"ipBlock,omitempty"`
}

// IPBlock is a network, but for parts of it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.except) || !isCIDR(self.cidr) || self.except.all(e, isCIDR(e) && cidr(e).masked() == cidr(e) && cidr(self.cidr).containsCIDR(cidr(e)) && cidr(self.cidr).prefixLength() < cidr(e).prefixLength())",message="each of except must be a network within cidr and smaller than it, such as 198.51.100.64/26 of 198.51.100.0/24"
type IPBlock struct {
	// cidr is the network, such as 198.51.100.0/24 or 2001:db8::/64.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self).masked() == cidr(self)",message="cidr must be a network such as 198.51.100.0/24, with no bit set behind its prefix"
	CIDR string `json:"cidr,omitempty"`

	// except are networks within cidr that are not part of it. Absent: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	Except []string `json:"except,omitempty"`
}

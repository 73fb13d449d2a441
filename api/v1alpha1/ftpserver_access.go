package v1alpha1

import (
	networkingv1 "k8s.io/api/networking/v1"
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
	FTPFrom []networkingv1.NetworkPolicyPeer `json:"ftpFrom,omitempty"`

	// metricsFrom are the peers that may read the metrics. Absent: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, has(p.podSelector) || has(p.namespaceSelector) || has(p.ipBlock))",message="each of metricsFrom needs a podSelector, a namespaceSelector or an ipBlock"
	MetricsFrom []networkingv1.NetworkPolicyPeer `json:"metricsFrom,omitempty"`
}

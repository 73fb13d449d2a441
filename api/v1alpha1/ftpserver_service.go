package v1alpha1

// ServiceType is how a server's Service is reached.
//
// +kubebuilder:validation:Enum=ClusterIP;LoadBalancer;NodePort
type ServiceType string

// The types of Service.
const (
	// ServiceClusterIP: from inside the cluster.
	ServiceClusterIP ServiceType = "ClusterIP"
	// ServiceLoadBalancer: by the address of a load balancer.
	ServiceLoadBalancer ServiceType = "LoadBalancer"
	// ServiceNodePort: by the address of the pod's node.
	ServiceNodePort ServiceType = "NodePort"
)

// ExternalTrafficPolicy says which nodes pass on connections from outside the
// cluster.
//
// +kubebuilder:validation:Enum=Cluster;Local
type ExternalTrafficPolicy string

// The external traffic policies.
const (
	// ExternalTrafficCluster: every node, from an address of its own.
	ExternalTrafficCluster ExternalTrafficPolicy = "Cluster"
	// ExternalTrafficLocal: the node of the pod, and the client's address stays.
	ExternalTrafficLocal ExternalTrafficPolicy = "Local"
)

// SessionAffinity says whether a client's connections stay with one replica.
//
// +kubebuilder:validation:Enum=None;ClientIP
type SessionAffinity string

// The session affinities.
const (
	// SessionAffinityNone: each control connection goes to any replica.
	SessionAffinityNone SessionAffinity = "None"
	// SessionAffinityClientIP: those of one address to one replica.
	SessionAffinityClientIP SessionAffinity = "ClientIP"
)

// IPFamily is IPv4 or IPv6.
//
// +kubebuilder:validation:Enum=IPv4;IPv6
type IPFamily string

// IPFamilyPolicy says whether the Service has addresses of both families.
//
// +kubebuilder:validation:Enum=SingleStack;PreferDualStack;RequireDualStack
type IPFamilyPolicy string

// ServiceSpec configures the Service that clients connect to.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'ClusterIP' || !has(self.nodePort)",message="nodePort needs service.type NodePort or LoadBalancer: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="!has(self.ipFamilies) || size(self.ipFamilies) < 2 || (has(self.ipFamilyPolicy) && self.ipFamilyPolicy != 'SingleStack')",message="two ipFamilies need ipFamilyPolicy PreferDualStack or RequireDualStack"
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || !has(self.loadBalancerClass)",message="loadBalancerClass needs service.type LoadBalancer: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || !has(self.loadBalancerSourceRanges)",message="loadBalancerSourceRanges needs service.type LoadBalancer: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || !has(self.allocateLoadBalancerNodePorts)",message="allocateLoadBalancerNodePorts needs service.type LoadBalancer: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || (has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == oldSelf.loadBalancerClass))",message="loadBalancerClass is immutable while service.type is LoadBalancer: change the type first"
type ServiceSpec struct {
	// type is ClusterIP (reached from inside the cluster), LoadBalancer (by the
	// address of a load balancer) or NodePort (by the address of the pod's node;
	// each passive port has the number that Kubernetes allocates for it, inside
	// and outside). Absent: ClusterIP, so that nothing is exposed unasked.
	//
	// +optional
	// +default="ClusterIP"
	Type ServiceType `json:"type,omitempty"`

	// port is the control port of the Service. With type NodePort clients
	// outside use the node port that status.ports tells. Absent: 21.
	//
	// +optional
	// +default=21
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// nodePort is the control port on the nodes. It must be free, and in the
	// cluster's range for node ports. Absent: Kubernetes allocates it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort *int32 `json:"nodePort,omitempty"`

	// externalTrafficPolicy says, for types LoadBalancer and NodePort, which
	// nodes pass connections on. Local: only that of the pod. The server sees the
	// client's own address and checks data connections against it; one replica
	// only. Cluster: every node, for any number of replicas. The server sees an
	// address of a node, which may be another for each connection, so that
	// nothing can go by addresses unless proxyProtocol is set: data connections
	// then need TLS and a client that resumes its session. Absent: Local.
	//
	// +optional
	// +default="Local"
	ExternalTrafficPolicy ExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`

	// sessionAffinity ClientIP sends the control connections of one address to
	// one replica, for three hours after the last. Absent: None, each goes to any
	// replica.
	//
	// +optional
	// +default="None"
	SessionAffinity SessionAffinity `json:"sessionAffinity,omitempty"`

	// ipFamilies are the families of the Service's addresses; the first is the
	// main one and does not change. Absent: the cluster's own.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:XValidation:rule="size(self) < 2 || self[0] != self[1]",message="ipFamilies names a family twice: remove one"
	IPFamilies []IPFamily `json:"ipFamilies,omitempty"`

	// ipFamilyPolicy says whether the Service has addresses of both families.
	// Absent: SingleStack.
	//
	// +optional
	IPFamilyPolicy *IPFamilyPolicy `json:"ipFamilyPolicy,omitempty"`

	// proxyProtocol has the server take the client's address from the PROXY
	// protocol (version 1 or 2) that a load balancer speaks, on control and
	// passive ports. Turn it on at the load balancer too, usually by an
	// annotation. Absent: no address is taken from what a client sends.
	//
	// +optional
	ProxyProtocol *ProxyProtocolSpec `json:"proxyProtocol,omitempty"`

	// annotations are added to the Service, for a load balancer's controller.
	// Absent: none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`

	// labels are added to the Service. Absent: none but the operator's own.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('ftp-operator.io/'))",message="labels beginning with app.kubernetes.io/ or ftp-operator.io/ are the operator's: choose another prefix"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// loadBalancerClass names the load balancer implementation. Immutable while
	// type is LoadBalancer. Absent: the cluster's default.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="loadBalancerClass must be a name such as example.com/internal"
	LoadBalancerClass *string `json:"loadBalancerClass,omitempty"`

	// loadBalancerSourceRanges are the networks that may connect, where the load
	// balancer supports it. Absent: all.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="loadBalancerSourceRanges must be networks such as 192.0.2.0/24"
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`

	// allocateLoadBalancerNodePorts says whether a LoadBalancer Service also
	// gets node ports; false saves them where the load balancer reaches pods
	// directly. Absent: Kubernetes' default, true.
	//
	// +optional
	AllocateLoadBalancerNodePorts *bool `json:"allocateLoadBalancerNodePorts,omitempty"`
}

// ProxyProtocolSpec says whom to believe the address of a client.
type ProxyProtocolSpec struct {
	// trusted are the networks that load balancers connect from, as the pods see
	// them: with externalTrafficPolicy Cluster these are the nodes'. Whoever can
	// connect from there can claim any address. Of an address that is in several,
	// the smallest network counts. From elsewhere the protocol is not spoken.
	//
	// +required
	// +listType=map
	// +listMapKey=cidr
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Trusted []ProxySource `json:"trusted,omitempty"`
}

// ProxySource is a network that load balancers connect from.
type ProxySource struct {
	// cidr is the network, such as 10.0.0.0/16.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="cidr must be a network such as 10.0.0.0/16"
	CIDR string `json:"cidr,omitempty"`

	// mode is Required (a connection without the header is closed) or Optional
	// (clients inside the cluster, who bypass the load balancer, connect from
	// there too). With Optional, who sends no header waits half a second to be
	// greeted. Absent: Required.
	//
	// +optional
	Mode ProxyProtocolMode `json:"mode,omitempty"`
}

// ProxyProtocolMode says whether connections must begin with a header.
//
// +kubebuilder:validation:Enum=Required;Optional
type ProxyProtocolMode string

// The modes.
const (
	// ProxyProtocolRequired: they must.
	ProxyProtocolRequired ProxyProtocolMode = "Required"
	// ProxyProtocolOptional: they may.
	ProxyProtocolOptional ProxyProtocolMode = "Optional"
)

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

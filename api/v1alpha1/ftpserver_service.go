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

// ServiceSpec configures the Service that clients connect to. On LoadBalancer
// and NodePort its externalTrafficPolicy is Local: the server sees the client's
// own address, and checks data connections against it.
//
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

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

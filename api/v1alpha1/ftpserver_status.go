package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FTPServerStatus is the state of an FTPServer as last seen. It holds nothing
// that moves by itself: no counts of sessions, no time of the last look.
type FTPServerStatus struct {
	// observedGeneration is the metadata.generation that the status is about;
	// -1 before the first.
	//
	// +optional
	// +default=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Accepted, ResolvedRefs, CertificatesValid,
	// AddressAssigned, ClientAddressesKnown, WorkloadAvailable and Programmed;
	// Reconciling and Stalled only while they are True.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// replicas is how many pods there are.
	//
	// +optional
	// +default=0
	Replicas int32 `json:"replicas"`

	// selector selects the pods, in the form of a label query.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`

	// slots tell of each replica.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Slots []SlotStatus `json:"slots,omitempty"`

	// addresses are where clients connect to; the first is the best known.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Addresses []ServerAddress `json:"addresses,omitempty"`

	// ports are what clients connect to.
	//
	// +optional
	Ports *ServerPorts `json:"ports,omitempty"`

	// clientAddresses tells whether the server sees the addresses of its clients.
	// Hidden: it sees those of something in between, so that nothing can go by
	// them; the condition ClientAddressesKnown says what follows.
	//
	// +optional
	ClientAddresses ClientAddresses `json:"clientAddresses,omitempty"`

	// users is how many logins the server has: those of FTPUsers that are
	// accepted and have a password.
	//
	// +optional
	// +default=0
	Users int32 `json:"users"`

	// caRef names the ConfigMap whose key ca.crt holds the certificates (PEM)
	// that clients verify the server's with. Absent: there is none that is the
	// server's.
	//
	// +optional
	CARef *LocalReference `json:"caRef,omitempty"`
}

// ClientAddresses tells whether the server sees the addresses of its clients.
//
// +kubebuilder:validation:Enum=Preserved;Hidden
type ClientAddresses string

// What it sees.
const (
	// ClientAddressesPreserved: each client's own, or that of its NAT.
	ClientAddressesPreserved ClientAddresses = "Preserved"
	// ClientAddressesHidden: that of something in between.
	ClientAddressesHidden ClientAddresses = "Hidden"
)

// SlotStatus tells of one replica.
type SlotStatus struct {
	// name is the name of the replica's Deployment.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// ready tells whether its pod runs the wanted version and is ready.
	//
	// +required
	Ready metav1.ConditionStatus `json:"ready,omitempty"`

	// programmed tells whether its pod has loaded this generation; Unknown where
	// the pod did not answer.
	//
	// +required
	Programmed metav1.ConditionStatus `json:"programmed,omitempty"`
}

// AddressType is the kind of an address.
//
// +kubebuilder:validation:Enum=IPAddress;Hostname
type AddressType string

// The kinds of address.
const (
	// AddressIP: an IPv4 or IPv6 address.
	AddressIP AddressType = "IPAddress"
	// AddressHostname: a DNS name.
	AddressHostname AddressType = "Hostname"
)

// ServerAddress is an address that clients connect to.
type ServerAddress struct {
	// type is IPAddress or Hostname.
	//
	// +required
	Type AddressType `json:"type,omitempty"`

	// value is the address.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Value string `json:"value,omitempty"`
}

// ServerPorts are the ports that clients connect to.
type ServerPorts struct {
	// control is the port of the control connection.
	//
	// +required
	Control int32 `json:"control,omitempty"`

	// implicit is the control port for implicit TLS. Absent: there is none, or
	// Kubernetes has yet to allocate it.
	//
	// +optional
	Implicit int32 `json:"implicit,omitempty"`

	// passive are the ports of the data connections, of all replicas.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Passive []int32 `json:"passive,omitempty"`
}

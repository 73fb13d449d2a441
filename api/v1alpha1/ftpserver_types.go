package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FTPServerSpec is the wanted state of an FTPServer.
//
// +kubebuilder:validation:XValidation:rule="!has(self.passive.slots) || self.replicas <= self.passive.slots",message="replicas is more than passive.slots, the number of replicas that the Service has ports for: raise passive.slots or lower replicas"
// +kubebuilder:validation:XValidation:rule="(has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica <= 1024",message="replicas (or passive.slots, where it is set) times passive.portsPerReplica is more than 1024 passive ports: lower passive.portsPerReplica; a few serve many clients"
// +kubebuilder:validation:XValidation:rule="self.passive.firstPort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica <= 65536",message="the passive ports would pass 65535: lower passive.firstPort, passive.portsPerReplica or passive.slots"
// +kubebuilder:validation:XValidation:rule="self.service.port < self.passive.firstPort || self.service.port >= self.passive.firstPort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica",message="service.port lies among the passive ports: move passive.firstPort or service.port"
// +kubebuilder:validation:XValidation:rule="self.service.type != 'NodePort' || self.service.port < 30000 || self.service.port > 32767",message="with service.type NodePort, service.port must lie outside of 30000 to 32767, where Kubernetes allocates the passive ports: set it below 30000"
// +kubebuilder:validation:XValidation:rule="!has(self.tls.implicit) || self.tls.implicit.port != self.service.port",message="tls.implicit.port is service.port as well: choose another, such as 990"
// +kubebuilder:validation:XValidation:rule="!has(self.tls.implicit) || self.tls.implicit.port < self.passive.firstPort || self.tls.implicit.port >= self.passive.firstPort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica",message="tls.implicit.port lies among the passive ports: move passive.firstPort or tls.implicit.port"
// +kubebuilder:validation:XValidation:rule="!has(self.tls.implicit) || self.service.type != 'NodePort' || self.tls.implicit.port < 30000 || self.tls.implicit.port > 32767",message="with service.type NodePort, tls.implicit.port must lie outside of 30000 to 32767, where Kubernetes allocates the passive ports: set it below 30000"
// +kubebuilder:validation:XValidation:rule="!has(self.tls.implicit) || !has(self.tls.implicit.nodePort) || self.service.type != 'ClusterIP'",message="tls.implicit.nodePort needs service.type NodePort or LoadBalancer: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="!has(self.passive.firstNodePort) || self.service.type == 'NodePort'",message="passive.firstNodePort needs service.type NodePort: set the type or remove the field"
// +kubebuilder:validation:XValidation:rule="!has(self.passive.firstNodePort) || self.passive.firstNodePort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica <= 65536",message="the passive ports would pass 65535: lower passive.firstNodePort, passive.portsPerReplica or passive.slots"
// +kubebuilder:validation:XValidation:rule="!has(self.service.nodePort) || !has(self.tls.implicit) || !has(self.tls.implicit.nodePort) || self.tls.implicit.nodePort != self.service.nodePort",message="tls.implicit.nodePort is service.nodePort as well: choose another, or take one out to have Kubernetes choose"
// +kubebuilder:validation:XValidation:rule="!has(self.passive.firstNodePort) || !has(self.service.nodePort) || self.service.nodePort < self.passive.firstNodePort || self.service.nodePort >= self.passive.firstNodePort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica",message="service.nodePort lies among the passive ports: move passive.firstNodePort or service.nodePort"
// +kubebuilder:validation:XValidation:rule="!has(self.passive.firstNodePort) || !has(self.tls.implicit) || !has(self.tls.implicit.nodePort) || self.tls.implicit.nodePort < self.passive.firstNodePort || self.tls.implicit.nodePort >= self.passive.firstNodePort + (has(self.passive.slots) ? self.passive.slots : (self.replicas > 1 ? self.replicas : 1)) * self.passive.portsPerReplica",message="tls.implicit.nodePort lies among the passive ports: move passive.firstNodePort or tls.implicit.nodePort"
// +kubebuilder:validation:XValidation:rule="self.replicas <= 1 || self.service.type == 'ClusterIP' || self.service.externalTrafficPolicy == 'Cluster'",message="several replicas behind a LoadBalancer or NodePort need service.externalTrafficPolicy Cluster, as with Local a passive port answers on the node of its pod only; with Cluster the server sees addresses of nodes in place of the clients', unless service.proxyProtocol is set"
// +kubebuilder:validation:XValidation:rule="self.replicas <= 1 || !has(self.storage.volume) || !has(self.storage.volume.size) || (has(self.storage.volume.accessModes) && 'ReadWriteMany' in self.storage.volume.accessModes)",message="several replicas need a volume that all of them mount: make the FTPServer anew with storage.volume.accessModes [ReadWriteMany] and a storageClassName that offers it"
// +kubebuilder:validation:XValidation:rule="!has(self.front) || self.service.type == 'ClusterIP' || self.service.externalTrafficPolicy == 'Cluster'",message="front behind a LoadBalancer or NodePort needs service.externalTrafficPolicy Cluster, as with Local a port answers on the node of its pod only, and the front's pods run on other nodes than the replicas'"
// +kubebuilder:validation:XValidation:rule="!has(self.front) || !has(self.service.proxyProtocol) || self.service.proxyProtocol.trusted.all(t, !has(t.mode) || t.mode == 'Required')",message="front cannot tell whether a connection begins with a PROXY header: leave out mode Optional in service.proxyProtocol.trusted, and trust only networks from which every connection has one"
type FTPServerSpec struct {
	// replicas is how many pods serve, behind one address. Several need storage
	// that all of them mount, and on a LoadBalancer or NodePort the
	// externalTrafficPolicy Cluster. With 0 nothing runs and everything is kept.
	// Absent: 1.
	//
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=64
	Replicas *int32 `json:"replicas,omitempty"`

	// tls configures FTP over TLS (RFC 4217, AUTH TLS). Absent: required, from
	// TLS 1.2 on, with a certificate that the operator makes and rotates;
	// status.caRef tells what clients verify it with.
	//
	// +optional
	// +default={}
	TLS TLSSpec `json:"tls,omitzero"`

	// passive configures the passive ports (PASV, EPSV), on which clients open
	// their data connections. Absent: 8 ports from 30000 on, at the Service's
	// address.
	//
	// +optional
	// +default={"portsPerReplica": 8, "firstPort": 30000, "unverifiedData": "Refuse"}
	Passive PassiveSpec `json:"passive,omitzero"`

	// service configures how clients reach the server. Absent: by a ClusterIP,
	// from inside the cluster only.
	//
	// +optional
	// +default={"type": "ClusterIP", "port": 21, "externalTrafficPolicy": "Local", "sessionAffinity": "None"}
	Service ServiceSpec `json:"service,omitzero"`

	// front has pods of its own take the control connections and pass each on to
	// the replica that has the fewest. Absent: Kubernetes spreads them at random.
	//
	// +optional
	Front *FrontSpec `json:"front,omitempty"`

	// storage says where the files are.
	//
	// +required
	Storage StorageSpec `json:"storage,omitzero"`

	// files says how files are stored, named and listed. Absent: uploads appear
	// when they are complete, and names are free.
	//
	// +optional
	// +default={"uploads": "Atomic", "overwrite": "Allow", "hidden": "Show"}
	Files FilesSpec `json:"files,omitzero"`

	// anonymous lets in clients that log in as "anonymous" or "ftp", with any
	// password (RFC 1635). An FTPUser of that name goes before it. Absent: only
	// FTPUsers log in.
	//
	// +optional
	Anonymous *AnonymousSpec `json:"anonymous,omitempty"`

	// limits bound what clients may use. Absent: idle sessions end after 5
	// minutes, failed logins lead to delays and lockouts, and nothing else is
	// bounded.
	//
	// +optional
	// +default={}
	Limits LimitsSpec `json:"limits,omitzero"`

	// logging configures the server's log. Absent: level Info.
	//
	// +optional
	// +default={}
	Logging LoggingSpec `json:"logging,omitzero"`

	// networkPolicy says what may reach the pods. Absent: a NetworkPolicy is kept
	// that lets in FTP clients and the operator, and nobody else.
	//
	// +optional
	// +default={"mode": "Managed"}
	NetworkPolicy NetworkPolicySpec `json:"networkPolicy,omitzero"`

	// pod configures the pods that serve. Changing anything in it replaces the
	// pod; transfers in progress are let finish, up to terminationGracePeriod.
	// Absent: small requests and the defaults of the cluster.
	//
	// +optional
	// +default={}
	Pod PodSpec `json:"pod,omitzero"`
}

// PassiveSpec configures the passive ports.
type PassiveSpec struct {
	// portsPerReplica is how many passive ports each replica has: how many data
	// connections of one client address can be opened at the same instant. A
	// port is free again as soon as its data connection is there, so a few serve
	// many clients. Widening it touches no pod. Absent: 8.
	//
	// +optional
	// +default=8
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	PortsPerReplica int32 `json:"portsPerReplica,omitempty"`

	// firstPort is the first public number; the others follow it. With
	// service.type NodePort Kubernetes allocates the numbers, and this one is
	// only where it starts from. Absent: 30000.
	//
	// +optional
	// +default=30000
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	FirstPort int32 `json:"firstPort,omitempty"`

	// slots is how many replicas the Service has passive ports for. Set it to the
	// most that ever run where something scales the server, such as a
	// HorizontalPodAutoscaler: then scaling never changes the Service, and a load
	// balancer has the ports of a new replica before it starts. Absent: as many
	// as replicas.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	Slots *int32 `json:"slots,omitempty"`

	// firstNodePort is the first number of the passive ports with service.type
	// NodePort, where a firewall has to know them; the others follow it. They
	// must be free, and in the cluster's range for node ports. Absent:
	// Kubernetes allocates them.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	FirstNodePort *int32 `json:"firstNodePort,omitempty"`

	// unverifiedData says what becomes of data connections in clear where the
	// addresses of clients are hidden (status.clientAddresses): nothing tells
	// whose they are. Refuse answers PASV and EPSV with 425; Allow takes
	// whoever connects first for the client. Absent: Refuse.
	//
	// +optional
	// +default="Refuse"
	UnverifiedData UnverifiedData `json:"unverifiedData,omitempty"`

	// addresses are what PASV answers, for example the public address of a NAT
	// in front of the Service. The first whose clientCIDRs hold the client's
	// address is taken; one that is hidden (status.clientAddresses) is in none. They
	// are names of the server's certificate too. Absent, or for clients that none is
	// for: the address that Kubernetes gives the Service.
	//
	// +optional
	// +listType=map
	// +listMapKey=address
	// +kubebuilder:validation:MaxItems=16
	Addresses []PassiveAddress `json:"addresses,omitempty"`
}

// UnverifiedData says what becomes of data connections that nothing verifies.
//
// +kubebuilder:validation:Enum=Refuse;Allow
type UnverifiedData string

// What becomes of them.
const (
	// UnverifiedDataRefuse: there are none.
	UnverifiedDataRefuse UnverifiedData = "Refuse"
	// UnverifiedDataAllow: they are taken. Only for networks where nobody else
	// reaches the ports.
	UnverifiedDataAllow UnverifiedData = "Allow"
)

// PassiveAddress is an address that PASV may answer.
type PassiveAddress struct {
	// address is an IPv4 address (PASV can tell no other; clients of IPv6 use
	// EPSV, which needs none) or a host name, which the server resolves.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="isIP(self) ? ip(self).family() == 4 : self.matches('^([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?[.])*[a-zA-Z]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$')",message="address must be an IPv4 address or a host name; clients of IPv6 use EPSV, which needs no address"
	Address string `json:"address,omitempty"`

	// clientCIDRs limit the address to clients of these networks, such as
	// 10.0.0.0/8. Absent: every client.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="clientCIDRs must be networks such as 10.0.0.0/8"
	ClientCIDRs []string `json:"clientCIDRs,omitempty"`
}

// LogLevel is how much the server logs.
//
// +kubebuilder:validation:Enum=Debug;Info;Warn;Error
type LogLevel string

// The log levels.
const (
	// LogDebug: also what helps to find a fault, such as commands.
	LogDebug LogLevel = "Debug"
	// LogInfo: also logins and transfers.
	LogInfo LogLevel = "Info"
	// LogWarn: also what works but may not be meant.
	LogWarn LogLevel = "Warn"
	// LogError: only what does not work.
	LogError LogLevel = "Error"
)

// LoggingSpec configures the server's log.
type LoggingSpec struct {
	// level is Debug, Info, Warn or Error. It changes without a restart. Absent:
	// Info.
	//
	// +optional
	// +default="Info"
	Level LogLevel `json:"level,omitempty"`
}

// FTPServer is a running FTP and FTPS endpoint.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:categories=ftp
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.addresses[0].value`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.status.users`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name becomes the name of a Service: use at most 50 characters of a-z, 0-9 and -, beginning with a letter and ending with a letter or digit"
type FTPServer struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name is a DNS label
	// (RFC 1035) of at most 50 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the wanted state.
	//
	// +required
	Spec FTPServerSpec `json:"spec,omitzero"`

	// status is the state as last seen. The operator writes it.
	//
	// +optional
	// +default={"observedGeneration": -1}
	Status FTPServerStatus `json:"status,omitzero"`
}

// FTPServerList is a list of FTPServers.
//
// +kubebuilder:object:root=true
type FTPServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FTPServer `json:"items"`
}

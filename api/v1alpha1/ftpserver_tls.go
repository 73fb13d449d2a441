package v1alpha1

// TLSMode says whether clients must, may or cannot use TLS.
//
// +kubebuilder:validation:Enum=Required;Optional;Disabled
type TLSMode string

// The TLS modes.
const (
	// TLSRequired: login and data only over TLS.
	TLSRequired TLSMode = "Required"
	// TLSOptional: the client decides.
	TLSOptional TLSMode = "Optional"
	// TLSDisabled: plain FTP.
	TLSDisabled TLSMode = "Disabled"
)

// DataProtection says whether data connections must be over TLS where the
// control connection is.
//
// +kubebuilder:validation:Enum=Required;Optional
type DataProtection string

// The kinds of data protection.
const (
	// DataProtectionRequired: they must (PROT P only).
	DataProtectionRequired DataProtection = "Required"
	// DataProtectionOptional: the client decides (PROT C or P).
	DataProtectionOptional DataProtection = "Optional"
)

// DataSessions says whether data connections must resume the TLS session of
// their control connection, which proves whose they are.
//
// +kubebuilder:validation:Enum=Auto;Required;Optional
type DataSessions string

// The ways to treat the TLS session of a data connection.
const (
	// DataSessionsAuto: one that resumes a session must resume its user's.
	DataSessionsAuto DataSessions = "Auto"
	// DataSessionsRequired: it must resume its user's.
	DataSessionsRequired DataSessions = "Required"
	// DataSessionsOptional: it is not judged by it.
	DataSessionsOptional DataSessions = "Optional"
)

// UploadEnd says when the end of an upload over TLS is the end of the file.
//
// +kubebuilder:validation:Enum=Auto;Strict;Lenient
type UploadEnd string

// The ways to treat an upload that ends without TLS's close_notify.
const (
	// UploadEndAuto: believed of a client that never sends close_notify.
	UploadEndAuto UploadEnd = "Auto"
	// UploadEndStrict: never believed.
	UploadEndStrict UploadEnd = "Strict"
	// UploadEndLenient: always believed.
	UploadEndLenient UploadEnd = "Lenient"
)

// TLSSpec configures FTP over TLS.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.dataProtection)",message="dataProtection needs TLS: set tls.mode to Required or Optional, or remove the field"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.implicit)",message="implicit needs TLS: set tls.mode to Required or Optional, or remove the field"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.minVersion) || self.minVersion == '1.2'",message="minVersion needs TLS: set tls.mode to Required or Optional, or remove the field"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.dataSessions) || self.dataSessions == 'Auto'",message="dataSessions needs TLS: set tls.mode to Required or Optional, or remove the field"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disabled' || !has(self.uploadEnd) || self.uploadEnd == 'Auto'",message="uploadEnd needs TLS: set tls.mode to Required or Optional, or remove the field"
type TLSSpec struct {
	// mode is Required (login and data only over TLS), Optional (the client
	// decides) or Disabled (plain FTP; passwords cross the network in clear).
	// With Disabled, fields that say how TLS is to be are refused; certificates may
	// stay, and none is shown. Absent: Required.
	//
	// +optional
	// +default="Required"
	Mode TLSMode `json:"mode,omitempty"`

	// minVersion is the lowest version of TLS that is accepted, "1.2" or "1.3".
	// Absent: "1.2".
	//
	// +optional
	// +default="1.2"
	// +kubebuilder:validation:Enum="1.2";"1.3"
	MinVersion string `json:"minVersion,omitempty"`

	// dataProtection says what sessions over TLS may do with their data
	// connections: Required (TLS there too, PROT P) or Optional (the client
	// decides; files may cross the network in clear). Sessions in clear, where
	// mode lets them in, are not touched by it. Absent: Required where mode is
	// Required, else Optional.
	//
	// +optional
	DataProtection DataProtection `json:"dataProtection,omitempty"`

	// dataSessions says what a data connection over TLS must resume (RFC 8446
	// section 2.2), so that nobody takes another's: Auto (the session of the same
	// user, if it resumes one; none is fine, as its address is checked), Required
	// (always that; it shuts out clients that begin anew each time) or Optional
	// (whatever it resumes). Absent: Auto.
	//
	// +optional
	// +default="Auto"
	DataSessions DataSessions `json:"dataSessions,omitempty"`

	// uploadEnd says what becomes of an upload over TLS that ends without
	// close_notify, as it does when a client dies: Strict (it is refused), Lenient
	// (it is taken while the control connection is there) or Auto (it is taken so
	// in sessions that have never sent one, as some clients never do). Absent:
	// Auto.
	//
	// +optional
	// +default="Auto"
	UploadEnd UploadEnd `json:"uploadEnd,omitempty"`

	// implicit is a second control port of the Service, on which TLS comes before
	// the greeting: for devices and programs that know no AUTH TLS. Its sessions
	// are those of the other port in all else. Switching it on or off replaces no
	// pod; sessions under way go on. Absent: there is none.
	//
	// +optional
	Implicit *ImplicitTLSSpec `json:"implicit,omitempty"`

	// certificates are shown to clients, chosen by the name that a client asks
	// for (SNI, RFC 6066 section 3); the first that has it is taken. The first of
	// all serves clients that ask for none, as those do that connect to an IP
	// address, or for one that none has. The operator's own certificate comes
	// last, with the names and addresses of the Service. They are copied, so that
	// one that is changed is served within seconds and one that can't be used
	// leaves the one before in place; the condition ResolvedRefs then says why.
	// Absent: the operator's own only.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Certificates []TLSCertificate `json:"certificates,omitempty"`
}

// ImplicitTLSSpec is a control port for implicit TLS.
type ImplicitTLSSpec struct {
	// port is its number on the Service. It is neither service.port nor among the
	// passive ports. With type NodePort clients outside use the node port that
	// status.ports tells. Absent: 990.
	//
	// +optional
	// +default=990
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// nodePort is its number on the nodes. It must be free, and in the cluster's
	// range for node ports. Absent: Kubernetes allocates it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	NodePort *int32 `json:"nodePort,omitempty"`
}

// TLSCertificate is a certificate that is given.
type TLSCertificate struct {
	// name tells it from the others of the server. Conditions and metrics use
	// it. It is a DNS label, and none of ca, own and tls.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be a DNS label: at most 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['ca', 'own', 'tls'])",message="ca, own and tls are names of the operator's own certificates: choose another"
	Name string `json:"name,omitempty"`

	// secretRef names a Secret of type kubernetes.io/tls: under tls.crt the
	// server's certificate and behind it its issuers in order, at most 64 KiB of
	// PEM, under tls.key the private key without a passphrase.
	//
	// +required
	SecretRef LocalReference `json:"secretRef,omitzero"`
}

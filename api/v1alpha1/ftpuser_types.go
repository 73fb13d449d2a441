package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserRole is what a user may do.
//
// +kubebuilder:validation:Enum=ReadOnly;ReadWrite;WriteOnly;Admin
type UserRole string

// The roles.
const (
	// RoleReadOnly lists and downloads.
	RoleReadOnly UserRole = "ReadOnly"
	// RoleReadWrite also uploads, overwrites, renames and deletes.
	RoleReadWrite UserRole = "ReadWrite"
	// RoleWriteOnly is a drop box: it uploads new files and does nothing else.
	RoleWriteOnly UserRole = "WriteOnly"
	// RoleAdmin is ReadWrite on all files of the server, whatever the home.
	RoleAdmin UserRole = "Admin"
)

// LoginState says whether a user may log in.
//
// +kubebuilder:validation:Enum=Enabled;Suspended
type LoginState string

// The states of a login.
const (
	// LoginEnabled: the user may log in.
	LoginEnabled LoginState = "Enabled"
	// LoginSuspended: the user may not, and running sessions end at once.
	LoginSuspended LoginState = "Suspended"
)

// AnnotationRotatePassword is set to any new value, on an FTPUser without
// passwordSecretRef, to have the operator make a new password, once for each
// value. Sessions under the old one end after their running transfer.
const AnnotationRotatePassword = "ftp-operator.io/rotate-password" //nolint:gosec // asks for a password and is none

// FTPUserSpec is the wanted state of an FTPUser.
//
// +kubebuilder:validation:XValidation:rule="has(self.username) == has(oldSelf.username) && (!has(self.username) || self.username == oldSelf.username)",message="username is immutable: make a new FTPUser for another login"
// +kubebuilder:validation:XValidation:rule="self.role != 'Admin' || !has(self.quota)",message="an Admin works on all of the server's files and has no quota: remove quota, or choose another role"
type FTPUserSpec struct {
	// serverRef names the FTPServer, in the same namespace, that the user logs
	// in to. Immutable. The server may come later than the user.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self.name == oldSelf.name",message="serverRef is immutable: make a new FTPUser on the other server"
	ServerRef LocalReference `json:"serverRef,omitzero"`

	// username is the login, what a client sends with USER. Immutable. Absent:
	// metadata.name. Of two FTPUsers with one login on one server the older one
	// has it.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 128",message="username must be at most 128 bytes long in UTF-8"
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && self != '.' && self != '..'",message="username must not contain / nor be . or .."
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[ ]|[ ]$|[\\\\x00-\\\\x1f\\\\x7f]')",message="username must not begin or end with a space nor hold control characters"
	Username string `json:"username,omitempty"`

	// passwordSecretRef names the Secret with the password, or with a hash of it
	// ($argon2id$, bcrypt's $2 or SHA-512 crypt's $6$). A change of it takes effect within seconds
	// and ends the user's sessions. Absent: the operator makes a password once
	// and keeps it in a Secret; status.passwordSecretRef tells where.
	//
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`

	// home is the directory that the user sees as "/": an absolute path on the
	// server's storage. It is made when the user first logs in. Absent: "/" and
	// the username.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="home must be an absolute path: begin it with /"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().contains('/.ftpserver-')",message="home must hold no name that begins with .ftpserver-: those are the server's own"
	// +kubebuilder:validation:XValidation:rule="self == '/' || !self.matches('/$|//|/[.][.]?(/|$)|[\\\\x00-\\\\x1f\\\\x7f]')",message="home must be a plain path: without //, . or .. in it, without / at its end, without control characters"
	Home string `json:"home,omitempty"`

	// role is what the user may do. ReadOnly: list and download. ReadWrite: also
	// upload, overwrite, rename and delete. WriteOnly: a drop box, upload new
	// files only. Admin: ReadWrite on all files of the server, whatever the
	// home. Absent: ReadWrite.
	//
	// +optional
	// +default="ReadWrite"
	Role UserRole `json:"role,omitempty"`

	// login is Enabled or Suspended. Suspending ends the user's sessions at once
	// and keeps everything else. Absent: Enabled.
	//
	// +optional
	// +default="Enabled"
	Login LoginState `json:"login,omitempty"`

	// paths give the user other roles below some directories. Of those that a
	// path lies in, the longest counts; outside of all, role does. A change
	// takes effect with the next command. Absent: role holds everywhere.
	//
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=32
	Paths []PathRule `json:"paths,omitempty"`

	// allowedCIDRs are the networks that the user may log in from, such as
	// 10.0.0.0/8. Sessions from elsewhere end after their running transfer. A server
	// that does not see addresses (status.clientAddresses Hidden) does not accept the
	// user. Absent: every network.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(c, isCIDR(c))",message="allowedCIDRs must be networks such as 10.0.0.0/8"
	AllowedCIDRs []string `json:"allowedCIDRs,omitempty"`

	// expiresAt is when the login ends: from that instant on it is refused and
	// running sessions are ended, also while the operator is away. A later time
	// brings it back. Between the years 2000 and 9999. Absent: never.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self > timestamp('2000-01-01T00:00:00Z') && self < timestamp('9999-01-01T00:00:00Z')",message="expiresAt must lie between the years 2000 and 9999: leave it out for a login that never ends"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// quota limits what the user's home may hold, whoever put it there. Users who
	// share a home are each held to their own. A change takes effect with the
	// next command. Absent: no limit but the volume.
	//
	// +optional
	Quota QuotaSpec `json:"quota,omitzero"`

	// limits bound what the user may use. Absent: only the server's limits hold.
	//
	// +optional
	// +default={}
	Limits UserLimitsSpec `json:"limits,omitzero"`
}

// PathRole is a role that holds below a directory.
//
// +kubebuilder:validation:Enum=ReadOnly;ReadWrite;WriteOnly
type PathRole string

// PathRule gives a user another role below a directory.
type PathRule struct {
	// path is the directory as the user sees it: an absolute path, / being the
	// home, or for an Admin the root of the server's storage.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/')",message="path must be an absolute path: begin it with /"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().contains('/.ftpserver-')",message="path must hold no name that begins with .ftpserver-: those are the server's own"
	// +kubebuilder:validation:XValidation:rule="self == '/' || !self.matches('/$|//|/[.][.]?(/|$)|[\\\\x00-\\\\x1f\\\\x7f]')",message="path must be a plain path: without //, . or .. in it, without / at its end, without control characters"
	Path string `json:"path,omitempty"`

	// role is what the user may do there: ReadOnly, ReadWrite or WriteOnly, as
	// in spec.role.
	//
	// +required
	Role PathRole `json:"role,omitempty"`

	// uploads is Atomic or Direct, as in files.uploads of the FTPServer. Absent:
	// what it says.
	//
	// +optional
	Uploads Uploads `json:"uploads,omitempty"`

	// overwrite is Allow or Deny, as in files.overwrite of the FTPServer. Absent:
	// what it says.
	//
	// +optional
	Overwrite Overwrite `json:"overwrite,omitempty"`
}

// UserLimitsSpec bounds what a user may use.
type UserLimitsSpec struct {
	// sessionsPerReplica is how many sessions the user may have on one pod at
	// once; a further login is refused. Absent: no limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	SessionsPerReplica int32 `json:"sessionsPerReplica,omitempty"`

	// The rates of the user's sessions, lower or higher than the server's; absent:
	// the server's.
	RatesSpec `json:",inline"`
}

// FTPUserStatus is the state of an FTPUser as last seen.
type FTPUserStatus struct {
	// observedGeneration is the metadata.generation that the status is about;
	// -1 before the first.
	//
	// +optional
	// +default=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Accepted, ResolvedRefs and Programmed; Reconciling
	// and Stalled only while they are True.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// username is the login in force. Absent: there is none, as the server has not
	// accepted the user.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username,omitempty"`

	// passwordSecretRef tells where the password is: the Secret given in the
	// spec, or the one that the operator made. Absent: there is none that is the
	// user's.
	//
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`
}

// FTPUser is a login on an FTPServer.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=ftp
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Server",type=string,JSONPath=`.spec.serverRef.name`
// +kubebuilder:printcolumn:name="Username",type=string,JSONPath=`.status.username`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 128",message="metadata.name must be at most 128 characters long: shorten it and set spec.username"
type FTPUser struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name is at most 128
	// characters long.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the wanted state.
	//
	// +required
	Spec FTPUserSpec `json:"spec,omitzero"`

	// status is the state as last seen. The operator writes it.
	//
	// +optional
	// +default={"observedGeneration": -1}
	Status FTPUserStatus `json:"status,omitzero"`
}

// Username is the login that the object asks for.
func (u *FTPUser) Username() string {
	if u.Spec.Username != "" {
		return u.Spec.Username
	}
	return u.Name
}

// FTPUserList is a list of FTPUsers.
//
// +kubebuilder:object:root=true
type FTPUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FTPUser `json:"items"`
}

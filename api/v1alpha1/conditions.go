package v1alpha1

// ConditionReady tells whether everything that the spec asks for is so.
//
// FTPServer: True when Accepted, ResolvedRefs, CertificatesValid,
// AddressAssigned, WorkloadAvailable and Programmed all are. Where one is not, Ready carries its
// status, reason and message. A pod that cannot be asked leaves Ready Unknown
// and not False: it may well serve clients, and nothing is claimed either way.
// With zero replicas Ready is True with the reason ScaledToZero: nothing runs,
// as asked.
//
// FTPUser: True when Accepted, ResolvedRefs and Programmed are. Where spec.login
// or spec.expiresAt then keeps the user out, its reason is Suspended or Expired:
// that is what the spec asks for.
const ConditionReady = "Ready"

// ConditionReconciling is there, and True, only while the operator works
// towards the spec and needs nobody's help. The kstatus library reads it.
const ConditionReconciling = "Reconciling"

// ConditionStalled is there, and True, only where nothing moves until somebody
// edits something. The kstatus library reads it.
const ConditionStalled = "Stalled"

// ConditionAccepted tells whether the operator acts on the object.
//
// FTPServer reasons: Accepted, InvalidSpec, NameTaken, ChildRejected,
// ChildLeaving.
// FTPUser reasons: Accepted, InvalidSpec, ServerNotFound, UsernameConflict,
// ServerFull, ClientAddressesHidden, NameTaken, ChildRejected, ChildLeaving.
const ConditionAccepted = "Accepted"

// ConditionResolvedRefs tells whether what the spec refers to is there and
// usable.
//
// FTPServer reasons: ResolvedRefs, ClaimNotFound, VolumeNotShared,
// CertificateNotFound, InvalidCertificate.
// FTPUser reasons: ResolvedRefs, SecretNotFound, SecretKeyNotFound,
// InvalidPassword, and Pending where the password is being made or no server
// can take the user yet.
const ConditionResolvedRefs = "ResolvedRefs"

// ConditionCertificatesValid tells, of an FTPServer, whether the time allows the
// certificates that are given to it: those of them that clients are shown, be it
// from a copy. The operator's own is renewed in time and not judged. A
// certificate that is about to expire leaves it True.
//
// Reasons: CertificatesValid, CertificateExpiring, CertificateExpired,
// CertificateNotYetValid, TLSDisabled.
const ConditionCertificatesValid = "CertificatesValid"

// ConditionAddressAssigned tells, of an FTPServer, whether the address that
// clients connect to is known, so that PASV can be answered.
//
// Reasons: AddressAssigned, AddressPending, ScaledToZero.
const ConditionAddressAssigned = "AddressAssigned"

// ConditionClientAddressesKnown tells, of an FTPServer, whether the server sees
// the addresses of its clients, and where it does not, which rules of the spec
// that go by addresses do without. It is told for information: Ready does not
// depend on it.
//
// Reasons: ClientAddressesPreserved, ClientAddressesHidden.
const ConditionClientAddressesKnown = "ClientAddressesKnown"

// ConditionWorkloadAvailable tells, of an FTPServer, whether every replica's
// pod runs the wanted version and is ready. With zero replicas it is True once
// the last pod has ended.
//
// Reasons: WorkloadAvailable, RollingOut, RolloutStopped, PodNotReady,
// ScalingDown, ScaledToZero.
const ConditionWorkloadAvailable = "WorkloadAvailable"

// ConditionProgrammed tells whether the running pods have loaded this very
// generation, by their own account.
//
// FTPServer reasons: Programmed, Pending, Refused, NoPod, StatusUnreachable,
// UnsupportedByServer, ScaledToZero.
// FTPUser reasons: the same, and NotLoaded where Accepted or ResolvedRefs is
// False.
const ConditionProgrammed = "Programmed"

// Reason is why a condition is as it is. Reasons are part of the API: new ones
// may come, none is renamed.
type Reason string

// Reasons of ConditionReady.
const (
	// ReasonReady: everything is as the spec asks.
	ReasonReady Reason = "Ready"
	// ReasonSuspended: all is as the spec asks, and that is to refuse the login.
	ReasonSuspended Reason = "Suspended"
	// ReasonExpired: spec.expiresAt has come, and the login is refused.
	ReasonExpired Reason = "Expired"
	// ReasonProgressing: the operator is at work; Ready says on what.
	ReasonProgressing Reason = "Progressing"
	// ReasonReconcileFailed: the operator met an error and tries again; its log
	// has it. The other conditions are as they were before.
	ReasonReconcileFailed Reason = "ReconcileFailed"
)

// Reasons of ConditionAccepted.
const (
	// ReasonAccepted: the operator acts on the object.
	ReasonAccepted Reason = "Accepted"
	// ReasonInvalidSpec: a value is wrong in a way that the schema could not
	// tell; the message names it. What ran before goes on.
	ReasonInvalidSpec Reason = "InvalidSpec"
	// ReasonNameTaken: an object that the operator would make exists already and
	// is somebody else's. It is left alone: rename or delete either of them.
	ReasonNameTaken Reason = "NameTaken"
	// ReasonChildRejected: the API server refused an object that follows from
	// the spec; the message is its answer.
	ReasonChildRejected Reason = "ChildRejected"
	// ReasonChildLeaving: an object that the operator makes is being deleted, or
	// one that is in its place; it is made anew once that is gone.
	ReasonChildLeaving Reason = "ChildLeaving"
	// ReasonServerNotFound: no FTPServer of the name in serverRef exists in the
	// user's namespace. The user takes effect as soon as there is one.
	ReasonServerNotFound Reason = "ServerNotFound"
	// ReasonUsernameConflict: an older FTPUser has this login on this server and
	// keeps it.
	ReasonUsernameConflict Reason = "UsernameConflict"
	// ReasonClientAddressesHidden: the user has allowedCIDRs, and the server does
	// not see the addresses of its clients (status.clientAddresses): nobody could
	// log in.
	ReasonClientAddressesHidden Reason = "ClientAddressesHidden"
	// ReasonServerFull: the server's users fill the space there is for them.
	ReasonServerFull Reason = "ServerFull"
)

// Reasons of ConditionResolvedRefs.
const (
	// ReasonResolvedRefs: all that the spec refers to is there.
	ReasonResolvedRefs Reason = "ResolvedRefs"
	// ReasonClaimNotFound: the PersistentVolumeClaim in
	// storage.volume.existingClaimRef does not exist.
	ReasonClaimNotFound Reason = "ClaimNotFound"
	// ReasonVolumeNotShared: several replicas are asked for, and the claim in
	// storage.volume.existingClaimRef cannot be mounted by all of them.
	ReasonVolumeNotShared Reason = "VolumeNotShared"
	// ReasonSecretNotFound: the Secret with the password does not exist. The
	// login is refused until it does.
	ReasonSecretNotFound Reason = "SecretNotFound"
	// ReasonSecretKeyNotFound: the Secret has no such key, or it is empty.
	ReasonSecretKeyNotFound Reason = "SecretKeyNotFound"
	// ReasonInvalidPassword: the value is neither a password (one line, UTF-8)
	// nor a hash that the server understands.
	ReasonInvalidPassword Reason = "InvalidPassword"
	// ReasonCertificateNotFound: the Secret with a certificate does not exist.
	// What was copied of it before goes on serving; without, the others do.
	ReasonCertificateNotFound Reason = "CertificateNotFound"
	// ReasonInvalidCertificate: a Secret holds no certificate and key that
	// clients could be shown; the message says what is wrong. What was copied of
	// it before goes on serving; without, the others do.
	ReasonInvalidCertificate Reason = "InvalidCertificate"
)

// Reasons of ConditionCertificatesValid.
const (
	// ReasonCertificatesValid: no certificate that is given ends soon.
	ReasonCertificatesValid Reason = "CertificatesValid"
	// ReasonCertificateExpiring: one has less than a tenth of its life left, at
	// most two weeks; the message names it and the day. The condition is True.
	ReasonCertificateExpiring Reason = "CertificateExpiring"
	// ReasonCertificateExpired: one has expired. It is still shown; clients that
	// verify turn away.
	ReasonCertificateExpired Reason = "CertificateExpired"
	// ReasonCertificateNotYetValid: the life of one has not begun. It is shown;
	// clients that verify turn away until then.
	ReasonCertificateNotYetValid Reason = "CertificateNotYetValid"
	// ReasonTLSDisabled: tls.mode is Disabled and no certificate is shown. The
	// condition is True.
	ReasonTLSDisabled Reason = "TLSDisabled"
)

// Reasons of ConditionAddressAssigned.
const (
	// ReasonAddressAssigned: status.addresses tells the addresses.
	ReasonAddressAssigned Reason = "AddressAssigned"
	// ReasonAddressPending: Kubernetes has not assigned the address or all ports
	// yet, or the load balancer says that it does not pass them all on. The message
	// has what the Service's status says.
	ReasonAddressPending Reason = "AddressPending"
)

// Reasons of ConditionClientAddressesKnown, beside ReasonClientAddressesHidden.
const (
	// ReasonClientAddressesPreserved: the server sees each client's own address,
	// or that of its NAT.
	ReasonClientAddressesPreserved Reason = "ClientAddressesPreserved"
)

// Reasons of ConditionWorkloadAvailable.
const (
	// ReasonWorkloadAvailable: every replica's pod is ready.
	ReasonWorkloadAvailable Reason = "WorkloadAvailable"
	// ReasonRollingOut: a pod of an older version is being replaced. Sessions in
	// a transfer are let finish first.
	ReasonRollingOut Reason = "RollingOut"
	// ReasonRolloutStopped: a pod of the newest version does not come up; the
	// message says which and why. The other replicas stay as they were until it
	// does, or until the spec is corrected.
	ReasonRolloutStopped Reason = "RolloutStopped"
	// ReasonScalingDown: a pod that is no longer asked for finishes its
	// transfers. The condition is True.
	ReasonScalingDown Reason = "ScalingDown"
	// ReasonPodNotReady: a pod is missing or not ready; the message says why.
	ReasonPodNotReady Reason = "PodNotReady"
	// ReasonScaledToZero: spec.replicas is 0 and nothing runs, as asked.
	ReasonScaledToZero Reason = "ScaledToZero"
)

// Reasons of ConditionProgrammed.
const (
	// ReasonProgrammed: every pod has loaded this generation.
	ReasonProgrammed Reason = "Programmed"
	// ReasonPending: it is written; a pod has not loaded it yet.
	ReasonPending Reason = "Pending"
	// ReasonRefused: a pod refused what was written and serves what it had; the
	// message is the pod's.
	ReasonRefused Reason = "Refused"
	// ReasonNoPod: no pod runs that could load it.
	ReasonNoPod Reason = "NoPod"
	// ReasonStatusUnreachable: a pod runs, but did not answer the operator. It
	// is not known what it has loaded; clients may well be served.
	ReasonStatusUnreachable Reason = "StatusUnreachable"
	// ReasonUnsupportedByServer: a pod runs an older server that does not know
	// something that the spec asks for. Logins that this would narrow are refused
	// there.
	ReasonUnsupportedByServer Reason = "UnsupportedByServer"
	// ReasonNotLoaded: the user is not on the server, because it is not accepted
	// or its password is not usable.
	ReasonNotLoaded Reason = "NotLoaded"
)

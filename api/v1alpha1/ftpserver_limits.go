package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LimitsSpec bounds what clients may use.
type LimitsSpec struct {
	// sessionsPerReplica is how many control connections one pod serves at once;
	// one more takes the place of one that nobody has logged in on, or else is
	// told 421. Absent: no limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	SessionsPerReplica int32 `json:"sessionsPerReplica,omitempty"`

	// sessionsPerAddress is how many of them one client address may hold on one
	// pod. Absent: no limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	SessionsPerAddress int32 `json:"sessionsPerAddress,omitempty"`

	// idleTimeout ends a session that sends no command, from 1s to 24h. Absent:
	// 5m.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="idleTimeout must be between 1s and 24h"
	IdleTimeout *metav1.Duration `json:"idleTimeout,omitempty"`

	// failedLogins say what guessing of passwords leads to. Absent: delays, and a
	// lockout of ten minutes after ten failures of one user from one address.
	//
	// +optional
	// +default={"mode": "Lockout"}
	FailedLogins FailedLoginsSpec `json:"failedLogins,omitzero"`

	// The rates of sessions whose user has none; absent: as fast as can be.
	RatesSpec `json:",inline"`
}

// FailedLoginsMode is what failed logins lead to.
//
// +kubebuilder:validation:Enum=Lockout;Delay;None
type FailedLoginsMode string

// The modes.
const (
	// FailedLoginsLockout: to delays, and then to a lockout for some time.
	FailedLoginsLockout FailedLoginsMode = "Lockout"
	// FailedLoginsDelay: to delays only.
	FailedLoginsDelay FailedLoginsMode = "Delay"
	// FailedLoginsNone: to nothing. Not Off, which YAML 1.1 takes for false.
	FailedLoginsNone FailedLoginsMode = "None"
)

// FailedLoginsSpec bounds how fast passwords can be guessed. Each pod counts for
// itself, and from nothing when it starts.
//
// +kubebuilder:validation:XValidation:rule="self.mode == 'Lockout' || (!has(self.lockoutAfter) && !has(self.lockoutFor))",message="lockoutAfter and lockoutFor need failedLogins.mode Lockout: set the mode or remove the fields"
type FailedLoginsSpec struct {
	// mode is Lockout (each failure delays the next login of that user from that
	// address, from 0.5 up to 8 seconds; many lock it out for some time), Delay
	// (nobody is locked out) or None (neither: something else bounds guessing). A
	// change holds from the next login on. Absent: Lockout.
	//
	// +optional
	// +default="Lockout"
	Mode FailedLoginsMode `json:"mode,omitempty"`

	// lockoutAfter is how many failures of one user from one address lock out
	// that user there, from 3 to 1000. Ten times as many, 100 at least, of any
	// users lock out the address, but for users who have logged in from there
	// before. Absent: 10.
	//
	// +optional
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=1000
	LockoutAfter int32 `json:"lockoutAfter,omitempty"`

	// lockoutFor is how long a lockout lasts, and within which time failures are
	// counted, from 1s to 24h. A change of the user ends it. Absent: 10m.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="lockoutFor must be between 1s and 24h"
	LockoutFor *metav1.Duration `json:"lockoutFor,omitempty"`
}

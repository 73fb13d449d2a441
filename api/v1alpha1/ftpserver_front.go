package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FrontSpec configures pods that take the control connections and pass each on
// to the replica that has the fewest. Data connections do not go through them.
// They are HAProxy. A change of anything in it but replicas replaces these pods
// one by one; control connections through them may end by themselves, for
// pod.terminationGracePeriod.
type FrontSpec struct {
	// replicas is how many pods there are; each counts the connections that go
	// through itself. Absent: 2.
	//
	// +optional
	// +default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Replicas *int32 `json:"replicas,omitempty"`

	// connectionsPerReplica is how many control connections each pod holds at
	// once, and as many more on the port of implicit TLS; others wait until one
	// ends. Absent: 5000.
	//
	// +optional
	// +default=5000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	ConnectionsPerReplica int32 `json:"connectionsPerReplica,omitempty"`

	// slowStart is in which time a replica that has come up gets its whole share
	// of new sessions, from 0s (at once) to 1h. Absent: 30s.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="slowStart must be between 0s and 1h"
	SlowStart *metav1.Duration `json:"slowStart,omitempty"`

	// slots say which replicas get more or fewer sessions than others. Absent:
	// all are alike.
	//
	// +optional
	// +listType=map
	// +listMapKey=slot
	// +kubebuilder:validation:MaxItems=64
	Slots []FrontSlot `json:"slots,omitempty"`

	// image is HAProxy's, of version 2.6 or later, that is asked to stop by the
	// signal on which it ends softly (STOPSIGNAL SIGUSR1). Absent: the one that belongs to the
	// operator's version.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// resources are the requests and limits of each pod. Absent: requests of 20m
	// CPU and 64Mi memory.
	//
	// +optional
	// +default={"requests": {"cpu": "20m", "memory": "64Mi"}}
	Resources ResourcesSpec `json:"resources,omitzero"`
}

// FrontSlot is the share of one replica.
type FrontSlot struct {
	// slot is the replica's number, from 0 on: that in the name of its Deployment.
	// It may be one that no replica has yet, or has any more.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=63
	Slot *int32 `json:"slot,omitempty"`

	// weight is the replica's share in proportion to those of the others. With 0
	// it gets no new sessions. Absent: 100.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=256
	Weight *int32 `json:"weight,omitempty"`

	// role is Active, or Backup: a replica that gets sessions only while no active
	// one takes any. Absent: Active.
	//
	// +optional
	Role FrontRole `json:"role,omitempty"`
}

// FrontRole says when a replica gets sessions.
//
// +kubebuilder:validation:Enum=Active;Backup
type FrontRole string

// The roles.
const (
	// FrontActive: always.
	FrontActive FrontRole = "Active"
	// FrontBackup: while no active one takes any.
	FrontBackup FrontRole = "Backup"
)

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// StorageSpec says where the files are.
//
// +kubebuilder:validation:XValidation:rule="has(self.volume)",message="storage.volume is missing: give it a size or an existingClaimRef"
type StorageSpec struct {
	// volume keeps the files on a volume of the cluster. Required: it is the one
	// kind of storage there is.
	//
	// +optional
	Volume *VolumeSpec `json:"volume,omitempty"`
}

// DeletionPolicy says what becomes of the volume when its FTPServer is deleted.
//
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionRetain: it stays, and a server of the same name takes it up again.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete: it is deleted with all files.
	DeletionDelete DeletionPolicy = "Delete"
)

// VolumeSpec keeps the files on a volume: either a PersistentVolumeClaim that
// the operator makes, of a size, or one that exists.
//
// +kubebuilder:validation:XValidation:rule="has(self.size) != has(self.existingClaimRef)",message="give storage.volume either a size, for a new volume, or an existingClaimRef"
// +kubebuilder:validation:XValidation:rule="has(self.existingClaimRef) == has(oldSelf.existingClaimRef) && (!has(self.existingClaimRef) || self.existingClaimRef.name == oldSelf.existingClaimRef.name)",message="existingClaimRef is immutable: make a new FTPServer for other files"
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName is immutable: make a new FTPServer and copy the files"
// +kubebuilder:validation:XValidation:rule="has(self.accessModes) == has(oldSelf.accessModes) && (!has(self.accessModes) || self.accessModes == oldSelf.accessModes)",message="accessModes are immutable: make a new FTPServer and copy the files"
// +kubebuilder:validation:XValidation:rule="!has(self.existingClaimRef) || (!has(self.storageClassName) && !has(self.accessModes))",message="storageClassName and accessModes are for a new volume: remove them or existingClaimRef"
// +kubebuilder:validation:XValidation:rule="!has(self.existingClaimRef) || self.deletionPolicy == 'Retain'",message="an existing claim is never deleted: set deletionPolicy to Retain"
type VolumeSpec struct {
	// size is the capacity asked for, such as 10Gi. It can grow, where the
	// storage class allows it; a volume never shrinks. What Kubernetes refuses is
	// told by the condition Accepted (ChildRejected), and taken back by setting
	// the size that the volume has. Exactly one of size and existingClaimRef is
	// given.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="size must be more than 0, such as 10Gi"
	Size *resource.Quantity `json:"size,omitempty"`

	// storageClassName is the class of a new volume. Immutable. Absent: the
	// cluster's default class.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`

	// accessModes are those of a new volume. Immutable. Absent: ReadWriteOnce.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:Enum=ReadWriteOnce;ReadWriteOncePod;ReadWriteMany
	AccessModes []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`

	// existingClaimRef names a PersistentVolumeClaim of the same namespace that
	// is used as it is and never deleted. Immutable.
	//
	// +optional
	ExistingClaimRef *LocalReference `json:"existingClaimRef,omitempty"`

	// deletionPolicy says what becomes of a new volume when the FTPServer is
	// deleted: Retain keeps it, and a server of the same name takes it up again;
	// Delete deletes it with all files. Absent: Retain.
	//
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

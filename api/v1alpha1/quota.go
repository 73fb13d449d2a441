package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// QuotaSpec limits what a home may hold, whoever put it there. An upload that
// passes it is answered with 552; nothing of it is kept, or of a Direct one what
// there was room for.
//
// +kubebuilder:validation:XValidation:rule="has(self.bytes) || has(self.files)",message="give quota bytes or files, or leave quota out for no limit"
type QuotaSpec struct {
	// bytes is the sum of the sizes of all files, such as 10Gi; a fraction of a
	// byte counts as one. Absent: no limit.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="!quantity(string(self)).isLessThan(quantity('1')) && !quantity(string(self)).isGreaterThan(quantity('1Ei'))",message="bytes must be between 1 and 1Ei, such as 10Gi: to let a user store nothing, give the role ReadOnly"
	Bytes *resource.Quantity `json:"bytes,omitempty"`

	// files is the number of names: of files, links and directories. Absent: no
	// limit.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000000
	Files int64 `json:"files,omitempty"`
}

// InBytes is the limit of bytes; 0 is none.
func (q QuotaSpec) InBytes() int64 { return inBytes(q.Bytes) }

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodSpec configures the pods that serve. They always meet the restricted Pod
// Security profile. Who may set image can run a program of their choice in the
// namespace: allow it to whom you would allow to make pods.
type PodSpec struct {
	// image is the server's image. Absent: the one that belongs to the
	// operator's version.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// imagePullSecrets name Secrets with credentials for the image. Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []LocalReference `json:"imagePullSecrets,omitempty"`

	// resources are the requests and limits of the server's container. Absent:
	// requests of 50m CPU and 128Mi memory.
	//
	// +optional
	// +default={"requests": {"cpu": "50m", "memory": "128Mi"}}
	Resources ResourcesSpec `json:"resources,omitzero"`

	// nodeSelector limits the pods to nodes with these labels. Absent: any node.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]LabelValue `json:"nodeSelector,omitempty"`

	// tolerations let the pods run on tainted nodes. Absent: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity is the pods' scheduling affinity. Absent: they prefer different
	// zones.
	//
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints spread the pods over the cluster; one without a
	// labelSelector is about the server's pods. Absent: over nodes, as evenly as
	// can be.
	//
	// +optional
	// +listType=map
	// +listMapKey=topologyKey
	// +listMapKey=whenUnsatisfiable
	// +kubebuilder:validation:MaxItems=16
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName is the pods' priority class. Absent: the cluster's
	// default.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// annotations are added to the pods. Those of older versions of Kubernetes that
	// choose a seccomp profile are refused, and those that choose an AppArmor profile
	// where it is neither runtime/default nor localhost/NAME. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('ftp-operator.io/'))",message="annotations beginning with ftp-operator.io/ are the operator's: choose another prefix"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('seccomp.security.alpha.kubernetes.io/') && !k.startsWith('container.seccomp.security.alpha.kubernetes.io/'))",message="the pods always have the seccomp profile RuntimeDefault: remove annotations beginning with seccomp.security.alpha.kubernetes.io/ or container.seccomp.security.alpha.kubernetes.io/"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('container.apparmor.security.beta.kubernetes.io/') || self[k] == 'runtime/default' || self[k].startsWith('localhost/'))",message="annotations beginning with container.apparmor.security.beta.kubernetes.io/ must be runtime/default or localhost/NAME, as the pods always meet the restricted Pod Security profile"
	Annotations map[string]string `json:"annotations,omitempty"`

	// labels are added to the pods. Absent: none but the operator's own.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('ftp-operator.io/'))",message="labels beginning with app.kubernetes.io/ or ftp-operator.io/ are the operator's: choose another prefix"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// terminationGracePeriod is how long a pod that is asked to end lets
	// transfers in progress finish, from 1s to 24h. Meanwhile no new session is
	// taken. Absent: 5m.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="terminationGracePeriod must be between 1s and 24h"
	TerminationGracePeriod *metav1.Duration `json:"terminationGracePeriod,omitempty"`

	// runAsUser is the user id that the server runs as and files belong to. Not
	// root. Absent: 65532.
	//
	// +optional
	// +default=65532
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	RunAsUser int64 `json:"runAsUser,omitempty"`

	// fsGroup is the group id that the server runs as, and that the volume is
	// made writable for. Absent: 65532.
	//
	// +optional
	// +default=65532
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	FSGroup int64 `json:"fsGroup,omitempty"`

	// supplementalGroups are further group ids, as some shared file systems
	// need. Absent: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=2147483647
	SupplementalGroups []int64 `json:"supplementalGroups,omitempty"`
}

// ResourcesSpec is what the server's container may use.
type ResourcesSpec struct {
	// requests are reserved for the container. Absent: as the limits, or none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// limits are the most that the container may use. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

package render

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// claim asks for the volume, or is nil where the spec names an existing claim.
// Retained it has no owner and none of the labels that tools prune by.
func claim(in Input) *corev1.PersistentVolumeClaim {
	v := in.Server.Spec.Storage.Volume
	if v == nil || v.Size == nil {
		return nil
	}
	c := &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      ClaimName(in.Server.Name),
			Namespace: in.Server.Namespace,
			Labels:    retainedLabels(in.Server.Name),
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      v.AccessModes,
			StorageClassName: v.StorageClassName,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: *v.Size},
			},
		},
	}
	if len(v.AccessModes) == 0 {
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	}
	if v.DeletionPolicy == v1alpha1.DeletionDelete {
		c.OwnerReferences = []metav1.OwnerReference{Owner(in.Server)}
	}
	return c
}

// MountedClaim is the name of the claim that the pods mount.
func MountedClaim(s *v1alpha1.FTPServer) string {
	if v := s.Spec.Storage.Volume; v != nil && v.ExistingClaimRef != nil {
		return v.ExistingClaimRef.Name
	}
	return ClaimName(s.Name)
}

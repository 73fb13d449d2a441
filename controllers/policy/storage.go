package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// VolumeShared tells whether pods on several nodes can mount the server's
// volume at the same time. claim is the one that the spec refers to, or nil where
// it is not there: then nobody knows, and none is assumed to.
func VolumeShared(s *v1alpha1.FTPServer, claim *corev1.PersistentVolumeClaim) bool {
	return sharedBy(s, claimModes(claim))
}

// VolumeAskedShared tells whether the claim asks for such a volume. Unlike what it
// is bound to, that never changes while a pod runs, and so pod templates may
// follow from it: it is immutable, and a claim stays while a pod uses it.
func VolumeAskedShared(s *v1alpha1.FTPServer, claim *corev1.PersistentVolumeClaim) bool {
	var asked []corev1.PersistentVolumeAccessMode
	if claim != nil {
		asked = claim.Spec.AccessModes
	}
	return sharedBy(s, asked)
}

// sharedBy judges the modes of the claim that the spec makes, or those of the one
// that it refers to.
func sharedBy(s *v1alpha1.FTPServer, existing []corev1.PersistentVolumeAccessMode) bool {
	v := s.Spec.Storage.Volume
	if v == nil {
		return false
	}
	modes := v.AccessModes
	if v.ExistingClaimRef != nil {
		modes = existing
	}
	return slices.Contains(modes, corev1.ReadWriteMany)
}

// claimModes are those of the volume that a claim is bound to, else those that
// it asks for.
func claimModes(claim *corev1.PersistentVolumeClaim) []corev1.PersistentVolumeAccessMode {
	switch {
	case claim == nil:
		return nil
	case len(claim.Status.AccessModes) > 0:
		return claim.Status.AccessModes
	}
	return claim.Spec.AccessModes
}

// VolumeNotShared is the finding for several replicas on a claim that only one
// can have.
func VolumeNotShared(claim *corev1.PersistentVolumeClaim, replicas int) Finding {
	var modes []string
	for _, m := range claimModes(claim) {
		modes = append(modes, string(m))
	}
	return no(v1alpha1.ReasonVolumeNotShared, fmt.Sprintf(
		"The PersistentVolumeClaim %s (%s) cannot be mounted by %d replicas, and no more are started: set spec.replicas to 1, or make the FTPServer anew with a claim that has ReadWriteMany",
		claim.Name, strings.Join(modes, ", "), replicas))
}

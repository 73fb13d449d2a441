package policy_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func TestVolumeShared(t *testing.T) {
	many, once := corev1.ReadWriteMany, corev1.ReadWriteOnce
	modes := func(m ...corev1.PersistentVolumeAccessMode) []corev1.PersistentVolumeAccessMode { return m }
	for i, tc := range []struct {
		asked        []corev1.PersistentVolumeAccessMode // of a new volume
		claim, bound []corev1.PersistentVolumeAccessMode // of an existing one
		existing     bool
		want         bool
		byRequest    bool // what pod templates follow from
	}{
		{asked: modes(many), want: true, byRequest: true},
		{asked: modes(once, many), want: true, byRequest: true},
		{asked: modes(once)},
		{asked: modes(corev1.ReadWriteOncePod)},
		{},               // the default is ReadWriteOnce
		{existing: true}, // and not there
		{existing: true, claim: modes(many), want: true, byRequest: true},
		{existing: true, claim: modes(many), bound: modes(once, many), want: true, byRequest: true},
		{existing: true, claim: modes(once)},
		{existing: true, claim: modes(many), bound: modes(once), byRequest: true},
		{existing: true, claim: modes(once), bound: modes(once, many), want: true},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := &v1alpha1.FTPServer{}
			s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{AccessModes: tc.asked}
			var claim *corev1.PersistentVolumeClaim
			if tc.existing {
				s.Spec.Storage.Volume.ExistingClaimRef = &v1alpha1.LocalReference{Name: "theirs"}
			}
			if tc.claim != nil {
				claim = &corev1.PersistentVolumeClaim{}
				claim.Name, claim.Spec.AccessModes, claim.Status.AccessModes = "theirs", tc.claim, tc.bound
				f := policy.VolumeNotShared(claim, 3)
				shown := tc.bound
				if shown == nil {
					shown = tc.claim
				}
				if f.Reason != v1alpha1.ReasonVolumeNotShared || !strings.Contains(f.Message, "theirs ("+string(shown[0])) || !strings.Contains(f.Message, "3 replicas") {
					t.Errorf("the finding is %+v", f)
				}
			}
			if got := policy.VolumeShared(s, claim); got != tc.want {
				t.Errorf("shared: %v, want %v", got, tc.want)
			}
			if got := policy.VolumeAskedShared(s, claim); got != tc.byRequest {
				t.Errorf("asked to be shared: %v, want %v", got, tc.byRequest)
			}
		})
	}
}

package controllers

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// An operator for single namespaces must not ask for anything outside them.
func TestCacheStaysInItsNamespaces(t *testing.T) {
	options := CacheOptions([]string{"a", "b"})
	if got := slices.Sorted(maps.Keys(options.DefaultNamespaces)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("it watches %v", got)
	}
	for o, by := range options.ByObject {
		if len(by.Namespaces) > 0 {
			t.Errorf("it watches %T in %v", o, slices.Sorted(maps.Keys(by.Namespaces)))
		}
	}
	if everywhere := CacheOptions(nil); len(everywhere.DefaultNamespaces) != 0 {
		t.Errorf("without a list it watches %v", everywhere.DefaultNamespaces)
	}
}

// Of Secrets that are others' the operator keeps no annotations, which can be as
// large as the Secrets; its own it keeps whole.
func TestCacheIsSlim(t *testing.T) {
	secret := func(labels map[string]string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: "a", Labels: labels, Annotations: map[string]string{"large": "text"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
		}}
	}
	transform := CacheOptions(nil).DefaultTransform
	for name, tt := range map[string]struct {
		labels map[string]string
		kept   bool
	}{
		"somebody else's": {nil, false},
		"another tool's":  {map[string]string{render.LabelManagedBy: "helm", "a": "label"}, false},
		"its own":         {map[string]string{render.LabelManagedBy: render.FieldOwner}, true},
	} {
		o, err := transform(secret(tt.labels))
		if err != nil {
			t.Fatal(err)
		}
		got := o.(*metav1.PartialObjectMetadata)
		if kept := len(got.Annotations) > 0 && len(got.ManagedFields) > 0; kept != tt.kept || got.Name != "a" || len(got.Labels) != len(tt.labels) {
			t.Errorf("%s: it keeps %+v", name, got.ObjectMeta)
		}
	}
}

// Of claims, which are anybody's, it keeps whose they are and who can mount them.
func TestClaimsInTheCacheAreSlim(t *testing.T) {
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	whole := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: "a", UID: "1", ResourceVersion: "2", Labels: map[string]string{"a": "label"},
			OwnerReferences: []metav1.OwnerReference{{UID: "3"}}, DeletionTimestamp: &metav1.Time{Time: time.Unix(4, 0)},
			Annotations: map[string]string{"large": "text"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m"}},
		},
		Spec:   corev1.PersistentVolumeClaimSpec{AccessModes: modes, VolumeName: "v", Resources: corev1.VolumeResourceRequirements{Requests: size}},
		Status: corev1.PersistentVolumeClaimStatus{AccessModes: modes, Phase: corev1.ClaimBound, Capacity: size},
	}
	want := &corev1.PersistentVolumeClaim{
		ObjectMeta: *whole.ObjectMeta.DeepCopy(),
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: modes},
		Status:     corev1.PersistentVolumeClaimStatus{AccessModes: modes},
	}
	want.Annotations, want.ManagedFields = nil, nil
	got, err := CacheOptions(nil).DefaultTransform(whole)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

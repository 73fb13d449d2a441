package controllers

import (
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// An operator for single namespaces must not ask for anything outside them, but
// for the Secrets of its own.
func TestCacheStaysInItsNamespaces(t *testing.T) {
	options := CacheOptions([]string{"a", "b"}, "own")
	if got := slices.Sorted(maps.Keys(options.DefaultNamespaces)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("it watches %v", got)
	}
	for o, by := range options.ByObject {
		got, want := slices.Sorted(maps.Keys(by.Namespaces)), []string(nil)
		if _, secret := o.(*corev1.Secret); secret {
			want = []string{"a", "b", "own"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("it watches %T in %v, want %v", o, got, want)
		}
	}
	if everywhere := CacheOptions(nil, "own"); len(everywhere.DefaultNamespaces) != 0 {
		t.Errorf("without a list it watches %v", everywhere.DefaultNamespaces)
	}
}

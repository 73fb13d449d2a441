package controllers

import (
	"maps"
	"slices"
	"testing"
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

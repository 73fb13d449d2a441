package render_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// What is written of an authority is what is read again.
func TestAuthorityIsReadAsWritten(t *testing.T) {
	pair := func(s string) pki.KeyPair { return pki.KeyPair{Cert: []byte(s + " cert"), Key: []byte(s + " key")} }
	published := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tc := range map[string]struct {
		stored pki.Stored
		keys   []string
	}{
		"alone":     {pki.Stored{Signing: pair("a")}, []string{"tls.crt", "tls.key"}},
		"next":      {pki.Stored{Signing: pair("a"), Next: pair("b")}, []string{"next.crt", "next.key", "tls.crt", "tls.key"}},
		"published": {pki.Stored{Signing: pair("a"), Next: pair("b"), Published: published}, []string{"next-published", "next.crt", "next.key", "tls.crt", "tls.key"}},
		"previous":  {pki.Stored{Signing: pair("b"), Previous: []byte("a cert")}, []string{"previous.crt", "tls.crt", "tls.key"}},
	} {
		t.Run(name, func(t *testing.T) {
			data := render.AuthorityData(tc.stored)
			if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, tc.keys) {
				t.Errorf("keys are %v, want %v", got, tc.keys)
			}
			if diff := cmp.Diff(tc.stored, render.ReadAuthority(data)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := render.ReadAuthority(map[string][]byte{"next-published": []byte("yesterday")}).Published; !got.IsZero() {
		t.Errorf("an unreadable time is read as %s", got)
	}
}

package controllers

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// rotation is a server whose authority is watched while the years pass.
type rotation struct {
	ns           string
	began, ended time.Time // of the first authority
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{ns: namespace(t)}
	server := newServer(r.ns, "files")
	create(t, server)
	runPods(t, r.ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	ca := parseFirst(t, r.authority(t)[corev1.TLSCertKey])
	r.began, r.ended = ca.NotBefore, ca.NotAfter
	return r
}

// twelfths moves the clock to so many twelfths of the first authority's life,
// and a while after.
func (r *rotation) twelfths(t *testing.T, n int, after time.Duration) {
	t.Helper()
	at := r.began.Add(r.ended.Sub(r.began) / 12 * time.Duration(n)).Add(after)
	clock.Advance(at.Sub(clock.Now()))
	wake(t, r.ns)
}

func (r *rotation) authority(t *testing.T) map[string][]byte {
	t.Helper()
	var s corev1.Secret
	get(t, r.ns, render.AuthoritySecretName("files"), &s)
	return s.Data
}

func (r *rotation) bundle(t *testing.T) []byte {
	t.Helper()
	var m corev1.ConfigMap
	get(t, r.ns, render.CAConfigMapName("files"), &m)
	if strings.Contains(fmt.Sprint(m), "PRIVATE") {
		t.Error("a key is published")
	}
	return []byte(m.Data[render.KeyCACert])
}

func parseFirst(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("there is no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// verifies tells whether a client, and the operator, that know a bundle trust
// what the pods show now.
func (r *rotation) verifies(t *testing.T, bundle []byte) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	for secret, key := range map[string]string{
		render.TLSSecretName("files"): corev1.TLSCertKey, render.ConfigSecretName("files"): render.KeyStatusCert,
	} {
		var s corev1.Secret
		get(t, r.ns, secret, &s)
		if _, err := parseFirst(t, s.Data[key]).Verify(x509.VerifyOptions{Roots: roots, CurrentTime: clock.Now()}); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// settles waits until the authority's Secret has just these keys, the bundle has
// as many certificates and what signs has signed what the pods show, and finds
// that nothing moves any more.
func (r *rotation) settles(t *testing.T, certificates int, keys ...string) []byte {
	t.Helper()
	var bundle []byte
	eventually(t, func() error {
		bundle = r.bundle(t)
		if got := slices.Sorted(maps.Keys(r.authority(t))); !slices.Equal(got, keys) {
			return fmt.Errorf("the authority has %v, want %v", got, keys)
		}
		if n := bytes.Count(bundle, []byte("BEGIN CERTIFICATE")); n != certificates {
			return fmt.Errorf("the bundle has %d certificates, want %d", n, certificates)
		}
		var roots string // a pod may still show a certificate of either authority
		pods.set(t, func() { roots = pods.roots[host(r.ns, "files")] })
		if roots != string(bundle) {
			return errors.New("pods are not verified with the whole bundle")
		}
		return errors.Join(r.verifies(t, bundle), r.verifies(t, r.authority(t)[corev1.TLSCertKey]))
	})
	reaches(t, newServer(r.ns, "files"), kstatus.CurrentStatus)
	quiet(t, r.ns, "files")
	return bundle
}

// A certificate authority takes over from another: at each step the published
// bundle verifies what the pods show, and so does that of the step before, until
// its time is over.
func TestAuthorityRotates(t *testing.T) {
	r := newRotation(t)
	first := r.settles(t, 1, "tls.crt", "tls.key")
	old := r.authority(t)

	r.twelfths(t, 8, -time.Hour)
	if got := r.settles(t, 1, "tls.crt", "tls.key"); !bytes.Equal(got, first) {
		t.Error("the bundle changed before the authority was due")
	}

	r.twelfths(t, 8, time.Hour)
	second := r.settles(t, 2, "next-published", "next.crt", "next.key", "tls.crt", "tls.key")
	if err := r.verifies(t, first); err != nil {
		t.Errorf("clients with the first bundle turn away as soon as there is a second: %v", err)
	}
	made := r.authority(t)
	r.twelfths(t, 9, -time.Hour)
	if got := r.settles(t, 2, "next-published", "next.crt", "next.key", "tls.crt", "tls.key"); !bytes.Equal(got, second) {
		t.Error("the bundle changed within the overlap")
	}
	if err := r.verifies(t, first); err != nil {
		t.Errorf("clients with the first bundle turn away before their time: %v", err)
	}

	r.twelfths(t, 9, 2*time.Hour)
	if got := r.settles(t, 2, "previous.crt", "tls.crt", "tls.key"); !bytes.Equal(got, second) {
		t.Error("the bundle changed when the next one began to sign")
	}
	if got := r.authority(t); !bytes.Equal(got["tls.key"], made["next.key"]) || bytes.Contains(got["previous.crt"], []byte("PRIVATE")) {
		t.Error("it is not the next one that signs, or the old one's key was kept")
	}
	if r.verifies(t, first) == nil {
		t.Error("the old one still signs")
	}
	certificate(t, r.ns, "files")

	// Put back from a backup of the overlap: the same one takes over again.
	r.restore(t, made)
	if got := r.settles(t, 2, "previous.crt", "tls.crt", "tls.key"); !bytes.Equal(got, second) {
		t.Error("what was put back led to another bundle")
	}
	// Put back from before it: the old one signs, and what comes next is another.
	r.restore(t, old)
	third := r.settles(t, 2, "next-published", "next.crt", "next.key", "tls.crt", "tls.key")
	if bytes.Equal(third, second) {
		t.Error("the key of the next one came back from nowhere")
	}
	for name, known := range map[string][]byte{"first": first, "second": second} {
		if err := r.verifies(t, known); err != nil {
			t.Errorf("clients with the %s bundle turn away: %v", name, err)
		}
	}

	r.twelfths(t, 12, -time.Hour)
	r.settles(t, 2, "previous.crt", "tls.crt", "tls.key")
	r.twelfths(t, 12, time.Hour)
	last := r.settles(t, 1, "tls.crt", "tls.key")
	if bytes.Contains(last, old["tls.crt"]) {
		t.Error("the old one is published after its end")
	}
	if err := r.verifies(t, third); err != nil {
		t.Errorf("clients with the bundle of the step before turn away: %v", err)
	}
}

func (r *rotation) restore(t *testing.T, backup map[string][]byte) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.ns, Name: render.AuthoritySecretName("files")}}
	change(t, secret, func(s *corev1.Secret) { s.Data = maps.Clone(backup) })
}

// Operators that find it due at the same instant make one next authority, and
// all go on from that.
func TestOneNextAuthority(t *testing.T) {
	r := newRotation(t)
	server := newServer(r.ns, "files")
	get(t, r.ns, "files", server)
	late := *serverReconciler
	late.Now = func() time.Time { return r.ended.Add(-r.ended.Sub(r.began) / 4) }
	var wg sync.WaitGroup
	found := make([]string, 6)
	for i := range found {
		wg.Go(func() {
			own := late // as a process of its own, which remembers nothing
			own.secrets = newSecretReader(late.Client, late.Live)
			a, err := own.authority(t.Context(), &scope{server: server})
			if err != nil || a == nil {
				t.Error(a, err)
				return
			}
			found[i] = string(a.Bundle())
		})
	}
	wg.Wait()
	if n := len(slices.Compact(slices.Sorted(slices.Values(found)))); n != 1 || strings.Count(found[0], "BEGIN CERTIFICATE") != 2 {
		t.Errorf("there are %d different bundles, the first of %d certificates", n, strings.Count(found[0], "BEGIN CERTIFICATE"))
	}
	// By their clock the running operator's publication is long ago, so that a
	// late one may have found that it is time for the next to sign.
	got := r.authority(t)
	other := append(bytes.Clone(got["next.crt"]), got["previous.crt"]...)
	if len(other) == 0 || !strings.Contains(found[0], string(other)) || !strings.Contains(found[0], string(got["tls.crt"])) {
		t.Error("what was stored is not what the operators know")
	}
}

// A change of another's in between is never overwritten.
func TestAuthorityIsChangedOnlyAsItWasRead(t *testing.T) {
	r := newRotation(t)
	reader := newSecretReader(serverReconciler.Client, serverReconciler.Live)
	secret := &corev1.Secret{}
	get(t, r.ns, render.AuthoritySecretName("files"), secret)
	was := secret.DeepCopy()
	change(t, secret, func(s *corev1.Secret) { s.Labels["example.com/note"] = "x" })
	if err := reader.change(t.Context(), serverReconciler.Client, was, map[string][]byte{"tls.crt": []byte("x"), "tls.key": []byte("x")}); err == nil {
		t.Error("what was read before another's change was written over it")
	}
	if got := r.authority(t); !bytes.Equal(got["tls.key"], was.Data["tls.key"]) {
		t.Error("the key is another")
	}
}

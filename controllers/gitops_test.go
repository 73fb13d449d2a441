package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// unusual has every form of a value that there are two ways to write, in the
// way that Kubernetes itself would not write it.
const unusual = `
apiVersion: ftp-operator.io/v1alpha1
kind: FTPServer
metadata: {name: unusual}
spec:
  storage: {volume: {size: 1024Mi}}
  limits: {idleTimeout: 90s}
  passive: {addresses: [{address: 203.0.113.10}]}
  pod:
    terminationGracePeriod: 1h
    resources:
      requests: {cpu: "0.25", memory: 65536Ki}
      limits: {cpu: 1, memory: "1073741824"}
    tolerations: [{key: storage, operator: Exists}]
`

// TestNoDrift: what a GitOps tool has applied stays as it sent it, in every
// letter, while the operator works on it. Applying it again, by server-side
// apply or by the older client-side way, finds nothing to change.
func TestNoDrift(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "config", "samples", "ftp*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found the samples %v (%v)", files, err)
	}
	ns := namespace(t)
	sent := manifests(t, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(unusual)), nil })
	for _, file := range files {
		sent = append(sent, manifests(t, func() (io.ReadCloser, error) { return os.Open(file) })...)
	}
	for _, u := range sent {
		u.SetNamespace(ns)
		serverSideApply(t, u)
	}
	for _, u := range sent {
		if u.GetKind() != "Secret" {
			actedOn(t, u)
		}
	}
	for _, u := range sent {
		t.Run(u.GetKind()+" "+u.GetName(), func(t *testing.T) {
			var before, after *unstructured.Unstructured
			eventually(t, func() error { // the status may be written in between
				before = serverSideApply(t, u)
				after = serverSideApply(t, u)
				if before.GetResourceVersion() != after.GetResourceVersion() {
					return errors.New("applying it again writes it again")
				}
				return nil
			})
			if u.GetKind() == "Secret" {
				return // its stringData is write-only
			}
			if after.GetGeneration() != 1 {
				t.Errorf("applying it again counts as an edit: generation %d", after.GetGeneration())
			}
			if patch := threeWay(t, u, after); patch != "{}" {
				t.Errorf("a client-side apply would change %s", patch)
			}
			kept := intersection(u.Object, after.Object)
			if diff := cmp.Diff(u.Object, kept); diff != "" {
				t.Errorf("it comes back otherwise than it was sent (-sent +live):\n%s", diff)
			}
		})
	}
}

func manifests(t *testing.T, open func() (io.ReadCloser, error)) []*unstructured.Unstructured {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var out []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(r, 4096); ; {
		u := &unstructured.Unstructured{}
		err := d.Decode(u)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
}

func serverSideApply(t *testing.T, sent *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u := sent.DeepCopy()
	//nolint:staticcheck // client.Apply has no option for strict validation.
	err := kube.Patch(t.Context(), u, client.Apply, client.FieldOwner("gitops"), client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// actedOn waits until the operator has told its findings about the object.
func actedOn(t *testing.T, sent *unstructured.Unstructured) {
	t.Helper()
	eventually(t, func() error {
		u := sent.DeepCopy()
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(sent), u); err != nil {
			return err
		}
		if observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration"); observed != u.GetGeneration() {
			return fmt.Errorf("%s is not acted on", u.GetName())
		}
		return nil
	})
}

// threeWay is the patch that kubectl apply without --server-side, or Argo CD
// without ServerSideApply, computes for an object of a custom resource that it
// has applied before.
func threeWay(t *testing.T, sent, live *unstructured.Unstructured) string {
	t.Helper()
	original, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	current, err := json.Marshal(live)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, original, current)
	if err != nil {
		t.Fatal(err)
	}
	return string(patch)
}

// intersection is of live what was sent: fields that were not sent are left out,
// but lists are whole, as a merge patch has them.
func intersection(sent, live map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range sent {
		have, ok := live[k]
		if !ok {
			continue
		}
		inner, isMap := v.(map[string]any)
		innerLive, isMapToo := have.(map[string]any)
		if isMap && isMapToo {
			have = intersection(inner, innerLive)
		}
		out[k] = have
	}
	return out
}

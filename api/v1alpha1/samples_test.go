package v1alpha1_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Every sample is what the API accepts, and applying it again is no edit: no
// default makes it look like one.
func TestSamplesApply(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "ftp*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found the samples %v (%v)", files, err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "samples"}}
	if err := kube.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, obj := range documents(t, file) {
				obj.SetNamespace(namespace.Name)
				first, second, third := applied(t, obj), applied(t, obj), applied(t, obj)
				if second.GetGeneration() != first.GetGeneration() {
					t.Errorf("%s: applying it again counts as an edit", obj.GetName())
				}
				if third.GetResourceVersion() != second.GetResourceVersion() {
					t.Errorf("%s: applying it again writes it again", obj.GetName())
				}
			}
		})
	}
}

// applied applies an object, finds no unknown field, and returns what
// the API server made of it.
func applied(t *testing.T, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	u := obj.DeepCopy()
	//nolint:staticcheck // client.Apply has no option for strict validation.
	err := kube.Patch(t.Context(), u, client.Apply, client.FieldOwner("test"), client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
}

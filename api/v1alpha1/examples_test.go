package v1alpha1_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// Every example in the documentation that is one of our objects, or the spec of
// one, is what the API takes, to the last field. What an example leaves out for
// shortness, and is not what it is about, is filled in.
func TestExamplesInDocs(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, filepath.Join("..", "..", "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range yamlBlock.FindAllSubmatchIndex(text, -1) {
			line := 2 + strings.Count(string(text[:at[0]]), "\n")
			for _, example := range examples(t, string(text[at[2]:at[3]])) {
				found++
				if err := accepts(t, example); err != nil {
					t.Errorf("%s, example at line %d: %v", page, line, err)
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("found %d examples", found)
	}
}

// examples are the documents of a block that are objects of ours, or only their
// spec; anything else, such as a server's own configuration, is none.
func examples(t *testing.T, block string) (out []*unstructured.Unstructured) {
	t.Helper()
	for _, part := range regexp.MustCompile(`(?m)^---.*$`).Split(block, -1) {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &u.Object); err != nil {
			continue // no object
		}
		_, isObject := u.Object["spec"].(map[string]any)
		if isObject && slices.Contains([]string{"", v1alpha1.FTPServerKind, v1alpha1.FTPUserKind}, u.GetKind()) {
			out = append(out, u)
		}
	}
	return out
}

// accepts has the API server judge an example, as either kind where it does not
// say which, and keeps nothing.
func accepts(t *testing.T, example *unstructured.Unstructured) error {
	t.Helper()
	kinds := []string{example.GetKind()}
	if kinds[0] == "" {
		kinds = []string{v1alpha1.FTPServerKind, v1alpha1.FTPUserKind}
	}
	var errs []error
	for _, kind := range kinds {
		u := filled(t, example, kind)
		err := kube.Create(t.Context(), u, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func filled(t *testing.T, example *unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	u := example.DeepCopy()
	u.SetAPIVersion(v1alpha1.GroupVersion.String())
	u.SetKind(kind)
	u.SetNamespace("default")
	if u.GetName() == "" {
		u.SetName("example")
	}
	required, value := "storage", fields("volume", fields("size", "1Gi"))
	if kind == v1alpha1.FTPUserKind {
		required, value = "serverRef", fields("name", "files")
	}
	if _, given, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", required); !given {
		if err := unstructured.SetNestedField(u.Object, value, "spec", required); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// Package charts_test compares what the Helm chart installs with what kustomize
// installs: two ways to one and the same.
package charts_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// root is the repository's.
const root = ".."

func run(t *testing.T, command string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, stderr.String())
	}
	return out
}

func helm(t *testing.T, args ...string) []byte {
	t.Helper()
	return run(t, strings.TrimSpace(string(run(t, "hack/tools/install.sh", "helm"))), args...)
}

func template(t *testing.T, args ...string) map[string]*unstructured.Unstructured {
	t.Helper()
	return objects(t, helm(t, append([]string{"template", "ftp-operator", "charts/ftp-operator", "--namespace", "ftp-operator-system", "--kube-version", "1.37"}, args...)...))
}

func kustomize(t *testing.T, dir string) map[string]*unstructured.Unstructured {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: name the directory that holds kubectl")
	}
	return objects(t, run(t, filepath.Join(assets, "kubectl"), "kustomize", dir))
}

// objects reads a manifest, by kind and name.
func objects(t *testing.T, manifest []byte) map[string]*unstructured.Unstructured {
	t.Helper()
	out := map[string]*unstructured.Unstructured{}
	d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(u.Object) == 0 {
			continue
		}
		key := u.GetKind() + " " + u.GetName()
		if out[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		out[key] = u
	}
}

// normal leaves out what only one of the two ways adds.
func normal(u *unstructured.Unstructured) map[string]any {
	u = u.DeepCopy()
	labels, annotations := u.GetLabels(), u.GetAnnotations()
	for _, l := range []string{"helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "app.kubernetes.io/name"} {
		delete(labels, l)
	}
	delete(annotations, "helm.sh/resource-policy")
	u.SetLabels(orNil(labels))
	u.SetAnnotations(orNil(annotations))
	return u.Object
}

func orNil(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

func TestChartInstallsWhatKustomizeInstalls(t *testing.T) {
	want := kustomize(t, "config/default")
	maps.Copy(want, kustomize(t, "config/crd"))
	delete(want, "Namespace ftp-operator-system") // with Helm the user's, or --create-namespace's
	got := template(t)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] == nil {
			t.Errorf("the chart lacks %s", name)
			continue
		}
		if diff := cmp.Diff(normal(want[name]), normal(got[name])); diff != "" {
			t.Errorf("%s differs (-kustomize +chart):\n%s", name, diff)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("only the chart has %s", name)
		}
	}
}

func TestCRDsCanBeSwitchedOffAndAreKept(t *testing.T) {
	crds := 0
	for name, u := range template(t) {
		if u.GetKind() != "CustomResourceDefinition" {
			continue
		}
		crds++
		if u.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s would go on uninstall, and all servers with it", name)
		}
	}
	if crds != 2 {
		t.Errorf("the chart brings %d CRDs", crds)
	}
	for name, u := range template(t, "--set", "crds.install=false") {
		if u.GetKind() == "CustomResourceDefinition" {
			t.Errorf("%s is there although it was switched off", name)
		}
	}
}

func TestValuesReachTheDeployment(t *testing.T) {
	d := template(t,
		"--set", "image.repository=example.com/op", "--set", "image.tag=v1",
		"--set", "serverImage.repository=example.com/srv", "--set", "serverImage.tag=v2",
		"--set", "resources.limits.memory=1Gi", "--set", "logLevel=debug", "--set", "clusterDomain=k8s.example",
		"--set", "certificateLifetime=24h", "--set", "caLifetime=720h",
		"--set", "replicas=2", "--set", "imagePullSecrets[0].name=pull", "--set", "nodeSelector.disk=fast",
	)["Deployment ftp-operator"]
	text := fmt.Sprint(d.Object)
	for _, want := range []string{
		"example.com/op:v1", "example.com/srv:v2", "memory:1Gi", "--log-level=debug", "--cluster-domain=k8s.example",
		"--certificate-lifetime=24h", "--ca-lifetime=720h",
		"replicas:2", "name:pull", "disk:fast",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the Deployment lacks %s:\n%s", want, text)
		}
	}
}

func TestUnknownValueIsRefused(t *testing.T) {
	tool := strings.TrimSpace(string(run(t, "hack/tools/install.sh", "helm")))
	cmd := exec.Command(tool, "template", "charts/ftp-operator", "--kube-version", "1.37", "--set", "imagee.tag=x")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "imagee") {
		t.Errorf("a misspelt value was taken: %v\n%.200s", err, out)
	}
}

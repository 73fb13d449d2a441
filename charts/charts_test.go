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

const operatorNamespace = "ftp-operator-system"

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
	return objects(t, helm(t, append([]string{"template", "ftp-operator", "charts/ftp-operator", "--namespace", operatorNamespace, "--kube-version", "1.37"}, args...)...))
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
		if n := u.GetNamespace(); n != "" && n != operatorNamespace {
			key += " in " + n
		}
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
	compare(t, want, template(t))
}

// The install without rights over the cluster, for the namespaces team-a and
// team-b.
func TestNamespacedChartInstallsWhatKustomizeInstalls(t *testing.T) {
	want := kustomize(t, "config/namespaced")
	env, _, err := unstructured.NestedSlice(containers(t, want["Deployment ftp-operator"])[0].(map[string]any), "env")
	if err != nil || len(env) == 0 {
		t.Fatal("the operator has no environment", err)
	}
	env[slices.IndexFunc(env, func(e any) bool { return e.(map[string]any)["name"] == "NAMESPACES" })].(map[string]any)["value"] = "team-a,team-b"
	container := containers(t, want["Deployment ftp-operator"])
	container[0].(map[string]any)["env"] = env
	if err := unstructured.SetNestedSlice(want["Deployment ftp-operator"].Object, container, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"team-a", "team-b"} {
		for name, u := range kustomize(t, "config/namespaced/served") {
			u.SetNamespace(namespace)
			want[name+" in "+namespace] = u
		}
	}
	got := template(t, "--set", "watchNamespaces={team-a,team-b}", "--set", "crds.install=false")
	compare(t, want, got)
	for name, u := range got {
		if strings.HasPrefix(u.GetKind(), "Cluster") || u.GetKind() == "CustomResourceDefinition" {
			t.Errorf("the chart makes %s, which is of the whole cluster", name)
		}
	}
	for name, u := range want {
		if strings.HasPrefix(u.GetKind(), "Cluster") {
			t.Errorf("kustomize makes %s, which is of the whole cluster", name)
		}
	}
}

func containers(t *testing.T, deployment *unstructured.Unstructured) []any {
	t.Helper()
	out, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(out) != 1 {
		t.Fatalf("the operator's containers are %v (%v)", out, err)
	}
	return out
}

// compare finds the same in both, but for the operator's namespace: with Helm
// that is the user's, or --create-namespace's.
func compare(t *testing.T, want, got map[string]*unstructured.Unstructured) {
	t.Helper()
	delete(want, "Namespace "+operatorNamespace)
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
		"--set", "frontImage.repository=example.com/front", "--set", "frontImage.tag=v3",
		"--set", "resources.limits.memory=1Gi", "--set", "logLevel=debug", "--set", "clusterDomain=k8s.example",
		"--set", "certificateLifetime=24h", "--set", "caLifetime=720h",
		"--set", "replicas=2", "--set", "imagePullSecrets[0].name=pull", "--set", "nodeSelector.disk=fast",
		"--set", "affinity.podAffinity.x=near", "--set", "priorityClassName=system-cluster-critical",
		"--set", "podLabels.team=files", "--set", "podAnnotations.mesh=off", "--set", "tolerations[0].key=ftp",
	)["Deployment ftp-operator"]
	text := fmt.Sprint(d.Object)
	for _, want := range []string{
		"example.com/op:v1", "example.com/srv:v2", "example.com/front:v3", "memory:1Gi", "--log-level=debug", "--cluster-domain=k8s.example",
		"--certificate-lifetime=24h", "--ca-lifetime=720h",
		"replicas:2", "name:pull", "disk:fast", "affinity:map[podAffinity:map[x:near]]", "priorityClassName:system-cluster-critical",
		"team:files", "annotations:map[mesh:off]", "tolerations:[map[key:ftp]]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the Deployment lacks %s:\n%s", want, text)
		}
	}
}

func TestAggregateRolesCanBeSwitchedOff(t *testing.T) {
	for _, args := range [][]string{{"--set", "aggregateRoles=false"}, {"--set", "watchNamespaces={team-a}"}} {
		for name := range template(t, args...) {
			if name == "ClusterRole ftp-operator-edit" || name == "ClusterRole ftp-operator-view" {
				t.Errorf("with %v there is %s", args, name)
			}
		}
	}
}

// Values that could only be a mistake are refused, with a message that names
// them, before anything is installed.
func TestWrongValuesAreRefused(t *testing.T) {
	tool := strings.TrimSpace(string(run(t, "hack/tools/install.sh", "helm")))
	for set, named := range map[string]string{
		"imagee.tag=x":                    "imagee",
		"watchNamespaces={Team_A}":        "watchNamespaces",
		"watchNamespaces={a,a}":           "watchNamespaces",
		"watchNamespaces=a":               "watchNamespaces",
		"aggregateRoles=maybe":            "aggregateRoles",
		"image.repository=":               "repository",
		"logLevel=loud":                   "logLevel",
		"serverImage.repositroy=registry": "repositroy",
	} {
		cmd := exec.Command(tool, "template", "charts/ftp-operator", "--kube-version", "1.37", "--set", set)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), named) {
			t.Errorf("%s was taken: %v\n%.200s", set, err, out)
		}
	}
}

// The values of an earlier release, which --reuse-values takes in place of the
// chart's, lack what is new: it is said, and what to do.
func TestValuesOfAnEarlierRelease(t *testing.T) {
	tool := strings.TrimSpace(string(run(t, "hack/tools/install.sh", "helm")))
	for _, missing := range []string{"frontImage", "certificateLifetime", "caLifetime"} {
		cmd := exec.Command(tool, "template", "charts/ftp-operator", "--kube-version", "1.37", "--set", missing+"=null")
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no value "+missing) || !strings.Contains(string(out), "--reset-then-reuse-values") {
			t.Errorf("without %s: %v\n%.300s", missing, err, out)
		}
	}
}

func TestLint(t *testing.T) {
	for _, args := range [][]string{nil, {"--set", "watchNamespaces={team-a}"}} {
		helm(t, append([]string{"lint", "--strict", "charts/ftp-operator"}, args...)...)
	}
}

package controllers

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// snapshot is all that is in the world's namespace, without what differs from
// one run to the next: two runs that came to the same end have the same.
func (w *world) snapshot() string {
	w.t.Helper()
	replace, numbers := []string{w.namespace, "<namespace>"}, map[string]string{}
	var text strings.Builder
	for _, kind := range append([]string{"ftp-operator.io/v1alpha1/FTPServer", "ftp-operator.io/v1alpha1/FTPUser", "v1/Pod"}, childKinds...) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(parseGVK(kind))
		if err := kube.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&text, "# %s\n", kind)
		for i := range list.Items {
			o := &list.Items[i]
			replace = append(replace, string(o.GetUID()), "<uid of "+o.GetName()+">")
			if o.GetKind() == "Service" {
				ip, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
				replace = append(replace, ip, "<cluster IP>")
				maps.Copy(numbers, allocatedNumbers(o))
			}
			normalise(o)
			body, err := yaml.Marshal(o.Object)
			if err != nil {
				w.t.Fatal(err)
			}
			text.WriteString(string(body) + "---\n")
		}
	}
	// Whole words only: any five digits are in a hash as well.
	return regexp.MustCompile(`\b\d+\b`).ReplaceAllStringFunc(strings.NewReplacer(replace...).Replace(text.String()), func(n string) string {
		return cmp.Or(numbers[n], n)
	})
}

// allocatedNumbers are the ports that Kubernetes has allocated for a Service, and
// what to call them.
func allocatedNumbers(o *unstructured.Unstructured) map[string]string {
	out := map[string]string{}
	ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
	for _, p := range ports {
		if port, ok := p.(map[string]any); ok && port["nodePort"] != nil {
			out[fmt.Sprint(port["nodePort"])] = fmt.Sprintf("<node port %v>", port["name"])
		}
	}
	if n, ok, _ := unstructured.NestedInt64(o.Object, "spec", "healthCheckNodePort"); ok {
		out[fmt.Sprint(n)] = "<health check>"
	}
	return out
}

// normalise drops what differs from run to run.
func normalise(o *unstructured.Unstructured) {
	o.SetManagedFields(slices.DeleteFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool { return m.Manager != fieldOwner }))
	var managers []any
	for _, m := range o.GetManagedFields() {
		managers = append(managers, fmt.Sprintf("%s %s", m.Operation, m.Subresource))
	}
	for _, field := range []string{"managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "generateName"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", render.AnnotationPoked)
	if a, ok, _ := unstructured.NestedMap(o.Object, "metadata", "annotations"); ok && len(a) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	switch o.GetKind() {
	case "Pod": // how many times it was replaced and poked is no matter
		o.SetName("pod")
		managers = nil
		unstructured.RemoveNestedField(o.Object, "status")
	case "Secret":
		normaliseSecret(o)
	case "FTPServer", "FTPUser":
		normaliseConditions(o)
	case "ConfigMap":
		if data, ok, _ := unstructured.NestedStringMap(o.Object, "data"); ok {
			for k, v := range data {
				data[k] = withoutSecrets(v)
			}
			_ = unstructured.SetNestedStringMap(o.Object, data, "data")
		}
	case "Deployment":
		unstructured.RemoveNestedField(o.Object, "status", "observedGeneration")
	}
	o.Object["managers"] = managers
}

func normaliseConditions(o *unstructured.Unstructured) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok {
			delete(m, "lastTransitionTime")
		}
	}
	slices.SortFunc(conditions, func(a, b any) int {
		return strings.Compare(fmt.Sprint(a.(map[string]any)["type"]), fmt.Sprint(b.(map[string]any)["type"]))
	})
	if conditions != nil {
		_ = unstructured.SetNestedSlice(o.Object, conditions, "status", "conditions")
	}
}

// normaliseSecret shows files as they are, and of keys and certificates what
// they are for.
func normaliseSecret(o *unstructured.Unstructured) {
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	for k, v := range data {
		value, err := base64.StdEncoding.DecodeString(v)
		switch {
		case err != nil:
			data[k] = err.Error()
		case strings.HasSuffix(k, ".yaml"):
			data[k] = regexp.MustCompile(`passwordHash: .*`).ReplaceAllString(string(value), "passwordHash: <hash>")
		case k == render.KeyStatusToken || k == render.KeySalt || k == render.KeyPassword:
			data[k] = fmt.Sprintf("<%d bytes>", len(value))
		default:
			data[k] = withoutSecrets(string(value))
		}
	}
	_ = unstructured.SetNestedStringMap(o.Object, data, "data")
}

// withoutSecrets shows PEM blocks by what they are for.
func withoutSecrets(text string) string {
	var out []string
	rest := []byte(text)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		line := "<" + block.Type
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			line += fmt.Sprintf(" of %s %v %v by %s", cert.Subject.CommonName, cert.DNSNames, cert.IPAddresses, cert.Issuer.CommonName)
		}
		out = append(out, line+">")
	}
	if out == nil {
		return text
	}
	return strings.Join(out, "\n")
}

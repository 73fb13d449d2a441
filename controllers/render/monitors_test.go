package render_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// podMonitor is what config/prometheus uses of the Prometheus Operator's kind.
type podMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		NamespaceSelector   struct{ Any bool }   `json:"namespaceSelector"`
		Selector            metav1.LabelSelector `json:"selector"`
		PodTargetLabels     []string             `json:"podTargetLabels"`
		PodMetricsEndpoints []struct{ Port string }
	} `json:"spec"`
}

// TestMonitorsFitThePods: each of the two monitors selects its own pods and no others,
// and they have the port that it names and the labels that it takes over.
func TestMonitorsFitThePods(t *testing.T) {
	var operator appsv1.Deployment
	if err := yaml.UnmarshalStrict(inConfig(t, "manager/deployment.yaml"), &operator); err != nil {
		t.Fatal(err)
	}
	servers := rendered(t, fronted)
	replica := objectOf[*appsv1.Deployment](t, servers, "files-0").Spec.Template
	pods := map[string][]corev1.PodTemplateSpec{
		"ftp-operator": {operator.Spec.Template},
		"ftpservers":   {replica, front(t, fronted)},
	}
	documents := bytes.Split(inConfig(t, "prometheus/monitors.yaml"), []byte("\n---\n"))
	if len(documents) != len(pods) {
		t.Errorf("%d monitors", len(documents))
	}
	for _, document := range documents {
		var m podMonitor
		if err := yaml.UnmarshalStrict(document, &m); err != nil {
			t.Fatal(err)
		}
		selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		if pods[m.Name] == nil || len(m.Spec.PodMetricsEndpoints) != 1 || m.Spec.NamespaceSelector.Any != (m.Name == "ftpservers") {
			t.Fatalf("%s is %+v", m.Name, m.Spec)
		}
		for owner, templates := range pods {
			for _, pod := range templates {
				if selector.Matches(labels.Set(pod.Labels)) != (owner == m.Name) {
					t.Errorf("%s by %s: wrong for a pod of %s with %v", m.Name, selector, owner, pod.Labels)
				}
				if owner == m.Name && !hasPort(pod, m.Spec.PodMetricsEndpoints[0].Port) {
					t.Errorf("%s: no port %s", m.Name, m.Spec.PodMetricsEndpoints[0].Port)
				}
			}
		}
		for _, label := range m.Spec.PodTargetLabels {
			if replica.Labels[label] == "" {
				t.Errorf("%s takes over %s, which a replica has not", m.Name, label)
			}
		}
	}
}

func inConfig(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "config", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func hasPort(pod corev1.PodTemplateSpec, name string) bool {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return true
			}
		}
	}
	return false
}

package docs_test

import (
	"regexp"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// examples are a page's YAML objects, in order.
func examples(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
		out = append(out, m[1])
	}
	return out
}

// TestAutoscalerExample: the objects are formed as their APIs want them, agree with each
// other, and name metrics that there are.
func TestAutoscalerExample(t *testing.T) {
	all := examples(t, "hpa.md")
	if len(all) != 3 {
		t.Fatalf("hpa.md has %d examples", len(all))
	}
	var server v1alpha1.FTPServer
	var scaler autoscalingv2.HorizontalPodAutoscaler
	var adapter struct {
		Rules []struct {
			SeriesQuery, MetricsQuery string
			Name                      struct{ As string }
			Resources                 struct {
				Overrides map[string]struct{ Resource string }
			}
		}
	}
	for i, into := range []any{&server, &scaler, &adapter} {
		if err := yaml.UnmarshalStrict([]byte(all[i]), into); err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
	}
	target := scaler.Spec.ScaleTargetRef
	if target.APIVersion != v1alpha1.GroupVersion.String() || target.Kind != "FTPServer" || target.Name != server.Name {
		t.Errorf("it scales %+v", target)
	}
	if slots := server.Spec.Passive.Slots; slots == nil || scaler.Spec.MaxReplicas > *slots {
		t.Errorf("up to %d replicas, and passive.slots is %v", scaler.Spec.MaxReplicas, slots)
	}
	made, told := map[string]bool{}, read(t, "operate.md")
	for _, rule := range adapter.Rules {
		name := rule.Name.As
		if name == "" {
			name, _, _ = strings.Cut(rule.SeriesQuery, "{")
		}
		made[name] = true
		for _, series := range regexp.MustCompile(`ftpserver_\w+`).FindAllString(rule.SeriesQuery+rule.MetricsQuery, -1) {
			if !strings.Contains(told, "`"+series+"`") {
				t.Errorf("a rule asks for %s, which is no metric", series)
			}
		}
		if rule.Resources.Overrides["pod"].Resource != "pod" || rule.Resources.Overrides["namespace"].Resource != "namespace" {
			t.Errorf("the rule for %s is of %+v", name, rule.Resources)
		}
	}
	for _, m := range scaler.Spec.Metrics {
		if m.Pods == nil || !made[m.Pods.Metric.Name] || m.Pods.Target.AverageValue == nil {
			t.Errorf("the autoscaler goes by %+v, which no rule makes", m)
		}
	}
}

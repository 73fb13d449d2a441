package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const operatorNamespace = "ftp-operator-system"

// operatorPod is the operator's one pod, once it is ready and the only one.
func operatorPod(t *testing.T) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, func() string {
		var list corev1.PodList
		must(t, kube.List(soon(t), &list, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": "ftp-operator"}))
		if len(list.Items) != 1 {
			return fmt.Sprintf("the operator has %d pods", len(list.Items))
		}
		found = &list.Items[0]
		if !isReady(found) {
			return "the operator is not ready"
		}
		return ""
	})
	return found
}

// restartOperator replaces the operator's pod by one with these arguments on top
// of its own. restore is for defer: it puts back what there was.
func restartOperator(t *testing.T, arguments ...string) (pod *corev1.Pod, restore func()) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	must(t, kube.Get(soon(t), key(operatorNamespace, "ftp-operator"), deployment))
	own := deployment.Spec.Template.Spec.Containers[0].Args
	setArguments(t, deployment, slices.Concat(own, arguments))
	return operatorPod(t), func() {
		if len(arguments) > 0 {
			setArguments(t, deployment, own)
		}
	}
}

// setArguments also touches the template, so that there is a new pod in any case.
func setArguments(t *testing.T, d *appsv1.Deployment, arguments []string) {
	t.Helper()
	before := operatorPod(t).UID
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": arguments},
		{"op": "add", "path": "/spec/template/metadata/annotations", "value": map[string]string{"example.com/restarted-for": string(before)}},
	})
	must(t, err)
	must(t, kube.Patch(soon(t), d, client.RawPatch(types.JSONPatchType, patch)))
	eventually(t, func() string {
		if operatorPod(t).UID == before {
			return "the operator's old pod is still there"
		}
		return ""
	})
}

// processStart tells one run of the operator from another.
const processStart = "process_start_time_seconds"

// metrics are the operator's, by name.
type metrics map[string]*dto.MetricFamily

// operatorMetrics reads them from a pod of the operator.
func operatorMetrics(t *testing.T, pod *corev1.Pod) metrics {
	t.Helper()
	text, err := clients.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(pod.Name + ":8080").SubResource("proxy").Suffix("metrics").DoRaw(soon(t))
	must(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	must(t, err)
	return all
}

// sum adds up the samples of a counter or gauge that have these labels, given as
// name=value.
func (m metrics) sum(name string, labels ...string) (total float64) {
	for _, sample := range m[name].GetMetric() {
		if hasLabels(sample, labels) {
			total += sample.GetCounter().GetValue() + sample.GetGauge().GetValue()
		}
	}
	return total
}

func hasLabels(sample *dto.Metric, want []string) bool {
	for _, w := range want {
		if !slices.ContainsFunc(sample.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName()+"="+l.GetValue() == w }) {
			return false
		}
	}
	return true
}

// passes are how many passes a controller has made, and how many seconds they
// took together.
func (m metrics) passes(controller string) (n int, seconds float64) {
	for _, sample := range m["controller_runtime_reconcile_time_seconds"].GetMetric() {
		if hasLabels(sample, []string{"controller=" + controller}) {
			n += int(sample.GetHistogram().GetSampleCount())
			seconds += sample.GetHistogram().GetSampleSum()
		}
	}
	return n, seconds
}

// requests are how many requests the operator has made of the API server, by
// method. The only one that it makes by PUT is to renew its lease.
func (m metrics) requests() map[string]int {
	out := map[string]int{}
	for _, sample := range m["rest_client_requests_total"].GetMetric() {
		for _, l := range sample.GetLabel() {
			if l.GetName() == "method" {
				out[strings.ToUpper(l.GetValue())] += int(sample.GetCounter().GetValue())
			}
		}
	}
	return out
}

// since is what has come on top of earlier requests.
func since(earlier, now map[string]int) map[string]int {
	out := map[string]int{}
	for method, n := range now {
		if n -= earlier[method]; n != 0 {
			out[method] = n
		}
	}
	return out
}

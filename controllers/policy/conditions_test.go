package policy_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func finding(status metav1.ConditionStatus, reason v1alpha1.Reason) policy.Finding {
	return policy.Finding{Status: status, Reason: reason, Message: string(reason)}
}

func summary(conditions []metav1.Condition) string {
	var out []string
	for _, c := range conditions {
		out = append(out, fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason))
	}
	return strings.Join(out, " ")
}

func TestSetConditions(t *testing.T) {
	good := policy.Named{Type: "A", Finding: finding("True", "Fine")}
	pending := policy.Named{Type: "B", Finding: finding("False", v1alpha1.ReasonPending)}
	unknown := policy.Named{Type: "C", Finding: finding("Unknown", v1alpha1.ReasonStatusUnreachable)}
	stuck := policy.Named{Type: "D", Finding: finding("False", v1alpha1.ReasonNameTaken)}
	advice := policy.Named{Type: "E", Finding: finding("False", v1alpha1.ReasonClientAddressesHidden), Advisory: true}
	for name, tc := range map[string]struct {
		findings []policy.Named
		want     string
	}{
		"all is well":         {[]policy.Named{good}, "Ready=True/Ready A=True/Fine"},
		"advice":              {[]policy.Named{advice, good}, "Ready=True/Ready E=False/ClientAddressesHidden A=True/Fine"},
		"advice decides not":  {[]policy.Named{advice, pending}, "Ready=False/Pending E=False/ClientAddressesHidden B=False/Pending Reconciling=True/Progressing"},
		"at work":             {[]policy.Named{good, pending}, "Ready=False/Pending A=True/Fine B=False/Pending Reconciling=True/Progressing"},
		"not known":           {[]policy.Named{good, unknown}, "Ready=Unknown/StatusUnreachable A=True/Fine C=Unknown/StatusUnreachable Reconciling=True/Progressing"},
		"needs an edit":       {[]policy.Named{stuck, good}, "Ready=False/NameTaken D=False/NameTaken A=True/Fine Stalled=True/NameTaken"},
		"the first decides":   {[]policy.Named{pending, stuck}, "Ready=False/Pending B=False/Pending D=False/NameTaken Stalled=True/NameTaken"},
		"unknown before wait": {[]policy.Named{unknown, pending}, "Ready=Unknown/StatusUnreachable C=Unknown/StatusUnreachable B=False/Pending Reconciling=True/Progressing"},
	} {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			policy.SetConditions(&conditions, 7, tc.findings, finding("True", v1alpha1.ReasonReady))
			if got := summary(conditions); got != tc.want {
				t.Errorf("got\n%s, want\n%s", got, tc.want)
			}
			for _, c := range conditions {
				if c.ObservedGeneration != 7 {
					t.Errorf("%s is of generation %d", c.Type, c.ObservedGeneration)
				}
			}
		})
	}
}

func TestConditionsRecover(t *testing.T) {
	var conditions []metav1.Condition
	ready := finding("True", v1alpha1.ReasonReady)
	policy.SetConditions(&conditions, 1, []policy.Named{{Type: "A", Finding: finding("False", v1alpha1.ReasonNameTaken)}}, ready)
	policy.SetConditions(&conditions, 2, []policy.Named{{Type: "A", Finding: finding("True", "Fine")}}, ready)
	if got := summary(conditions); got != "Ready=True/Ready A=True/Fine" {
		t.Errorf("got %s", got)
	}
}

// An error that ends a pass hides no stall that nobody has edited anything about.
func TestFailureHidesNoStall(t *testing.T) {
	failure := policy.ReconcileFailed("look", "")
	for name, tc := range map[string]struct {
		before v1alpha1.Reason
		edited int64
		want   string
	}{
		"stalled":                   {v1alpha1.ReasonNameTaken, 0, "Ready=Unknown/ReconcileFailed A=False/NameTaken Stalled=True/NameTaken"},
		"stalled, and since edited": {v1alpha1.ReasonNameTaken, 1, "Ready=Unknown/ReconcileFailed A=False/NameTaken Reconciling=True/Progressing"},
		"at work":                   {v1alpha1.ReasonPending, 0, "Ready=Unknown/ReconcileFailed A=False/Pending Reconciling=True/Progressing"},
	} {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			policy.SetConditions(&conditions, 1, []policy.Named{{Type: "A", Finding: finding("False", tc.before)}}, finding("True", v1alpha1.ReasonReady))
			for range 2 { // the second failure changes nothing
				policy.SetFailure(&conditions, 1+tc.edited, failure)
				if got := summary(conditions); got != tc.want {
					t.Errorf("got\n%s, want\n%s", got, tc.want)
				}
			}
		})
	}
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, f := range change {
		f(p)
	}
	return p
}

func TestServerAccepted(t *testing.T) {
	none := []string(nil)
	for name, tc := range map[string]struct {
		got     policy.Finding
		reason  v1alpha1.Reason
		message string
	}{
		"all is well": {policy.ServerAccepted("", none, none, none), v1alpha1.ReasonAccepted, ""},
		"invalid":     {policy.ServerAccepted("bad", []string{"Service x"}, none, none), v1alpha1.ReasonInvalidSpec, "bad"},
		"taken":       {policy.ServerAccepted("", []string{"Service x", "Secret y"}, []string{"Secret z"}, none), v1alpha1.ReasonNameTaken, "Service x, Secret y"},
		"refused":     {policy.ServerAccepted("", none, []string{"Secret z"}, []string{"a: no", "b: never"}), v1alpha1.ReasonChildRejected, "a: no; b: never"},
		"leaving":     {policy.ServerAccepted("", none, []string{"Secret y", "Secret z"}, none), v1alpha1.ReasonChildLeaving, "Secret y, Secret z"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.got.Reason != tc.reason || !strings.Contains(tc.got.Message, tc.message) {
				t.Errorf("got %+v", tc.got)
			}
		})
	}
}

func TestRejection(t *testing.T) {
	for said, want := range map[string]string{
		"spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated":                                  "30001: provided port is already allocated: another Service has",
		"spec.ports[1].nodePort: Invalid value: 21: provided port is not in the valid range. The range of ports is 30000-1": "give service.nodePort",
		"exceeded quota: few": "Service files: exceeded quota: few",
	} {
		if got := policy.Rejection("Service files", said); !strings.HasPrefix(got, "Service files: "+said) || !strings.Contains(got, want) {
			t.Errorf("got %s", got)
		}
	}
}

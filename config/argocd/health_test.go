// Package argocd_test runs what Argo CD is taught, in an interpreter opened as
// Argo CD opens it, and kstatus beside it.
package argocd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// state is an object as the operator leaves it.
type state struct {
	generation, observed int64
	findings             []policy.Finding
	ready                policy.Finding // where all findings are True
	noStatus, deleted    bool
	conditions           []metav1.Condition // instead of findings
}

func found(status metav1.ConditionStatus, reason v1alpha1.Reason) policy.Finding {
	return policy.Finding{Status: status, Reason: reason, Message: "because of " + string(reason)}
}

var isReady = policy.ServerReady(1)

// states are those that objects pass through, and what Argo CD and kstatus are
// to make of each.
var states = map[string]struct {
	state
	health  string
	status  kstatus.Status
	message string
}{
	"just created, no status": {
		state: state{generation: 1, noStatus: true}, health: "Progressing",
		status: kstatus.CurrentStatus, // cannot happen: the schema gives every object an observedGeneration
	},
	"just created": {
		state: state{generation: 1, observed: -1}, health: "Progressing", status: kstatus.InProgressStatus, message: "yet to act",
	},
	"edited, still Ready of the generation before": {
		state: state{generation: 2, observed: 1, ready: isReady}, health: "Progressing", status: kstatus.InProgressStatus, message: "yet to act",
	},
	"edited, still Stalled of the generation before": {
		state:  state{generation: 2, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonInvalidSpec)}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "yet to act",
	},
	"rolling out": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonRollingOut)}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "RollingOut",
	},
	"no address yet": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonAddressPending)}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "AddressPending",
	},
	"user of a server that is not there yet": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonServerNotFound)}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "ServerNotFound",
	},
	"a pod does not answer": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("Unknown", v1alpha1.ReasonStatusUnreachable)}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "StatusUnreachable",
	},
	"a pass failed": {
		state: state{generation: 1, observed: 1, conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: "Unknown", Reason: string(v1alpha1.ReasonReconcileFailed), Message: "because of an error"},
		}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "an error",
	},
	"Ready and at work all the same, as a later version may tell it": {
		state: state{generation: 1, observed: 1, conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: "True", Reason: string(v1alpha1.ReasonReady)},
			{Type: v1alpha1.ConditionReconciling, Status: "True", Reason: string(v1alpha1.ReasonProgressing), Message: "still at work"},
		}},
		health: "Progressing", status: kstatus.InProgressStatus, message: "at work",
	},
	"name taken": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonNameTaken)}},
		health: "Degraded", status: kstatus.FailedStatus, message: "NameTaken",
	},
	"waits, and needs an edit too": {
		state: state{generation: 1, observed: 1, findings: []policy.Finding{
			found("False", v1alpha1.ReasonPending), found("False", v1alpha1.ReasonInvalidPassword),
		}},
		health: "Degraded", status: kstatus.FailedStatus, message: "InvalidPassword",
	},
	"ready": {
		state:  state{generation: 3, observed: 3, findings: []policy.Finding{found("True", v1alpha1.ReasonProgrammed)}, ready: isReady},
		health: "Healthy", status: kstatus.CurrentStatus, message: "runs as the spec asks",
	},
	"scaled to zero": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("True", v1alpha1.ReasonScaledToZero)}, ready: policy.ServerReady(0)},
		health: "Healthy", status: kstatus.CurrentStatus, message: "No pod runs",
	},
	"suspended user": {
		state:  state{generation: 1, observed: 1, ready: userReady(v1alpha1.FTPUserSpec{Login: v1alpha1.LoginSuspended})},
		health: "Healthy", status: kstatus.CurrentStatus, message: "spec.login",
	},
	"expired user": {
		state:  state{generation: 1, observed: 1, ready: userReady(v1alpha1.FTPUserSpec{ExpiresAt: &metav1.Time{Time: time.Unix(1, 0)}})},
		health: "Healthy", status: kstatus.CurrentStatus, message: "spec.expiresAt",
	},
	"an older server in the pod": {
		state:  state{generation: 1, observed: 1, findings: []policy.Finding{found("False", v1alpha1.ReasonUnsupportedByServer)}},
		health: "Degraded", status: kstatus.FailedStatus, message: "UnsupportedByServer",
	},
	"being deleted": {
		state:  state{generation: 2, observed: 2, ready: isReady, deleted: true},
		health: "Progressing", status: kstatus.TerminatingStatus, message: "deleted",
	},
	"being deleted while Stalled": {
		state:  state{generation: 2, observed: 2, findings: []policy.Finding{found("False", v1alpha1.ReasonNameTaken)}, deleted: true},
		health: "Progressing", status: kstatus.TerminatingStatus, message: "deleted",
	},
}

func userReady(spec v1alpha1.FTPUserSpec) policy.Finding {
	return policy.UserReady(&v1alpha1.FTPUser{Spec: spec}, found("True", v1alpha1.ReasonProgrammed), time.Now())
}

// object is the state as the API server tells it.
func (s state) object(t *testing.T, kind string) *unstructured.Unstructured {
	t.Helper()
	conditions := s.conditions
	if s.observed > 0 && conditions == nil {
		var named []policy.Named
		for i, f := range s.findings {
			named = append(named, policy.Named{Type: string(rune('A' + i)), Finding: f})
		}
		ready := s.ready
		if ready.Status == "" {
			ready = isReady
		}
		policy.SetConditions(&conditions, s.observed, named, ready)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.FTPServer{
		ObjectMeta: metav1.ObjectMeta{Name: "files", Generation: s.generation},
		Status:     v1alpha1.FTPServerStatus{ObservedGeneration: s.observed, Conditions: conditions},
	})
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion(v1alpha1.GroupVersion.String())
	u.SetKind(kind)
	if s.noStatus {
		delete(u.Object, "status")
	}
	if s.deleted {
		now := metav1.Now()
		u.SetDeletionTimestamp(&now)
	}
	return u
}

// TestHealth: Argo CD finds each state as it is, and so does kstatus, which Flux
// and others ask.
func TestHealth(t *testing.T) {
	for name, tc := range states {
		t.Run(name, func(t *testing.T) {
			scripts := installed(t)
			for _, kind := range []string{"FTPServer", "FTPUser"} {
				u := tc.object(t, kind)
				health, message := assess(t, scripts[kind], u)
				if health != tc.health || !strings.Contains(message, tc.message) {
					t.Errorf("Argo CD finds a %s %s: %q, want %s: …%s…", kind, health, message, tc.health, tc.message)
				}
				result, err := kstatus.Compute(u)
				if err != nil {
					t.Fatal(err)
				}
				if result.Status != tc.status {
					t.Errorf("kstatus finds a %s %s (%s), want %s", kind, result.Status, result.Message, tc.status)
				}
			}
		})
	}
}

// TestHealthAgrees: where kstatus waits, Argo CD waits; where one is done or has
// given up, so is and has the other.
func TestHealthAgrees(t *testing.T) {
	same := map[kstatus.Status]string{
		kstatus.InProgressStatus: "Progressing", kstatus.TerminatingStatus: "Progressing",
		kstatus.FailedStatus: "Degraded", kstatus.CurrentStatus: "Healthy",
	}
	for name, tc := range states {
		if !tc.noStatus && same[tc.status] != tc.health {
			t.Errorf("%s: kstatus has %s and Argo CD %s", name, tc.status, tc.health)
		}
	}
}

// installed is what the kustomization puts into Argo CD's ConfigMap, by kind.
func installed(t *testing.T) map[string]string {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: name the directory that holds kubectl")
	}
	out, err := exec.Command(filepath.Join(assets, "kubectl"), "kustomize", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Metadata metav1.ObjectMeta
		Data     map[string]string
	}
	if err := yaml.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	if m.Metadata.Name != "argocd-cm" || m.Metadata.Namespace != "argocd" || len(m.Data) != 2 {
		t.Fatalf("the ConfigMap is %s/%s with %d keys", m.Metadata.Namespace, m.Metadata.Name, len(m.Data))
	}
	const prefix = "resource.customizations.health.ftp-operator.io_"
	return map[string]string{"FTPServer": m.Data[prefix+"FTPServer"], "FTPUser": m.Data[prefix+"FTPUser"]}
}

// assess runs a script on an object, with the few libraries that Argo CD opens
// for scripts.
func assess(t *testing.T, script string, u *unstructured.Unstructured) (health, message string) {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	l.SetGlobal("obj", value(l, u.Object))
	if err := l.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s", l.Get(-1))
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String()
}

func value(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		t := l.NewTable()
		for _, e := range v {
			t.Append(value(l, e))
		}
		return t
	case map[string]any:
		t := l.NewTable()
		for k, e := range v {
			t.RawSetString(k, value(l, e))
		}
		return t
	}
	return lua.LNil
}

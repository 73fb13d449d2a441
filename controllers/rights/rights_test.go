package rights

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const account = "system:serviceaccount:ftp-operator-system:ftp-operator"

var (
	admin    client.Client // may do anything
	operator client.Client // may do what a test grants
	role     rbacv1.ClusterRole
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: name the directory that holds etcd and kube-apiserver")
	}
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		return 1, fmt.Errorf("start the API server: %w", err)
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: account, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	var errs [3]error
	admin, errs[0] = client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	operator, errs[1] = client.New(as, client.Options{Scheme: clientgoscheme.Scheme})
	errs[2] = yaml.Unmarshal(manifest, &role)
	if err := errors.Join(errs[:]...); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// grant makes a namespace in which the operator has the rules.
func grant(t *testing.T, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "ftp-operator-served"}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&rbacv1.Role{ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "ftp-operator-system", Name: "ftp-operator"}},
		},
	}
	for _, o := range objects {
		if err := admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// without are the role's rules less one verb on one resource.
func without(verb, resource string) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, rule := range role.Rules {
		for _, r := range rule.Resources {
			one := rule.DeepCopy()
			one.Resources = []string{r}
			if r == resource {
				one.Verbs = slices.DeleteFunc(one.Verbs, func(v string) bool { return v == verb })
			}
			if len(one.Verbs) > 0 {
				out = append(out, *one)
			}
		}
	}
	return out
}

func wanted(t *testing.T) []Right {
	t.Helper()
	rights, err := OfRole()
	if err != nil || len(rights) == 0 {
		t.Fatalf("the role has %v (%v)", rights, err)
	}
	return rights
}

func TestMissing(t *testing.T) {
	all := wanted(t)
	grant(t, "whole", role.Rules)
	grant(t, "no-list", without("list", "secrets"))
	grant(t, "no-patch", without("patch", "ftpservers/status"))
	for namespace, want := range map[string]string{
		"whole":     "[]",
		"no-list":   "[list secrets]",
		"no-patch":  "[patch ftpservers/status.ftp-operator.io]",
		"not-there": fmt.Sprint(all),
		"":          fmt.Sprint(all),
	} {
		missing, err := Missing(t.Context(), operator, namespace, all)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(missing); got != want {
			t.Errorf("in %q it lacks %s, want %s", namespace, got, want)
		}
	}
	missing, err := Missing(t.Context(), admin, "", all)
	if err != nil || len(missing) > 0 {
		t.Errorf("who may do anything lacks %v (%v)", missing, err)
	}
}

// recorder keeps what is logged as an error.
type recorder struct {
	logr.LogSink
	lines *[]string
}

func (recorder) Init(logr.RuntimeInfo)            {}
func (recorder) Enabled(int) bool                 { return false }
func (r recorder) WithName(string) logr.LogSink   { return r }
func (r recorder) WithValues(...any) logr.LogSink { return r }
func (r recorder) Error(_ error, msg string, kv ...any) {
	*r.lines = append(*r.lines, msg+fmt.Sprint(kv...))
}

// A namespace without the rights is left out and named, and the others are
// served; one that lacks a right to write is served and named.
func TestDivide(t *testing.T) {
	grant(t, "good", role.Rules)
	grant(t, "unreadable", without("watch", "pods"))
	grant(t, "unwritable", without("create", "services"))
	var lines []string
	s, err := Divide(t.Context(), operator, logr.New(recorder{lines: &lines}), []string{"unwritable", "unreadable", "nowhere", "good", "good"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Namespaces, []string{"good", "unwritable"}) || s.All || s.None() {
		t.Errorf("it serves %v (all: %t)", s.Namespaces, s.All)
	}
	if len(lines) != 3 || !strings.Contains(lines[0], "nowhere") || !strings.Contains(lines[0], "all of") ||
		!strings.Contains(lines[1], "watch pods") || !strings.Contains(lines[2], "is served, but") || !strings.Contains(lines[2], "create services") {
		t.Errorf("it says\n%s", strings.Join(lines, "\n"))
	}
	if err := s.Check(nil); err != nil {
		t.Errorf("two namespaces of four make it unready: %v", err)
	}
	for namespace, value := range map[string]float64{"good": 1, "unwritable": 1, "unreadable": 0, "nowhere": 0} {
		if got := testutil.ToFloat64(servedGauge.WithLabelValues(namespace)); got != value {
			t.Errorf("the metric of %s is %v, want %v", namespace, got, value)
		}
	}
}

func TestDivideAll(t *testing.T) {
	s, err := Divide(t.Context(), admin, logr.Discard(), nil)
	if err != nil || !s.All || s.None() || len(s.Namespaces) > 0 || s.Check(nil) != nil {
		t.Errorf("with all rights it serves %+v (%v)", s, err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Errorf("nothing is left to ask for, and it returns %v", err)
	}
	var lines []string
	s, err = Divide(t.Context(), operator, logr.New(recorder{lines: &lines}), nil)
	if err != nil || s.All || !s.None() || s.Check(nil) == nil {
		t.Errorf("without rights it serves %+v (%v)", s, err)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "--namespaces") {
		t.Errorf("it says %q", lines)
	}
}

// A namespace that gets the rights later is noticed.
func TestServedLater(t *testing.T) {
	s, err := Divide(t.Context(), operator, logr.Discard(), []string{"later", "never"})
	if err != nil || !s.None() {
		t.Fatalf("it serves %+v (%v)", s, err)
	}
	s.every = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Start(ctx) }()
	select {
	case err := <-ended:
		t.Fatalf("nothing was granted, and it returned %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	grant(t, "later", role.Rules)
	if err := <-ended; !errors.Is(err, ErrMore) {
		t.Errorf("it returned %v", err)
	}
}

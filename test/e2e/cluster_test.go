package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// patience is how long something may take that takes seconds when all is well.
const patience = 2 * time.Minute

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until f returns "", and fails with what it said last.
func eventually(t *testing.T, f func() string) time.Duration {
	t.Helper()
	return within(t, patience, f)
}

// within is eventually with a limit of its own.
func within(t *testing.T, limit time.Duration, f func() string) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for problem := f(); problem != ""; problem = f() {
		if time.Since(start) > limit {
			t.Fatalf("After %s still: %s", limit, problem)
		}
		<-tick.C
	}
	return time.Since(start)
}

// newNamespace makes a namespace that lets in restricted pods only.
func newNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "ftp-e2e-",
		Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted",
			"pod-security.kubernetes.io/audit":   "restricted",
			"pod-security.kubernetes.io/warn":    "restricted",
		},
	}}
	must(t, kube.Create(soon(t), ns))
	t.Cleanup(func() {
		if t.Failed() {
			dump(t, ns.Name)
		}
		remove(t, ns)
	})
	return ns.Name
}

// newServer is a server with a small volume, reached from outside.
func newServer(namespace, name string) *v1alpha1.FTPServer {
	size := resource.MustParse("1Gi")
	return &v1alpha1.FTPServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.FTPServerSpec{
			Service: v1alpha1.ServiceSpec{Type: v1alpha1.ServiceLoadBalancer},
			Storage: v1alpha1.StorageSpec{Volume: &v1alpha1.VolumeSpec{Size: &size}},
		},
	}
}

func newUser(namespace, name, server string) *v1alpha1.FTPUser {
	return &v1alpha1.FTPUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.FTPUserSpec{ServerRef: v1alpha1.LocalReference{Name: server}},
	}
}

// serving brings up the server "files" with the user "alice", in a namespace of
// their own; edit may change the server before.
func serving(t *testing.T, edit func(*v1alpha1.FTPServer)) (*v1alpha1.FTPServer, *v1alpha1.FTPUser) {
	t.Helper()
	ns := newNamespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	if edit != nil {
		edit(server)
	}
	create(t, server, user)
	ready(t, server)
	ready(t, user)
	if server.Spec.Service.Type == v1alpha1.ServiceLoadBalancer {
		reached(t, connection(t, ftpclient.Curl{}, server, user))
	}
	return server, user
}

// reached waits until the nodes route to the pod. They follow its readiness at
// their own pace, usually within a second; nobody but a client can tell.
func reached(t *testing.T, c ftpclient.Connection) {
	t.Helper()
	if after := eventually(t, func() string { return loginProblem(t, c) }); after > time.Second {
		t.Logf("The Service was routed %s after the server was ready", after.Round(time.Millisecond))
	}
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		must(t, kube.Create(soon(t), o))
	}
}

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, o T, edit func()) {
	t.Helper()
	before := o.DeepCopyObject().(client.Object)
	edit()
	must(t, kube.Patch(soon(t), o, client.MergeFrom(before)))
}

// ready waits until the object says it is, of its newest generation.
func ready(t *testing.T, o client.Object) time.Duration {
	t.Helper()
	return eventually(t, func() string { return notReady(t, o) })
}

// notReady looks once, and says why it is not.
func notReady(t *testing.T, o client.Object) string {
	t.Helper()
	if err := kube.Get(soon(t), client.ObjectKeyFromObject(o), o); err != nil {
		return err.Error()
	}
	c := condition(o, v1alpha1.ConditionReady)
	if c == nil {
		return "no condition Ready on " + o.GetName()
	}
	if c.Status != metav1.ConditionTrue || c.ObservedGeneration != o.GetGeneration() {
		return fmt.Sprintf("%s of %s is %s of generation %d (now %d): %s: %s", c.Type, o.GetName(), c.Status, c.ObservedGeneration, o.GetGeneration(), c.Reason, c.Message)
	}
	return ""
}

func condition(o client.Object, kind string) *metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.FTPServer:
		return meta.FindStatusCondition(o.Status.Conditions, kind)
	case *v1alpha1.FTPUser:
		return meta.FindStatusCondition(o.Status.Conditions, kind)
	}
	return nil
}

// gone waits until the object exists no more.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, func() string {
		err := kube.Get(soon(t), client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("%T %s is still there (%v)", o, o.GetName(), err)
	})
}

// pods returns the pods of a server.
func pods(t *testing.T, s *v1alpha1.FTPServer) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	must(t, kube.List(soon(t), &list, client.InNamespace(s.Namespace), client.MatchingLabels{"ftp-operator.io/server": s.Name}))
	return list.Items
}

// connection logs in as the user, over the published CA.
func connection(t *testing.T, c ftpclient.Client, s *v1alpha1.FTPServer, u *v1alpha1.FTPUser) ftpclient.Connection {
	t.Helper()
	must(t, ftpclient.Missing(c))
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(s), s))
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(u), u))
	if len(s.Status.Addresses) == 0 || s.Status.Ports == nil || s.Status.CARef == nil || u.Status.PasswordSecretRef == nil {
		t.Fatalf("Status does not tell how to connect: %+v %+v", s.Status, u.Status)
	}
	return ftpclient.Connection{Client: c, Target: ftpclient.Target{
		Host: s.Status.Addresses[0].Value, Port: int(s.Status.Ports.Control),
		User: u.Status.Username, Password: password(t, u),
		TLS: ftpclient.TLS13, CAFile: caFile(t, s), Prefix: outside,
	}}
}

func password(t *testing.T, u *v1alpha1.FTPUser) string {
	t.Helper()
	ref := u.Status.PasswordSecretRef
	var secret corev1.Secret
	must(t, kube.Get(soon(t), client.ObjectKey{Namespace: u.Namespace, Name: ref.Name}, &secret))
	return string(secret.Data[ref.Key])
}

func caFile(t *testing.T, s *v1alpha1.FTPServer) string {
	t.Helper()
	var bundle corev1.ConfigMap
	must(t, kube.Get(soon(t), client.ObjectKey{Namespace: s.Namespace, Name: s.Status.CARef.Name}, &bundle))
	file := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(file, []byte(bundle.Data["ca.crt"]), 0o600))
	return file
}

// dump tells what is in a namespace, for the log of a test that failed.
func dump(t *testing.T, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, list := range []client.ObjectList{
		&v1alpha1.FTPServerList{}, &v1alpha1.FTPUserList{}, &corev1.PodList{}, &corev1.EventList{}, &corev1.ServiceList{}, &corev1.PersistentVolumeClaimList{},
	} {
		if err := kube.List(ctx, list, client.InNamespace(namespace)); err != nil {
			t.Log(err)
			continue
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			t.Log(summary(o))
			return nil
		})
	}
}

func summary(o runtime.Object) string {
	if e, ok := o.(*corev1.Event); ok {
		return strings.Join([]string{"Event", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message}, " ")
	}
	accessor, err := meta.Accessor(o)
	if err != nil {
		return err.Error()
	}
	accessor.SetManagedFields(nil)
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%T %s", o, text)
}

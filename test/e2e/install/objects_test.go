package install

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
func eventually(t *testing.T, f func() string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for problem := f(); problem != ""; problem = f() {
		if time.Since(start) > patience {
			t.Fatalf("After %s still: %s", patience, problem)
		}
		<-tick.C
	}
}

// newNamespace makes a namespace that lets in restricted pods only.
func newNamespace(t *testing.T) string {
	t.Helper()
	return namespace(t, metav1.ObjectMeta{GenerateName: "ftp-install-"})
}

func namespace(t *testing.T, m metav1.ObjectMeta) string {
	t.Helper()
	m.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	ns := &corev1.Namespace{ObjectMeta: m}
	must(t, kube.Create(soon(t), ns))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			dump(ctx, t, ns.Name)
		}
		if err := client.IgnoreNotFound(kube.Delete(ctx, ns)); err != nil {
			t.Error(err)
		}
	})
	return ns.Name
}

func dump(ctx context.Context, t *testing.T, namespace string) {
	for _, args := range [][]string{
		{"-n", namespace, "get", "ftpservers,ftpusers,deployments,pods", "-o", "yaml"},
		{"-n", namespace, "get", "events"},
		{"-n", operatorNamespace, "get", "pods", "-o", "wide"},
		{"-n", operatorNamespace, "logs", "deployment/ftp-operator", "--tail=40"},
	} {
		out, err := command(ctx, "", kubectlProgram(), args...)
		t.Log(out, err)
	}
}

// newServer makes the server "files" with the user "alice". Where it is the
// operator's, say so by ready.
func newServer(t *testing.T, namespace string, edit func(*v1alpha1.FTPServer)) (*v1alpha1.FTPServer, *v1alpha1.FTPUser) {
	t.Helper()
	size := resource.MustParse("1Gi")
	server := &v1alpha1.FTPServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "files"},
		Spec: v1alpha1.FTPServerSpec{
			Service: v1alpha1.ServiceSpec{Type: v1alpha1.ServiceLoadBalancer},
			Storage: v1alpha1.StorageSpec{Volume: &v1alpha1.VolumeSpec{Size: &size}},
		},
	}
	if edit != nil {
		edit(server)
	}
	must(t, kube.Create(soon(t), server))
	return server, newUser(t, server, "alice")
}

func newUser(t *testing.T, server *v1alpha1.FTPServer, name string) *v1alpha1.FTPUser {
	t.Helper()
	user := &v1alpha1.FTPUser{
		ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace, Name: name},
		Spec:       v1alpha1.FTPUserSpec{ServerRef: v1alpha1.LocalReference{Name: server.Name}},
	}
	must(t, kube.Create(soon(t), user))
	return user
}

// serving makes a server and a user and waits until a client can log in.
func serving(t *testing.T, namespace string, edit func(*v1alpha1.FTPServer)) (*v1alpha1.FTPServer, *v1alpha1.FTPUser) {
	t.Helper()
	server, user := newServer(t, namespace, edit)
	ready(t, server)
	ready(t, user)
	reached(t, connection(t, server, user))
	return server, user
}

// ready waits until the object says it is, of its newest generation.
func ready(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, func() string {
		if err := kube.Get(soon(t), client.ObjectKeyFromObject(o), o); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(conditions(o), v1alpha1.ConditionReady)
		if c == nil {
			return "no condition Ready on " + o.GetName()
		}
		if c.Status != metav1.ConditionTrue || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Sprintf("%s is %s of generation %d (now %d): %s: %s", o.GetName(), c.Status, c.ObservedGeneration, o.GetGeneration(), c.Reason, c.Message)
		}
		return ""
	})
}

func conditions(o client.Object) []metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.FTPServer:
		return o.Status.Conditions
	case *v1alpha1.FTPUser:
		return o.Status.Conditions
	}
	return nil
}

// pod is the one pod of the server that is not ending.
func pod(t *testing.T, s *v1alpha1.FTPServer) corev1.Pod {
	t.Helper()
	var list corev1.PodList
	must(t, kube.List(soon(t), &list, client.InNamespace(s.Namespace), client.MatchingLabels{"ftp-operator.io/server": s.Name}))
	if len(list.Items) != 1 {
		t.Fatalf("%s has %d pods", s.Name, len(list.Items))
	}
	return list.Items[0]
}

// connection logs in as the user, over the published CA.
func connection(t *testing.T, s *v1alpha1.FTPServer, u *v1alpha1.FTPUser) ftpclient.Connection {
	t.Helper()
	get(t, s)
	get(t, u)
	if len(s.Status.Addresses) == 0 || s.Status.Ports == nil || s.Status.CARef == nil || u.Status.PasswordSecretRef == nil {
		t.Fatalf("Status does not tell how to connect: %+v %+v", s.Status, u.Status)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: u.Namespace, Name: u.Status.PasswordSecretRef.Name}}
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Status.CARef.Name}}
	get(t, secret)
	get(t, bundle)
	file := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(file, []byte(bundle.Data["ca.crt"]), 0o600))
	return ftpclient.Connection{Client: ftpclient.Curl{}, Target: ftpclient.Target{
		Host: s.Status.Addresses[0].Value, Port: int(s.Status.Ports.Control),
		User: u.Status.Username, Password: string(secret.Data[u.Status.PasswordSecretRef.Key]),
		TLS: ftpclient.TLS13, CAFile: file, Prefix: outside,
	}}
}

func get(t *testing.T, o client.Object) {
	t.Helper()
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(o), o))
}

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, o T, edit func()) {
	t.Helper()
	get(t, o)
	before := o.DeepCopyObject().(client.Object)
	edit()
	must(t, kube.Patch(soon(t), o, client.MergeFrom(before)))
}

// reached waits until a client can log in: nodes follow a pod at their own pace.
func reached(t *testing.T, c ftpclient.Connection) {
	t.Helper()
	eventually(t, func() string { return loginProblem(t, c) })
}

// loginProblem lists the home once and says what went wrong.
func loginProblem(t *testing.T, c ftpclient.Connection) string {
	t.Helper()
	if _, err := c.List(soon(t), "/"); err != nil {
		return err.Error()
	}
	return ""
}

// works moves a file there and back.
func works(t *testing.T, c ftpclient.Connection, remote string) {
	t.Helper()
	local := randomFile(t, 1<<20+1)
	must(t, c.Upload(soon(t), local, remote))
	holds(t, c, remote, local)
}

// kinds are those that a namespace can hold, less what merely tells what happened.
var kinds = sync.OnceValues(func() ([]schema.GroupVersionKind, error) {
	lists, err := api.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	var out []schema.GroupVersionKind
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if slices.Contains(r.Verbs, "list") && r.Kind != "Event" && r.Kind != "Lease" {
				out = append(out, version.WithKind(r.Kind))
			}
		}
	}
	return out, nil
})

// state is every object of a namespace with its UID and resourceVersion.
func state(t *testing.T, namespace string) map[string]string {
	t.Helper()
	all, err := kinds()
	must(t, err)
	out := map[string]string{}
	for _, kind := range all {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		must(t, kube.List(soon(t), list, client.InNamespace(namespace)))
		for _, o := range list.Items {
			out[kind.Kind+"/"+o.Name] = fmt.Sprintf("%s version %s generation %d", o.UID, o.ResourceVersion, o.Generation)
		}
	}
	if len(out) < 10 {
		t.Fatalf("%s holds only %v", namespace, out)
	}
	return out
}

// settled waits until nothing moves any more, and returns the state.
func settled(t *testing.T, namespace string) map[string]string {
	t.Helper()
	last, same := state(t, namespace), 0
	eventually(t, func() string {
		now := state(t, namespace)
		if same++; !maps.Equal(now, last) {
			last, same = now, 0
		}
		if same < 20 {
			return "objects still move"
		}
		return ""
	})
	return last
}

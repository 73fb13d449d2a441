package controllers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// somebodyElses makes, of each kind that a server has children of, an object that is
// somebody else's.
var somebodyElses = map[string]func(meta metav1.ObjectMeta) client.Object{
	"Deployment": func(m metav1.ObjectMeta) client.Object {
		labels := map[string]string{"x": "y"}
		return &appsv1.Deployment{ObjectMeta: m, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}},
			},
		}}
	},
	"Service": func(m metav1.ObjectMeta) client.Object {
		return &corev1.Service{ObjectMeta: m, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	},
	"ServiceAccount": func(m metav1.ObjectMeta) client.Object { return &corev1.ServiceAccount{ObjectMeta: m} },
	"ConfigMap":      func(m metav1.ObjectMeta) client.Object { return &corev1.ConfigMap{ObjectMeta: m} },
	"NetworkPolicy":  func(m metav1.ObjectMeta) client.Object { return &networkingv1.NetworkPolicy{ObjectMeta: m} },
	"PersistentVolumeClaim": func(m metav1.ObjectMeta) client.Object {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: m}
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
		return c
	},
	"Secret": secretWith("config.v2.yaml"),
}

func secretWith(key string) func(metav1.ObjectMeta) client.Object {
	return func(m metav1.ObjectMeta) client.Object {
		return &corev1.Secret{ObjectMeta: m, Data: map[string][]byte{key: []byte("somebody else's")}}
	}
}

// childNames are the kinds and names of what a server consists of, such as
// "Service files". Of the users' Secrets, which are alike, one stands for all.
func childNames(t *testing.T) []string {
	t.Helper()
	server := newServer("any", theServer, func(s *v1alpha1.FTPServer) {
		s.Spec.Passive = v1alpha1.PassiveSpec{FirstPort: 30000, PortsPerReplica: 1}
	})
	var out []string
	for _, o := range childrenOf(server) {
		if name := objectName(o); !otherUsers.MatchString(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

var otherUsers = regexp.MustCompile(`^Secret files-users-[^3]$`)

// namesOfAll are those without which nothing of the server is made.
func namesOfAll(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(childNames(t), func(child string) bool { return child == "Service files-slots" })
}

// theirs makes somebody else's object with the name of a child.
func theirs(t *testing.T, namespace, child string) client.Object {
	t.Helper()
	kind, name, _ := strings.Cut(child, " ")
	build, ok := somebodyElses[kind]
	if !ok {
		t.Fatalf("a server has children of the kind %s: add to somebodyElses how somebody else's would look", kind)
	}
	// Labels alone make nothing ours.
	return build(metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{render.LabelManagedBy: render.FieldOwner}})
}

// What the tests of this file know as children is all that a server makes.
func TestNoChildIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(w.newServer())
	w.settle()
	var made []string
	for _, kind := range childKinds {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(parseGVK(kind))
		if err := kube.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			if name := parseGVK(kind).Kind + " " + o.Name; o.Name != "kube-root-ca.crt" && !otherUsers.MatchString(name) {
				made = append(made, name)
			}
		}
	}
	slices.Sort(made)
	if known := childNames(t); !slices.Equal(made, known) {
		t.Errorf("the server has made\n%v, known are\n%v", made, known)
	}
}

// whole is an object as the API server holds it.
func whole(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := apiutil.GVKForObject(o, kube.Scheme())
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	get(t, o.GetNamespace(), o.GetName(), u)
	return fmt.Sprint(u.Object)
}

// taken makes an object of somebody else's that has the name of a child, and returns
// what it is as a whole.
func taken(t *testing.T, child string) (ns string, o client.Object, before string) {
	t.Helper()
	ns = namespace(t)
	o = theirs(t, ns, child)
	create(t, o)
	return ns, o, whole(t, o)
}

// For each child that all needs, an object of that name which is somebody else's is left byte
// for byte as it was; once it is gone the server takes the name.
func TestNameTaken(t *testing.T) {
	for _, child := range namesOfAll(t) {
		t.Run(child, func(t *testing.T) {
			t.Parallel()
			ns, theirs, before := taken(t, child)
			server := newServer(ns, "files")
			create(t, server)
			c := says(t, server, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
			if !strings.Contains(c.Message, child) {
				t.Errorf("the message does not name %s: %s", child, c.Message)
			}
			reaches(t, server, kstatus.FailedStatus)
			if ref := server.Status.CARef; ref != nil && ref.Name == theirs.GetName() {
				t.Errorf("the status names somebody else's %s as the server's", child)
			}
			noPodUses(t, theirs)
			if after := whole(t, theirs); after != before {
				t.Errorf("it was changed from\n%s to\n%s", before, after)
			}
			remove(t, theirs)
			clearFinalizers(t, theirs)
			eventually(t, func() error { // the operator itself looks again after pollNoted
				reconcileAll(t, ns, "files")
				get(t, ns, "files", server)
				if c := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionStalled); c != nil {
					return fmt.Errorf("still stalled: %s", c.Message)
				}
				return nil
			})
		})
	}
}

// The same where it is made between the operator's look and its write: nothing
// is merged into it, and nothing is made beside it from then on.
func TestNameTakenMeanwhile(t *testing.T) {
	for _, child := range namesOfAll(t) {
		t.Run(child, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			kind, name, _ := strings.Cut(child, " ")
			other := theirs(t, w.namespace, child)
			before := ""
			w.wire.before = func(_ string, o client.Object) {
				if before != "" || o.GetName() != name || !strings.HasSuffix(kindOf(o), kind) {
					return
				}
				create(t, other)
				before = whole(t, other)
			}
			server := w.newServer()
			w.create(server)
			w.settle()
			if before == "" {
				t.Fatalf("the operator did not make %s", child)
			}
			c := says(t, server, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
			if !strings.Contains(c.Message, child) {
				t.Errorf("the message does not name %s: %s", child, c.Message)
			}
			noPodUses(t, other)
			if after := whole(t, other); after != before {
				t.Errorf("it was changed from\n%s to\n%s", before, after)
			}
			remove(t, other)
			clearFinalizers(t, other)
			w.elapse(pollNoted)
			w.settle()
			serverReady(w)
			for _, p := range w.problems {
				t.Error(p)
			}
		})
	}
}

func kindOf(o client.Object) string {
	if kind := o.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind
	}
	return fmt.Sprintf("%T", o)
}

// noPodUses finds that no Deployment was made whose pod would run with, or
// mount, somebody else's object.
func noPodUses(t *testing.T, theirs client.Object) {
	t.Helper()
	var list appsv1.DeploymentList
	if err := kube.List(t.Context(), &list, client.InNamespace(theirs.GetNamespace())); err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Items {
		if d.UID != theirs.GetUID() {
			t.Errorf("the Deployment %s was made beside somebody else's %s", d.Name, theirs.GetName())
		}
	}
}

// clearFinalizers does what the cluster's controllers would do on deletion:
// there are none here.
func clearFinalizers(t *testing.T, o client.Object) {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		return
	}
	o.SetFinalizers(nil)
	if err := kube.Update(t.Context(), o); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
}

func TestGeneratedPasswordNameTaken(t *testing.T) {
	ns := namespace(t)
	theirs := secretWith("password")(metav1.ObjectMeta{Namespace: ns, Name: "alice-password"})
	user := newUser(ns, "alice", "files")
	create(t, theirs, newServer(ns, "files"), user)
	before := whole(t, theirs)
	says(t, user, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
	if after := whole(t, theirs); after != before {
		t.Errorf("it was changed from\n%s to\n%s", before, after)
	}
	if ref := user.Status.PasswordSecretRef; ref != nil {
		t.Errorf("the status names somebody else's Secret: %+v", ref)
	}
	if _, err := findLogin(t, ns, "files", "alice"); err == nil {
		t.Error("somebody else's Secret became a password")
	}
}

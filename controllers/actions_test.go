package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// namespace makes a namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := kube.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n.Name
}

func newServer(namespace, name string, change ...func(*v1alpha1.FTPServer)) *v1alpha1.FTPServer {
	size := resource.MustParse("1Gi")
	s := &v1alpha1.FTPServer{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{Size: &size}
	for _, f := range change {
		f(s)
	}
	return s
}

func newUser(namespace, name, server string, change ...func(*v1alpha1.FTPUser)) *v1alpha1.FTPUser {
	u := &v1alpha1.FTPUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	u.Spec.ServerRef.Name = server
	for _, f := range change {
		f(u)
	}
	return u
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := kube.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, namespace, name string, into client.Object) {
	t.Helper()
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
}

// change edits an object as a person would.
func change[T client.Object](t *testing.T, o T, edit func(T)) {
	t.Helper()
	eventually(t, func() error {
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		edit(o)
		return kube.Update(t.Context(), o)
	})
}

func remove(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := kube.Delete(context.WithoutCancel(t.Context()), o); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
}

// eventually asks until there is no error any more, or it has taken too long.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(soon)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s still: %v", soon, err)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}

// reaches waits until kstatus calls the object by that state.
func reaches(t *testing.T, o client.Object, want kstatus.Status) {
	t.Helper()
	gvk, err := apiutil.GVKForObject(o, kube.Scheme())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(gvk)
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), u); err != nil {
			return err
		}
		result, err := kstatus.Compute(u)
		if err != nil {
			return err
		}
		if result.Status != want {
			text, _ := yaml.Marshal(u.Object["status"])
			return fmt.Errorf("%s is %s (%s), not %s:\n%s", u.GetName(), result.Status, result.Message, want, text)
		}
		return nil
	})
}

// says waits until a condition has a status and reason.
func says(t *testing.T, o client.Object, kind string, status metav1.ConditionStatus, reason v1alpha1.Reason) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	eventually(t, func() error {
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		c := meta.FindStatusCondition(conditions(o), kind)
		if c == nil {
			return fmt.Errorf("%s has no condition %s", o.GetName(), kind)
		}
		if c.Status != status || c.Reason != string(reason) || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Errorf("%s of %s is %s %s (%s), want %s %s", kind, o.GetName(), c.Status, c.Reason, c.Message, status, reason)
		}
		found = *c
		return nil
	})
	return found
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

// gone waits until an object is not there any more.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, func() error {
		err := kube.Get(t.Context(), client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, fmt.Errorf("%s is still there", o.GetName()))
	})
}

// login waits until the server's users Secrets hold the login, and returns it.
func login(t *testing.T, namespace, server, username string) config.User {
	t.Helper()
	var found config.User
	eventually(t, func() error {
		var err error
		found, err = findLogin(t, namespace, server, username)
		return err
	})
	return found
}

func findLogin(t *testing.T, namespace, server, username string) (config.User, error) {
	t.Helper()
	shard := config.Shard(username)
	var s corev1.Secret
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: render.UsersSecretName(server, shard)}, &s); err != nil {
		return config.User{}, err
	}
	users, err := config.DecodeUsers(s.Data[config.UsersFileName(shard)], config.Strict)
	if err != nil {
		return config.User{}, err
	}
	for _, u := range users {
		if u.Name == username {
			return u, nil
		}
	}
	return config.User{}, fmt.Errorf("there is no login %s", username)
}

// serverConfig is the configuration that was written for a server.
func serverConfig(t *testing.T, namespace, server string) *config.Config {
	t.Helper()
	var s corev1.Secret
	get(t, namespace, render.ConfigSecretName(server), &s)
	c, err := config.Decode(s.Data[config.FileName], config.Strict)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// versions are the resourceVersions of everything in a namespace.
func versions(t *testing.T, namespace string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, kind := range []string{
		"apps/v1/Deployment", "v1/Service", "v1/Secret", "v1/ConfigMap", "v1/ServiceAccount", "networking.k8s.io/v1/NetworkPolicy", "policy/v1/PodDisruptionBudget", "v1/PersistentVolumeClaim", "v1/Pod",
		"ftp-operator.io/v1alpha1/FTPServer", "ftp-operator.io/v1alpha1/FTPUser", "events.k8s.io/v1/Event",
	} {
		var list metav1.PartialObjectMetadataList
		gvk := parseGVK(kind)
		list.SetGroupVersionKind(gvk)
		if err := kube.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			out[gvk.Kind+"/"+o.Name] = o.ResourceVersion
		}
	}
	return out
}

// reconcileAll forces one pass over the server and all users of a namespace. The
// operator's own passes go on beside it.
func reconcileAll(t *testing.T, namespace, server string) {
	t.Helper()
	pass(t, serverReconciler, request(namespace, server))
	var users v1alpha1.FTPUserList
	if err := kube.List(t.Context(), &users, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for _, u := range users.Items {
		pass(t, userReconciler, request(namespace, u.Name))
	}
}

// wake has the operator itself look at the server "files" again, as it would by
// the clock: a pass that is forced beside one that writes would write too.
func wake(t *testing.T, namespace string) {
	t.Helper()
	change(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "files"}}, func(a *corev1.ServiceAccount) {
		a.Annotations = map[string]string{"example.com/woken": clock.Now().String()}
	})
}

// pass forces one pass, again where the cache still had to catch up or one of
// the operator's own passes was first.
func pass(t *testing.T, r reconcile.Reconciler, req ctrl.Request) {
	t.Helper()
	eventually(t, func() error {
		result, err := r.Reconcile(t.Context(), req)
		if apierrors.IsConflict(err) {
			return err
		}
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter == catchUp {
			return errors.New("the cache lags behind")
		}
		return nil
	})
}

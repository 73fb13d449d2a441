package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// serverOf is a world with a server of so many replicas, which all serve.
func serverOf(t *testing.T, replicas int32, change ...func(*v1alpha1.FTPServer)) *world {
	t.Helper()
	w := newWorld(t)
	t.Cleanup(func() {
		for _, p := range w.problems {
			t.Error(p)
		}
	})
	w.create(w.newServer(append([]func(*v1alpha1.FTPServer){shared(replicas)}, change...)...))
	w.settle()
	serverReady(w)
	return w
}

// scale scales the server as kubectl scale and an HPA do.
func (w *world) scale(replicas int) {
	w.t.Helper()
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := kube.SubResource("scale").Patch(w.t.Context(), newServer(w.namespace, theServer), patch); err != nil {
		w.t.Fatal(err)
	}
}

// podsOf are the pods, by slot and name, that have not been told to end.
func (w *world) podsOf() map[string]string {
	w.t.Helper()
	var list corev1.PodList
	if err := kube.List(w.t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range list.Items {
		if p.DeletionTimestamp.IsZero() && !render.OfFront(&p) {
			out[theServer+"-"+p.Labels[render.LabelSlot]] = p.Name
		}
	}
	return out
}

// deploymentsNow are the Deployments by name.
func (w *world) deploymentsNow() map[string]*appsv1.Deployment {
	w.t.Helper()
	var list appsv1.DeploymentList
	if err := kube.List(w.t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	out := map[string]*appsv1.Deployment{}
	for i := range list.Items {
		out[list.Items[i].Name] = &list.Items[i]
	}
	return out
}

// versionsOf are the resourceVersions of objects of a kind.
func (w *world) versionsOf(kind string) map[string]string {
	w.t.Helper()
	out := versions(w.t, w.namespace)
	maps.DeleteFunc(out, func(name, _ string) bool { return !strings.HasPrefix(name, kind+"/") })
	return out
}

// passivePorts are the names of the passive ports that the Service has.
func (w *world) passivePorts() []string {
	w.t.Helper()
	var svc corev1.Service
	w.read(theServer, &svc)
	var out []string
	for _, p := range svc.Spec.Ports {
		if p.Name != render.ControlPortName {
			out = append(out, p.Name)
		}
	}
	return out
}

// condition is one of the server's, as it is told now.
func (w *world) condition(kind string) metav1.Condition {
	w.t.Helper()
	var s v1alpha1.FTPServer
	w.read(theServer, &s)
	if c := meta.FindStatusCondition(s.Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// tells finds what WorkloadAvailable says.
func (w *world) tells(status metav1.ConditionStatus, reason v1alpha1.Reason, words ...string) {
	w.t.Helper()
	c := w.condition(v1alpha1.ConditionWorkloadAvailable)
	if c.Status != status || c.Reason != string(reason) {
		w.t.Errorf("WorkloadAvailable is %s %s (%s), want %s %s", c.Status, c.Reason, c.Message, status, reason)
	}
	for _, word := range words {
		if !strings.Contains(c.Message, word) {
			w.t.Errorf("the message leaves out %q: %s", word, c.Message)
		}
	}
}

// still has Kubernetes do all that it finds to do, while no operator runs.
func (w *world) still() {
	w.t.Helper()
	for range maxPasses {
		moved, err := w.cluster.tick(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if !moved {
			return
		}
	}
	w.t.Fatal("the cluster does not come to rest")
}

// lags has the operator's cache be as it is now from here on.
func (w *world) lags() {
	w.t.Helper()
	behind, err := newLag(w.t.Context(), w.namespace)
	if err != nil {
		w.t.Fatal(err)
	}
	w.wire.behind = behind
}

// rests finds that neither this operator nor one that has just begun writes
// anything.
func (w *world) rests() {
	w.t.Helper()
	settled := versions(w.t, w.namespace)
	w.work()
	w.boot()
	w.work()
	if after := versions(w.t, w.namespace); !maps.Equal(settled, after) {
		w.t.Errorf("something was written: %s", cmp.Diff(settled, after))
	}
}

// writes has each write that the operator makes noted, "Apply Deployment files-0".
func (w *world) writes() *[]string {
	var made []string
	before := w.wire.before
	w.wire.before = func(verb string, o client.Object) {
		made = append(made, verb+" "+objectName(o))
		before(verb, o)
	}
	return &made
}

// only are the writes of a kind among those that were made.
func only(made []string, kind string) []string {
	return slices.DeleteFunc(slices.Clone(made), func(m string) bool { return !strings.Contains(m, kind+" ") })
}

package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// What is made where there was nothing is held by an entry of server-side apply
// and by no other of the operator's, so that a field which is dropped later
// vanishes. It takes one write an object, but for a Service with node ports: those
// that Kubernetes has chosen in the first are asked for in a second, and so are the
// operator's own before any pod is told of them.
func TestDroppedFieldsVanish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := map[string]int{}
	w.wire.before = func(_ string, o client.Object) { made[objectName(o)]++ }
	w.create(w.newServer(func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer
		s.Spec.Service.Annotations = map[string]string{"example.com/balancer": "fast"}
		s.Spec.Service.Labels = map[string]v1alpha1.LabelValue{"team": "shop"}
		s.Spec.Service.LoadBalancerSourceRanges = []string{"192.0.2.0/24"}
		s.Spec.Pod.Annotations = map[string]string{"example.com/note": "first"}
		s.Spec.Pod.NodeSelector = map[string]v1alpha1.LabelValue{"disk": "fast"}
	}))
	w.pass("server/" + theServer)
	var server v1alpha1.FTPServer
	w.read(theServer, &server)
	for _, o := range childrenOf(&server) {
		want := 1
		if objectName(o) == "Service "+theServer {
			want = 2
		}
		if n := made[objectName(o)]; n != want {
			t.Errorf("%s took %d writes, want %d", objectName(o), n, want)
		}
		w.checkManagers(o)
	}
	w.settle()
	edit(w, theServer, &v1alpha1.FTPServer{}, func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Annotations, s.Spec.Service.Labels, s.Spec.Service.LoadBalancerSourceRanges = nil, nil, nil
		s.Spec.Pod.Annotations, s.Spec.Pod.NodeSelector = nil, nil
	})
	w.settle()
	var svc corev1.Service
	if w.read(theServer, &svc); len(svc.Annotations)+len(svc.Spec.LoadBalancerSourceRanges) > 0 || svc.Labels["team"] != "" {
		t.Errorf("the Service keeps %v, %v, %v", svc.Annotations, svc.Labels, svc.Spec.LoadBalancerSourceRanges)
	}
	var d appsv1.Deployment
	w.read(render.DeploymentName(theServer, 0), &d)
	if pod := d.Spec.Template; len(pod.Annotations)+len(pod.Spec.NodeSelector) > 0 {
		t.Errorf("the pods keep %v, %v", pod.Annotations, pod.Spec.NodeSelector)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// checkManagers finds that the operator holds a child by one entry: that of
// server-side apply, or of the creation where it is made once.
func (w *world) checkManagers(o client.Object) {
	w.t.Helper()
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(o.GetObjectKind().GroupVersionKind())
	if !w.read(o.GetName(), found) {
		w.t.Errorf("%s was not made", objectName(o))
	}
	want := metav1.ManagedFieldsOperationApply
	if name := o.GetName(); name == render.KeysSecretName(theServer) || name == render.AuthoritySecretName(theServer) {
		want = metav1.ManagedFieldsOperationUpdate
	}
	n := 0
	for _, m := range found.ManagedFields {
		if m.Manager != fieldOwner {
			continue
		}
		if n++; m.Operation != want {
			w.t.Errorf("%s has an entry of %s", objectName(o), m.Operation)
		}
	}
	if n != 1 {
		w.t.Errorf("%s has %d entries of the operator's", objectName(o), n)
	}
}

package controllers

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Where the API server will not have the Service, no slot is made whose ports it
// lacks; what runs goes on.
func TestNoSlotWithoutPorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "other"}}
	other.Spec.Type, other.Spec.Ports = corev1.ServiceTypeNodePort, []corev1.ServicePort{{Port: 80}}
	w.create(other)
	t.Cleanup(func() { remove(t, other) })
	taken := other.Spec.Ports[0].NodePort // one that the second slot would have
	w.create(w.newServer(shared(1), func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, Port: 21, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
		s.Spec.Passive = v1alpha1.PassiveSpec{PortsPerReplica: 1, FirstNodePort: ptr.To(taken - 1)}
	}))
	w.settle()
	if w.condition(v1alpha1.ConditionReady).Status != metav1.ConditionTrue {
		t.Skipf("the node port %d was taken by another test: %s", taken-1, w.condition(v1alpha1.ConditionReady).Message)
	}
	pods := w.podsOf()
	w.scale(2)
	w.settle()
	if c := w.condition(v1alpha1.ConditionAccepted); c.Reason != string(v1alpha1.ReasonChildRejected) {
		t.Errorf("Accepted is %+v", c)
	}
	if !maps.Equal(pods, w.podsOf()) || len(w.deploymentsNow()) != 1 {
		t.Errorf("the pods were %v and are %v", pods, w.podsOf())
	}
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-1 is held back until the Service has its passive ports")
	remove(t, other)
	w.elapse(pollNoted)
	w.settle()
	serverReady(w)
	for _, p := range w.problems {
		t.Error(p)
	}
}

// A slot whose ports the Service has is made, also where the API server will not
// have an edit of the Service.
func TestSlotWithPortsBesideARefusedEdit(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](2) })
	w.set(func(s *v1alpha1.FTPServer) {
		s.Spec.Service.IPFamilyPolicy, s.Spec.Replicas = ptr.To(v1alpha1.IPFamilyPolicy("RequireDualStack")), ptr.To[int32](2)
	})
	w.settle()
	if c := w.condition(v1alpha1.ConditionAccepted); c.Reason != string(v1alpha1.ReasonChildRejected) {
		t.Errorf("Accepted is %+v", c)
	}
	w.tells(metav1.ConditionTrue, v1alpha1.ReasonWorkloadAvailable)
	if n := len(w.podsOf()); n != 2 {
		t.Errorf("there are %d pods", n)
	}
}

// A Service that is being deleted gets no more ports: a new slot waits for the
// next.
func TestNoSlotWhileTheServiceGoes(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1)
	svc := &corev1.Service{}
	edit(w, theServer, svc, func(s *corev1.Service) { s.Finalizers = []string{"example.com/balancer"} })
	if err := kube.Delete(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	w.scale(2)
	w.settle()
	w.tells(metav1.ConditionFalse, v1alpha1.ReasonRollingOut, "The replica files-1 is held back until the Service has its passive ports")
	if n := len(w.deploymentsNow()); n != 1 {
		t.Errorf("there are %d Deployments", n)
	}
	clearFinalizers(t, svc)
	w.settle()
	serverReady(w)
	if n := len(w.podsOf()); n != 2 {
		t.Errorf("there are %d pods", n)
	}
}

// With node ports, no configuration that is written while replicas come, or get
// more ports, is without numbers: PASV would be refused to all. Nor is it told.
func TestScalingNodePorts(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
	})
	configurations := 0
	w.wire.wrote = func(verb string, o client.Object) {
		w.wrote(verb, o)
		if told, ok := o.(*v1alpha1.FTPServer); ok {
			if c := meta.FindStatusCondition(told.Status.Conditions, v1alpha1.ConditionAddressAssigned); c.Status != metav1.ConditionTrue {
				w.problem("it was told to be without its ports: %s", c.Message)
			}
		}
		if o.GetName() != render.ConfigSecretName(theServer) {
			return
		}
		configurations++
		var secret corev1.Secret
		w.read(o.GetName(), &secret)
		c, err := config.Decode(secret.Data[config.FileName], config.Strict)
		if err != nil || c.Passive.AddressPending {
			w.problem("it was without its ports: %v", err)
		}
	}
	w.scale(3)
	w.settle()
	serverReady(w)
	if configurations == 0 {
		t.Error("the configuration was not written")
	}
	checkNodePorts(t, w.namespace, 3*8)
	w.set(func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = 12 })
	w.settle()
	serverReady(w)
	checkNodePorts(t, w.namespace, 3*12)
	w.rests()
}

// An operator that does not know yet which node ports Kubernetes has chosen anew,
// as another has written the Service meanwhile, asks for none that there were.
func TestStaleCacheMovesNoNodePorts(t *testing.T) {
	t.Parallel()
	ports := func(n int32) func(*v1alpha1.FTPServer) {
		return func(s *v1alpha1.FTPServer) { s.Spec.Passive.PortsPerReplica = n }
	}
	w := serverOf(t, 1, ports(12), func(s *v1alpha1.FTPServer) {
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceNodePort, ExternalTrafficPolicy: v1alpha1.ExternalTrafficCluster}
	})
	second := w.rival()
	w.lags()
	for _, n := range []int32{8, 12} {
		w.set(ports(n))
		second.work()
	}
	var before, after corev1.Service
	w.read(theServer, &before)
	w.pass("server/" + theServer)
	w.boot()
	w.pass("server/" + theServer)
	w.wire.behind = nil
	w.settle()
	serverReady(w)
	if w.read(theServer, &after); !slices.Equal(before.Spec.Ports, after.Spec.Ports) {
		t.Errorf("the ports have moved: %s", cmp.Diff(before.Spec.Ports, after.Spec.Ports))
	}
}

// A Service that has lost the label by which it is watched gets it back, and keeps
// its node ports.
func TestServiceThatLostItsLabel(t *testing.T) {
	t.Parallel()
	w := serverOf(t, 1, func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	var before, after corev1.Service
	w.read(theServer, &before)
	edit(w, theServer, &corev1.Service{}, func(s *corev1.Service) { delete(s.Labels, render.LabelManagedBy) })
	w.settle()
	serverReady(w)
	if w.read(theServer, &after); after.Labels[render.LabelManagedBy] == "" || !slices.Equal(before.Spec.Ports, after.Spec.Ports) {
		t.Errorf("it has the labels %v; its ports: %s", after.Labels, cmp.Diff(before.Spec.Ports, after.Spec.Ports))
	}
	w.rests()
}

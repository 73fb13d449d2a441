package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// runFront does what the Deployment controller and the kubelet would do: makes a
// pod of the front, at the address.
func runFront(t *testing.T, namespace, name, ip string) *corev1.Pod {
	t.Helper()
	var d appsv1.Deployment
	eventually(t, func() error {
		return kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "files-front"}, &d)
	})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations},
		Spec:       d.Spec.Template.Spec,
	}
	create(t, pod)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
	if err := kube.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// reportFront has the front's Deployment tell that it has acted on its newest
// template and has so many pods that are ready.
func reportFront(t *testing.T, namespace string, available int32) {
	t.Helper()
	eventually(t, func() error {
		var d appsv1.Deployment
		if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "files-front"}, &d); err != nil {
			return err
		}
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: available, AvailableReplicas: available,
		}
		return kube.Status().Update(t.Context(), &d)
	})
}

// controlTarget is the name that the control port leads to.
func controlTarget(t *testing.T, namespace string) string {
	t.Helper()
	var svc corev1.Service
	get(t, namespace, "files", &svc)
	i := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == render.ControlPortName })
	return svc.Spec.Ports[i].TargetPort.StrVal
}

// leadsTo waits until the control port leads to the name.
func leadsTo(t *testing.T, namespace, name string) {
	t.Helper()
	eventually(t, func() error {
		if got := controlTarget(t, namespace); got != name {
			return fmt.Errorf("the control port leads to %s, want %s", got, name)
		}
		return nil
	})
}

// believes waits until the servers are told to believe these addresses.
func believes(t *testing.T, namespace string, want ...string) {
	t.Helper()
	eventually(t, func() error {
		var got []string
		for _, s := range serverConfig(t, namespace, "files").ProxyProtocol.Trusted {
			got = append(got, s.CIDR)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("the servers believe %v, want %v", got, want)
		}
		return nil
	})
}

// reachesSlots waits until the network policies let pods of the front reach the
// replicas, from both sides, or until they do not.
func reachesSlots(t *testing.T, namespace string, want bool) {
	t.Helper()
	eventually(t, func() error {
		var servers networkingv1.NetworkPolicy
		get(t, namespace, render.NetworkPolicyName("files"), &servers)
		in := slices.ContainsFunc(servers.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
			return len(r.From) == 1 && r.From[0].PodSelector != nil && maps.Equal(r.From[0].PodSelector.MatchLabels, render.FrontSelector("files"))
		})
		err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "files-front"}, &networkingv1.NetworkPolicy{})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if out := err == nil; in != want || out != want {
			return fmt.Errorf("replicas let the front's pods in: %t, and these are let out: %t, want %t", in, out, want)
		}
		return nil
	})
}

func withFront(s *v1alpha1.FTPServer) { s.Spec.Front = &v1alpha1.FrontSpec{} }

// A front is switched on: its pods are believed as soon as they have an address,
// clients are led there once one is ready, and no replica's pod is touched. It is
// switched off, and nothing of it stays but the belief, while a pod still ends.
func TestFrontOnAndOff(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	var slot appsv1.Deployment
	get(t, ns, "files-0", &slot)
	generation := slot.Generation

	change(t, server, withFront)
	a := runFront(t, ns, "front-a", "10.9.0.1")
	believes(t, ns, "10.9.0.1/32")
	reportFront(t, ns, 0)
	c := says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodNotReady)
	if !strings.Contains(c.Message, "front-a") || !strings.Contains(c.Message, "clients go to the replicas directly") {
		t.Errorf("the message is %s", c.Message)
	}
	leadsTo(t, ns, "ftp")
	reportFront(t, ns, 1)
	leadsTo(t, ns, "front")
	b := runFront(t, ns, "front-b", "10.9.0.2")
	believes(t, ns, "10.9.0.1/32", "10.9.0.2/32")
	reportFront(t, ns, 2)
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files", server)
	if n := server.Status.Replicas; n != 1 {
		t.Errorf("%d replicas are told: pods of the front are counted", n)
	}
	quiet(t, ns, "files")

	reportFront(t, ns, 0)
	c = says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonPodNotReady)
	if !strings.Contains(c.Message, "no new session can begin") {
		t.Errorf("the message is %s", c.Message)
	}
	leadsTo(t, ns, "front")
	reportFront(t, ns, 2)
	reaches(t, server, kstatus.CurrentStatus)

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Front = nil })
	leadsTo(t, ns, "ftp")
	meta := metav1.ObjectMeta{Namespace: ns, Name: "files-front"}
	gone(t, &appsv1.Deployment{ObjectMeta: meta})
	gone(t, &policyv1.PodDisruptionBudget{ObjectMeta: meta})
	quiet(t, ns, "files")
	reachesSlots(t, ns, true)
	remove(t, b)
	believes(t, ns, "10.9.0.1/32")
	reachesSlots(t, ns, true)
	remove(t, a)
	believes(t, ns)
	gone(t, &networkingv1.NetworkPolicy{ObjectMeta: meta})
	reachesSlots(t, ns, false)
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files-0", &slot)
	if slot.Generation != generation {
		t.Error("the replica's Deployment was changed: its pod would be replaced")
	}
	quiet(t, ns, "files")
}

// One edit takes the front away and asks for a node port that another Service has:
// the Service goes on leading to the front, and so the front stays, until the
// Service is what is asked for.
func TestFrontStaysWhileClientsComeToIt(t *testing.T) {
	const taken = 30060 // asked for by no other test
	ns := namespace(t)
	nodePort := func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficCluster
	}
	asksFor := func(s *v1alpha1.FTPServer) { s.Spec.Service.NodePort = ptr.To[int32](taken) }
	winner := newServer(ns, "winner", nodePort, asksFor)
	create(t, winner)
	consistent(t, winner)
	server := newServer(ns, "files", nodePort, withFront)
	create(t, server)
	runPods(t, ns, "files")
	pod := runFront(t, ns, "front-a", "10.9.0.1")
	reportFront(t, ns, 2)
	leadsTo(t, ns, "front")

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Front = nil; asksFor(s) })
	says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	quiet(t, ns, "files")
	leadsTo(t, ns, "front")
	reachesSlots(t, ns, true)
	get(t, ns, "files-front", &appsv1.Deployment{})
	get(t, ns, "files-front", &policyv1.PodDisruptionBudget{})

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.NodePort = nil })
	leadsTo(t, ns, "ftp")
	gone(t, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "files-front"}})
	remove(t, pod)
	reachesSlots(t, ns, false)
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

// Behind a load balancer that hides the clients, the front passes no addresses on,
// and is not believed any. With the load balancer gone a new front does; as long as a
// pod of the old one is there, its address is taken for nobody's.
func TestFrontOfHiddenClients(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", withFront, func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceLoadBalancer, v1alpha1.ExternalTrafficCluster
	})
	create(t, server)
	runPods(t, ns, "files")
	pod := runFront(t, ns, "front-a", "10.9.0.1")
	reportFront(t, ns, 2)
	leadsTo(t, ns, "front")
	if strings.Contains(pod.Annotations[render.AnnotationFrontConfig], "send-proxy") {
		t.Error("it sends addresses of nodes as those of clients")
	}
	believes(t, ns)
	hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesHidden)

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceClusterIP} })
	eventually(t, func() error { // once the Service is changed too
		c := hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesHidden)
		if !strings.Contains(c.Message, "Until the pod front-a of the front has ended") {
			return fmt.Errorf("the message is %s", c.Message)
		}
		return nil
	})
	runFront(t, ns, "front-b", "10.9.0.2")
	believes(t, ns, "10.9.0.2/32")
	hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesHidden)
	remove(t, pod)
	hides(t, server, config.ClientAddressesPreserved, v1alpha1.ClientAddressesPreserved)
	reportFront(t, ns, 2)
	quiet(t, ns, "files")
}

// A server that is made with a front leads clients there in every version of its
// Service, whether a pod of the front is ready or not. While its Deployment is gone,
// clients go to the replicas.
func TestFrontFromTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var led []string
	w.wire.wrote = func(_ string, o client.Object) {
		if objectName(o) == "Service "+theServer {
			led = append(led, controlTarget(t, w.namespace))
		}
	}
	w.create(w.newServer(withFront))
	for range 3 {
		w.pass("server/" + theServer)
	}
	if led = slices.Compact(led); !slices.Equal(led, []string{"front"}) {
		t.Errorf("the control port led to %q, one after the other", led)
	}

	remove(t, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "files-front"}})
	w.pass("server/" + theServer)
	if to := controlTarget(t, w.namespace); to != "ftp" {
		t.Errorf("without its Deployment, the control port leads to %s", to)
	}
	w.pass("server/" + theServer)
	if to := controlTarget(t, w.namespace); to != "ftp" {
		t.Errorf("with none of its pods ready, the control port leads to %s", to)
	}
	reportFront(t, w.namespace, 1)
	w.pass("server/" + theServer)
	if to := controlTarget(t, w.namespace); to != "front" {
		t.Errorf("with a pod ready, the control port leads to %s", to)
	}
}

// With replicas 0 there is nothing for the front to do.
func TestFrontOfNothing(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", withFront, func(s *v1alpha1.FTPServer) { s.Spec.Replicas = new(int32) })
	create(t, server)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	bindClaim(t, ns, "files-data")
	var d appsv1.Deployment
	get(t, ns, "files-front", &d)
	if *d.Spec.Replicas != 0 {
		t.Errorf("%d pods of it are asked for", *d.Spec.Replicas)
	}
	quiet(t, ns, "files")
}

// A front whose configuration names sixteen slots keeps them when there are fewer,
// so that scaling to and fro does not replace its pods.
func TestFrontKeepsItsNames(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", withFront, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](9) })
	create(t, server)
	runPods(t, ns, "files")
	var wide appsv1.Deployment
	eventually(t, func() error {
		return kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-front"}, &wide)
	})
	if n := render.FrontSlots(&wide); n != 16 {
		t.Fatalf("it names %d slots", n)
	}
	consistent(t, server)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Passive.Slots = ptr.To[int32](8) })
	consistent(t, server)
	quiet(t, ns, "files")
	var after appsv1.Deployment
	if get(t, ns, "files-front", &after); after.Generation != wide.Generation {
		t.Errorf("its pods are replaced: it names %d slots", render.FrontSlots(&after))
	}
}

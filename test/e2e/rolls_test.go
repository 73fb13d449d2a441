package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestRollsLeaveNothing: after many rolls there are the same objects, pods and
// ports as before.
func TestRollsLeaveNothing(t *testing.T) {
	severalNodes(t)
	rolls := 3
	if full {
		rolls = 20
	}
	server, _ := serving(t, replicated(2))
	allServe(t, server, patience, nil)
	before, ports := inventory(t, server.Namespace), servicePorts(t, server)
	c := newCrowd(t, server) // with nobody in it
	start := time.Now()
	for range rolls {
		roll(t, c)
	}
	figures.Record(t, fmt.Sprintf("%d rolls of 2 idle replicas in %s", rolls, figures.Rounded(time.Since(start))))
	eventually(t, func() string {
		return strings.Join(differences(before, inventory(t, server.Namespace)), ", ")
	})
	if now := servicePorts(t, server); !slices.Equal(now, ports) {
		t.Errorf("The Service's ports were %v and are %v", ports, now)
	}
}

// servicePorts are the Service's.
func servicePorts(t *testing.T, s *v1alpha1.FTPServer) []corev1.ServicePort {
	t.Helper()
	var service corev1.Service
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name), &service))
	return service.Spec.Ports
}

// inventory is how many objects of each kind and name a namespace holds, without
// events. Of names that are made up, what is before the made-up part counts.
// Old ReplicaSets are kept by Kubernetes, two for each Deployment.
func inventory(t *testing.T, ns string) map[string]string {
	t.Helper()
	kinds, err := namespacedKinds()
	must(t, err)
	objects, err := metadata.NewForConfig(quietly())
	must(t, err)
	count := map[string]int{}
	for _, kind := range kinds {
		if kind.Resource == "events" {
			continue
		}
		list, err := objects.Resource(kind).Namespace(ns).List(soon(t), metav1.ListOptions{})
		must(t, err)
		for _, o := range list.Items {
			name := o.Name
			if owner := metav1.GetControllerOf(&o); owner != nil && (o.GenerateName != "" || kind.Resource == "replicasets") {
				name = "of " + withoutHash(owner.Kind, owner.Name)
			}
			count[kind.GroupResource().String()+" "+name]++
		}
	}
	out := map[string]string{}
	for name, n := range count {
		if strings.HasPrefix(name, "replicasets.apps ") {
			n = max(0, n-3) // more than are kept
		}
		out[name] = fmt.Sprint(n)
	}
	return out
}

// withoutHash is a name without that of a pod template.
func withoutHash(kind, name string) string {
	if i := strings.LastIndexByte(name, '-'); kind == "ReplicaSet" && i > 0 {
		return name[:i]
	}
	return name
}

// TestBrokenRollRecovers: a roll to an image that does not exist stops at the
// first replica, and says so. A second one breaks meanwhile. The server goes on
// with the third, and the corrected spec alone heals both.
func TestBrokenRollRecovers(t *testing.T) {
	severalNodes(t)
	server, alice := serving(t, replicated(3))
	allServe(t, server, patience, nil)
	c := connection(t, ftpclient.Curl{}, server, alice)
	before := pods(t, server)

	change(t, server, func() { server.Spec.Pod.Image = "localhost/there-is:no-such-image" })
	first := brokenPods(t, server, 1)
	eventually(t, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(server), server))
		ready := condition(server, v1alpha1.ConditionReady)
		if ready == nil || ready.Status == metav1.ConditionTrue || ready.ObservedGeneration != server.Generation || !strings.Contains(ready.Message, first[0]) {
			return fmt.Sprintf("Ready does not tell of %s: %+v", first[0], ready)
		}
		return ""
	})
	second := slices.IndexFunc(before, func(p corev1.Pod) bool { return deploymentOf(&p) != first[0] })
	must(t, kube.Delete(soon(t), &before[second]))
	brokenPods(t, server, 2)
	for range 10 { // two replicas are away, and the one that is left takes all
		eventually(t, func() string { return loginProblem(t, c) })
	}

	change(t, server, func() { server.Spec.Pod.Image = "" })
	took := within(t, deedLimit, func() string { return notReady(t, server) })
	allServe(t, server, deedLimit, nil)
	figures.Record(t, fmt.Sprintf("Two broken slots of three were healed by the corrected spec in %s", figures.Rounded(took)))
	unchanged := 0
	for _, p := range pods(t, server) {
		if slices.ContainsFunc(before, func(b corev1.Pod) bool { return b.UID == p.UID }) {
			unchanged++
		}
	}
	if unchanged != 1 {
		t.Errorf("%d pods are the same as before, want the one that never broke", unchanged)
	}
	reached(t, c)
}

// deploymentOf is the name of the Deployment that a pod belongs to.
func deploymentOf(p *corev1.Pod) string {
	owner := metav1.GetControllerOf(p)
	return withoutHash(owner.Kind, owner.Name)
}

// brokenPods waits until exactly so many Deployments have a pod that can't start,
// and all others serve. It returns their names.
func brokenPods(t *testing.T, s *v1alpha1.FTPServer, n int) (names []string) {
	t.Helper()
	within(t, deedLimit, func() string {
		broken, serve := map[string]bool{}, 0
		for _, p := range pods(t, s) {
			for _, c := range p.Status.ContainerStatuses {
				if w := c.State.Waiting; w != nil && strings.Contains(w.Reason, "Image") {
					broken[deploymentOf(&p)] = true
				}
			}
			if isReady(&p) {
				serve++
			}
		}
		names = slices.Sorted(maps.Keys(broken))
		if len(names) > n {
			t.Fatalf("%v are broken, and were to be %d", names, n)
		}
		if want := int(ptr.Deref(s.Spec.Replicas, 1)) - n; len(names) < n || serve != want {
			return fmt.Sprintf("%v are broken and %d pods serve, want %d and %d", names, serve, n, want)
		}
		return ""
	})
	return names
}

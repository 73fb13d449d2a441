package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
)

// quietPasses is how many passes over each server must change nothing.
const quietPasses = 60

// leaseEvery is how often the operator renews its lease, by PUT.
const leaseEvery = 2 * time.Second

// TestQuiet: where nothing changes, the operator writes nothing, however often
// it looks. It is made to look every second; servers and users are in many
// states. It does not run beside other tests, as what it counts are all of the
// operator's requests.
func TestQuiet(t *testing.T) {
	ns := newNamespace(t)
	alone(t, ns)
	servers, all := manyStates(t, ns)
	pod, restore := restartOperator(t, "--resync-interval=1s")
	defer restore()
	for _, o := range all {
		settled(t, o)
	}
	passes := func(m metrics) int {
		n, _ := m.passes("ftpserver")
		return n
	}
	// The first pass after the last change is not a repetition yet.
	start := passes(operatorMetrics(t, pod))
	awaitPasses(t, func() int { return passes(operatorMetrics(t, pod)) }, start+5*servers)

	began, before, objects := time.Now(), operatorMetrics(t, pod), versions(t, ns)
	awaitPasses(t, func() int { return passes(operatorMetrics(t, pod)) }, passes(before)+quietPasses*servers)
	after := operatorMetrics(t, pod)

	made := since(before.requests(), after.requests())
	figures.Record(t, fmt.Sprintf("%d passes over %d servers, %d objects in the namespace; requests: %v", passes(after)-passes(before), servers, len(objects), made))
	for method, n := range made {
		switch method {
		case "GET":
		case "PUT":
			if most := int(time.Since(began)/leaseEvery) + 2; n > most {
				t.Errorf("%d PUT requests are more than the %d that the lease takes", n, most)
			}
		default:
			t.Errorf("The operator made %d %s requests", n, method)
		}
	}
	if after.sum(processStart) != before.sum(processStart) {
		t.Error("The operator was restarted meanwhile")
	}
	if n := after.sum("controller_runtime_reconcile_errors_total") - before.sum("controller_runtime_reconcile_errors_total"); n > 0 {
		t.Errorf("%v passes failed", n)
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(objects)), func(name string) bool { return strings.HasPrefix(name, "Event ") }) {
		t.Error("The operator's events are not recognised")
	}
	for _, difference := range differences(objects, versions(t, ns)) {
		t.Error(difference)
	}
}

// alone waits until the namespaces of earlier tests are gone: what leaves there
// keeps the operator at work.
func alone(t *testing.T, ns string) {
	t.Helper()
	eventually(t, func() string {
		var list corev1.NamespaceList
		must(t, kube.List(soon(t), &list))
		for _, n := range list.Items {
			if strings.HasPrefix(n.Name, "ftp-e2e-") && n.Name != ns {
				return n.Name + " is still there"
			}
		}
		return ""
	})
}

// manyStates makes servers and users in many states, and returns how many
// servers there are, and all that is to come to rest.
func manyStates(t *testing.T, ns string) (servers int, all []client.Object) {
	t.Helper()
	balanced, ported, stopped := newServer(ns, "balanced"), newServer(ns, "ported"), newServer(ns, "stopped")
	ported.Spec.Service.Type = v1alpha1.ServiceNodePort
	stopped.Spec.Service.Type = v1alpha1.ServiceClusterIP
	stopped.Spec.Replicas = new(int32)
	claimless := newServer(ns, "claimless")
	claimless.Spec.Service.Type = v1alpha1.ServiceClusterIP
	claimless.Spec.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "there-is-none"}}
	taken := newServer(ns, "taken") // its Service's name is somebody else's
	create(t, &corev1.Service{ObjectMeta: objectMeta(ns, "taken"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})

	good, suspended := newUser(ns, "good", "balanced"), newUser(ns, "suspended", "balanced")
	suspended.Spec.Login = v1alpha1.LoginSuspended
	first, second := newUser(ns, "first", "ported"), newUser(ns, "second", "ported")
	first.Spec.Username, second.Spec.Username = "shared", "shared"
	homeless, resting := newUser(ns, "homeless", "there-is-none"), newUser(ns, "resting", "stopped")
	wordless := newUser(ns, "wordless", "balanced")
	wordless.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "there-is-none"}

	all = []client.Object{balanced, ported, stopped, claimless, taken, good, suspended, first}
	create(t, all...)
	ready(t, first) // it is the older one
	late := []client.Object{second, homeless, resting, wordless}
	create(t, late...)
	return 5, append(all, late...)
}

// settled waits until the object's conditions are about its newest generation,
// and until it is ready, where it can be.
func settled(t *testing.T, o client.Object) {
	t.Helper()
	never := map[string]bool{"claimless": true, "taken": true, "second": true, "homeless": true, "wordless": true}
	if !never[o.GetName()] {
		ready(t, o)
		return
	}
	eventually(t, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(o), o))
		c := condition(o, v1alpha1.ConditionReady)
		if c == nil || c.Status == metav1.ConditionTrue || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Sprintf("%s is not told why it is not ready: %+v", o.GetName(), c)
		}
		return ""
	})
}

func awaitPasses(t *testing.T, now func() int, want int) {
	t.Helper()
	eventually(t, func() string {
		if n := now(); n < want {
			return fmt.Sprintf("%d of %d passes", n, want)
		}
		return ""
	})
}

// versions are the resource versions of all objects of a namespace, of every
// kind that the cluster knows. Of the events, only the operator's count: the
// cluster repeats some of its own.
func versions(t *testing.T, ns string) map[string]string {
	t.Helper()
	out := map[string]string{}
	kinds, err := namespacedKinds()
	must(t, err)
	objects, err := metadata.NewForConfig(quietly())
	must(t, err)
	for _, kind := range kinds {
		if kind.Resource == "events" {
			continue
		}
		list, err := objects.Resource(kind).Namespace(ns).List(soon(t), metav1.ListOptions{})
		must(t, err)
		for _, o := range list.Items {
			out[kind.GroupResource().String()+" "+o.Name] = o.ResourceVersion
		}
	}
	var events eventsv1.EventList
	must(t, kube.List(soon(t), &events, client.InNamespace(ns)))
	for _, e := range events.Items {
		if e.ReportingController == "ftp-operator" {
			out["Event "+e.Name] = e.ResourceVersion
		}
	}
	return out
}

func differences(before, after map[string]string) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now, there := after[name]; !there {
			out = append(out, name+" is gone")
		} else if now != before[name] {
			out = append(out, name+" was written")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, there := before[name]; !there {
			out = append(out, name+" is new")
		}
	}
	return out
}

package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// reachesUsers adds a user and waits until the server's pods are given it.
func reachesUsers(t *testing.T, namespace, name string) {
	t.Helper()
	create(t, newUser(namespace, name, "files"))
	login(t, namespace, "files", name)
}

// The Service of the replicas' names is that of another FTPServer, as releases
// without a front allowed. It holds up nothing but a front.
func TestSlotsNameIsAnotherServers(t *testing.T) {
	ns := namespace(t)
	other := newServer(ns, "files-slots")
	create(t, other)
	theirs := &corev1.Service{}
	eventually(t, func() error {
		return kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-slots"}, theirs)
	})
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reachesUsers(t, ns, "alice")
	quiet(t, ns, "files")

	change(t, server, withFront)
	frontAwaits(t, server, "Service files-slots")
	reachesUsers(t, ns, "bob")
	leadsTo(t, ns, "ftp")
	before := whole(t, theirs)

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Front = nil })
	reaches(t, server, kstatus.CurrentStatus)
	if after := whole(t, theirs); after != before {
		t.Errorf("the other server's Service was changed from\n%s to\n%s", before, after)
	}

	change(t, server, withFront)
	remove(t, other)
	gone(t, other)
	takesSlotsName(t, server, func() { deleteOwned(t, ns, other.UID) }) // a pass of its that was under way may make it once more
	runFront(t, ns, "front-a", "10.9.0.1")
	reportFront(t, ns, 2)
	leadsTo(t, ns, "front")
	reaches(t, server, kstatus.CurrentStatus)
}

// One that is on its way out holds up nothing either, and the server's own follows.
func TestSlotsNameIsLeaving(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	theirs := theirs(t, ns, "Service files-slots")
	theirs.SetFinalizers([]string{"example.com/slow"})
	create(t, theirs)
	remove(t, theirs)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reachesUsers(t, ns, "alice")
	c := says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildLeaving)
	if !strings.Contains(c.Message, "Service files-slots") {
		t.Errorf("the message is %s", c.Message)
	}
	clearFinalizers(t, theirs)
	takesSlotsName(t, server, func() {})
	reaches(t, server, kstatus.CurrentStatus)
}

// takesSlotsName waits until the Service of the slots is the server's own, while
// the collector takes what is left of another.
func takesSlotsName(t *testing.T, server *v1alpha1.FTPServer, collect func()) {
	t.Helper()
	eventually(t, func() error {
		collect()
		reconcileAll(t, server.Namespace, server.Name) // the operator itself looks again after pollNoted
		var svc corev1.Service
		err := kube.Get(t.Context(), client.ObjectKey{Namespace: server.Namespace, Name: "files-slots"}, &svc)
		if err == nil && !metav1.IsControlledBy(&svc, server) {
			err = errors.New("the Service files-slots is still another's")
		}
		return err
	})
}

// What has the name of the front's Deployment holds up nothing else either.
func TestFrontNameTaken(t *testing.T) {
	for _, child := range []string{"Deployment files-front", "NetworkPolicy files-front"} {
		t.Run(child, func(t *testing.T) {
			t.Parallel()
			ns, theirs, before := taken(t, child)
			server := newServer(ns, "files", withFront)
			create(t, server)
			runPods(t, ns, "files")
			frontAwaits(t, server, child)
			reachesUsers(t, ns, "alice")
			leadsTo(t, ns, "ftp")
			if after := whole(t, theirs); after != before {
				t.Errorf("it was changed from\n%s to\n%s", before, after)
			}
		})
	}
}

// A Service that takes the name between the operator's look and its write is left
// alone, and the server goes on.
func TestSlotsNameTakenMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := theirs(t, w.namespace, "Service files-slots")
	before := ""
	w.wire.before = func(_ string, o client.Object) {
		if before == "" && o.GetName() == other.GetName() && strings.HasSuffix(kindOf(o), "Service") {
			create(t, other)
			before = whole(t, other)
		}
	}
	w.create(w.newServer())
	w.settle()
	if before == "" {
		t.Fatal("the operator did not make the Service")
	}
	serverReady(w)
	if after := whole(t, other); after != before {
		t.Errorf("it was changed from\n%s to\n%s", before, after)
	}
	for _, p := range w.problems {
		t.Error(p)
	}
}

// frontAwaits finds that the server is told to lack a name, and that no front of
// its own is there.
func frontAwaits(t *testing.T, server *v1alpha1.FTPServer, child string) {
	t.Helper()
	c := says(t, server, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameTaken)
	if !strings.Contains(c.Message, child+" (for the front only)") {
		t.Errorf("the message does not name %s: %s", child, c.Message)
	}
	eventually(t, func() error { // the replica was yet to run
		c := says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
		if !strings.Contains(c.Message, "clients go to the replicas directly") {
			return fmt.Errorf("the message is %s", c.Message)
		}
		return nil
	})
	var d appsv1.Deployment
	err := kube.Get(t.Context(), client.ObjectKey{Namespace: server.Namespace, Name: "files-front"}, &d)
	if !apierrors.IsNotFound(err) && (err != nil || metav1.IsControlledBy(&d, server)) {
		t.Errorf("there is a front: %v", err)
	}
}

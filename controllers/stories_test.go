package controllers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

func parseGVK(kind string) schema.GroupVersionKind {
	parts := strings.Split(kind, "/")
	n := len(parts)
	return schema.FromAPIVersionAndKind(strings.Join(parts[:n-1], "/"), parts[n-1])
}

// A server and a user are applied, the pod starts, both become Current, and
// from then on nothing is written any more.
func TestFromApplyToReadyAndQuiet(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
	reaches(t, server, kstatus.InProgressStatus)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)

	get(t, ns, "files", server)
	if server.Status.Replicas != 1 || server.Status.Users != 1 || len(server.Status.Addresses) != 1 || server.Status.CARef.Name != "files-ca" {
		t.Errorf("status is %+v", server.Status)
	}
	get(t, ns, "alice", user)
	if user.Status.Username != "alice" || user.Status.PasswordSecretRef.Name != "alice-password" {
		t.Errorf("status is %+v", user.Status)
	}
	quiet(t, ns, "files")
}

// quiet forces ten more passes and finds that no resourceVersion moves.
func quiet(t *testing.T, namespace, server string) {
	t.Helper()
	settled := settle(t, namespace, server)
	start := time.Now()
	for range 10 {
		reconcileAll(t, namespace, server)
	}
	serverReconciler.forget(client.ObjectKey{Namespace: namespace, Name: server})
	reconcileAll(t, namespace, server) // as a new process, which remembers nothing
	unmoved(t, namespace, settled, start)
}

// settle forces passes until what had to be done is done, and returns the
// resourceVersions then.
func settle(t *testing.T, namespace, server string) map[string]string {
	t.Helper()
	settled := versions(t, namespace)
	eventually(t, func() error { // events are written behind the passes
		was := settled
		reconcileAll(t, namespace, server)
		settled = versions(t, namespace)
		if !maps.Equal(was, settled) {
			return fmt.Errorf("something moved")
		}
		return nil
	})
	return settled
}

// unmoved fails the test where something was written, removed or made since
// the namespace was settled, by what was done from start on.
func unmoved(t *testing.T, namespace string, settled map[string]string, start time.Time) {
	t.Helper()
	now := versions(t, namespace)
	for name, version := range now {
		if settled[name] != version && !toldBefore(t, namespace, name, start) {
			t.Errorf("%s was written again: %q, then %q", name, settled[name], version)
		}
	}
	for name := range settled {
		if _, there := now[name]; !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// toldBefore tells whether an object is an event of what happened before: those
// are written behind the passes, late where the machine is busy.
func toldBefore(t *testing.T, namespace, object string, start time.Time) bool {
	t.Helper()
	name, isEvent := strings.CutPrefix(object, "Event/")
	if !isEvent {
		return false
	}
	var e eventsv1.Event
	get(t, namespace, name, &e)
	return e.EventTime.Time.Before(start)
}

// An edit that leaves the server Ready is no event; a transition is one.
func TestEventsTellOfTransitionsOnly(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	for _, level := range []v1alpha1.LogLevel{v1alpha1.LogDebug, v1alpha1.LogWarn} {
		change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = level })
		says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
	pods.set(t, func() { pods.silent[host(ns, "files")] = true })
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Logging.Level = v1alpha1.LogInfo })
	var told []eventsv1.Event
	eventually(t, func() error { // events are written behind the passes
		var list eventsv1.EventList
		if err := kube.List(t.Context(), &list, client.InNamespace(ns)); err != nil {
			return err
		}
		told = list.Items
		if !slices.ContainsFunc(told, func(e eventsv1.Event) bool { return e.Reason == string(v1alpha1.ReasonStatusUnreachable) }) {
			return errors.New("the last transition is not told yet")
		}
		return nil
	})
	ready := 0
	for _, e := range told {
		if e.Reason == string(v1alpha1.ReasonReady) {
			ready++
		}
		if e.Series != nil {
			t.Errorf("%s was told %d times", e.Reason, e.Series.Count)
		}
	}
	if ready != 1 {
		t.Errorf("Ready was told %d times", ready)
	}
}

func TestScaledToZeroIsReady(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	pod := runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Replicas = new(int32) })
	eventually(t, func() error {
		var d appsv1.Deployment
		get(t, ns, "files-0", &d)
		if *d.Spec.Replicas != 0 {
			return fmt.Errorf("the Deployment still has %d", *d.Spec.Replicas)
		}
		return nil
	})
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
	remove(t, pod)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScaledToZero)
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

func TestSilentPodIsUnknownAndNotFalse(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	pods.set(t, func() { pods.silent[host(ns, "files")] = true })
	wake(t, ns)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonStatusUnreachable)
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionUnknown, v1alpha1.ReasonStatusUnreachable)
	pods.set(t, func() { delete(pods.silent, host(ns, "files")) })
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
}

func TestRefusalIsTold(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	pods.set(t, func() { pods.refusing[host(ns, "files")] = "passive.range: not today" })
	reconcileAll(t, ns, "files")
	c := says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonRefused)
	if !strings.Contains(c.Message, "passive.range: not today") {
		t.Errorf("the message leaves out the pod's: %s", c.Message)
	}
}

// A pod that holds old content is poked again and again, with a new value each
// time, until it tells that it has the new; a user that it has loaded is
// Programmed before the server is.
func TestPodsArePokedUntilTheyHaveLoaded(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	pod := runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	if value := pod.Annotations[render.AnnotationPoked]; value != "" {
		t.Errorf("a pod that is up to date was poked: %s", value)
	}
	pods.freeze(t, ns, "files")
	user := newUser(ns, "alice", "files")
	create(t, user)
	var seen []string
	eventually(t, func() error {
		get(t, ns, pod.Name, pod)
		if v := pod.Annotations[render.AnnotationPoked]; v != "" && !slices.Contains(seen, v) {
			seen = append(seen, v)
		}
		if len(seen) < 3 {
			return fmt.Errorf("poked %d times: %v", len(seen), seen)
		}
		return nil
	})
	says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonPending)
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonPending)
	pods.thaw(t, ns, "files")
	reaches(t, user, kstatus.CurrentStatus)
	reaches(t, server, kstatus.CurrentStatus)
}

// checkNodePorts finds that each passive port of the Service has the number of
// its node port, and that the configuration announces it.
func TestPodTemplateStaysWhenOnlyContentChanges(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	var d appsv1.Deployment
	get(t, ns, "files-0", &d)
	generation := d.Generation
	create(t, newUser(ns, "alice", "files"))
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.TLS.Mode = v1alpha1.TLSOptional
		s.Spec.Passive.FirstPort, s.Spec.Passive.PortsPerReplica = 40000, 64
		s.Spec.Limits.SessionsPerReplica = 5
		s.Spec.Logging.Level = v1alpha1.LogDebug
		s.Spec.Service.Port = 2121
	})
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files-0", &d)
	if d.Generation != generation {
		t.Error("the Deployment was changed: its pod would be replaced")
	}
	if c := serverConfig(t, ns, "files"); len(c.Passive.Ports) != 64 || c.Limits.Sessions != 5 || c.Log.Level != "Debug" {
		t.Errorf("the configuration is %+v", c)
	}
}

// A volume that its class does not let grow is told of, and holds up nothing
// else.
func TestVolumeThatCannotGrow(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	change(t, server, func(s *v1alpha1.FTPServer) {
		size := resource.MustParse("2Gi")
		s.Spec.Storage.Volume.Size, s.Spec.Logging.Level = &size, v1alpha1.LogDebug
	})
	c := says(t, server, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonChildRejected)
	if !strings.Contains(c.Message, "PersistentVolumeClaim files-data") {
		t.Errorf("the message does not name the claim: %s", c.Message)
	}
	if level := serverConfig(t, ns, "files").Log.Level; level != "Debug" {
		t.Errorf("the log level stayed %s", level)
	}
}

func TestExistingClaim(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Storage.Volume = &v1alpha1.VolumeSpec{ExistingClaimRef: &v1alpha1.LocalReference{Name: "theirs"}}
	})
	create(t, server)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonClaimNotFound)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "theirs"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *newServer(ns, "x").Spec.Storage.Volume.Size}
	create(t, claim)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolvedRefs)
	get(t, ns, "theirs", claim)
	if len(claim.Labels)+len(claim.OwnerReferences) > 0 {
		t.Errorf("the claim was touched: %v %v", claim.Labels, claim.OwnerReferences)
	}
	var none corev1.PersistentVolumeClaim
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "files-data"}, &none); err == nil {
		t.Error("a second claim was made")
	}
}

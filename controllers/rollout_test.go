package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// No status tells Ready of a generation whose rollout has yet to begin.
func TestNotReadyBeforeTheRolloutBegins(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files", server)
	seen, err := kube.Watch(t.Context(), &v1alpha1.FTPServerList{}, client.InNamespace(ns),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: server.ResourceVersion}})
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Stop()
	for _, note := range []string{"a", "b", "c"} {
		change(t, server, func(s *v1alpha1.FTPServer) {
			s.Spec.Pod.Annotations = map[string]string{"example.com/note": note}
		})
		for e := range seen.ResultChan() {
			s, ok := e.Object.(*v1alpha1.FTPServer)
			if !ok {
				t.Fatalf("the watch told %v", e.Object)
			}
			if s.Status.ObservedGeneration < server.Generation {
				continue
			}
			if meta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionReady) {
				t.Fatal("Ready before the Deployment was acted on")
			}
			break
		}
		says(t, server, v1alpha1.ConditionWorkloadAvailable, metav1.ConditionFalse, v1alpha1.ReasonRollingOut)
		var d appsv1.Deployment
		get(t, ns, "files-0", &d)
		reportDeployment(t, &d, 1)
		reaches(t, server, kstatus.CurrentStatus)
	}
}

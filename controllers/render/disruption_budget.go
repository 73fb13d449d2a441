package render

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// disruptionBudget has node drains take one replica at a time, or is nil where
// there are not several.
func disruptionBudget(in Input) *policyv1.PodDisruptionBudget {
	return budget(in.Server, DisruptionBudgetName(in.Server.Name), ScaleSelector(in.Server.Name), toRun(in))
}

// budget has one of so many pods be missing, or is nil where there are not several.
// It says how many are to be left, and not how many may be missing: by the latter
// Kubernetes counts the pods that there are, and of a slot that has none it would
// let a drain take another. A pod that is not ready may go at any time: it serves
// nobody, and would hold up the drain for as long as it is broken.
// https://kubernetes.io/docs/tasks/run-application/configure-pdb/
func budget(s *v1alpha1.FTPServer, name string, pods *metav1.LabelSelector, run int) *policyv1.PodDisruptionBudget {
	if run < 2 {
		return nil
	}
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: child(s, name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable:               ptr.To(intstr.FromInt(run - 1)),
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
			Selector:                   pods,
		},
	}
}

// toRun is how many slots run or are about to. The spec may ask for more than the
// volume can have: by its number, no drain would ever end.
func toRun(in Input) int {
	n := 0
	for _, d := range in.Deployments {
		if d.Slot < Replicas(in.Server) {
			n++
		}
	}
	return n
}

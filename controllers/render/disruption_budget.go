package render

import (
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// disruptionBudget has node drains take one replica at a time, or is nil where
// there are not several. A pod that is not ready may go at any time: it serves
// nobody, and would hold up the drain for as long as it is broken.
// https://kubernetes.io/docs/tasks/run-application/configure-pdb/
func disruptionBudget(s *v1alpha1.FTPServer) *policyv1.PodDisruptionBudget {
	if Replicas(s) < 2 {
		return nil
	}
	return budget(s, DisruptionBudgetName(s.Name), ScaleSelector(s.Name))
}

// budget lets one of the pods be unavailable.
func budget(s *v1alpha1.FTPServer, name string, pods *metav1.LabelSelector) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: child(s, name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             ptr.To(intstr.FromInt32(1)),
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
			Selector:                   pods,
		},
	}
}

package render

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// spread is over nodes where the spec says nothing, without keeping a pod from
// running. Constraints without a selector are about the pods of the server.
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
func spread(s *v1alpha1.FTPServer) []corev1.TopologySpreadConstraint {
	given := s.Spec.Pod.TopologySpreadConstraints
	if given == nil {
		given = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		}}
	}
	out := make([]corev1.TopologySpreadConstraint, len(given))
	for i, c := range given {
		if c.LabelSelector == nil {
			c.LabelSelector = ScaleSelector(s.Name)
		}
		out[i] = c
	}
	return out
}

// affinity has the pods prefer zones where none of the server runs, unless the spec
// says something. It is no constraint like that over nodes: where nodes have no zone,
// the scheduler would then leave both out of account.
func affinity(s *v1alpha1.FTPServer) *corev1.Affinity {
	if given := s.Spec.Pod.Affinity; given != nil {
		return given
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
			awayFrom(ScaleSelector(s.Name), corev1.LabelTopologyZone, 100),
		},
	}}
}

// awayFrom has a pod prefer, by a weight from 1 to 100, nodes where none of the pods
// runs on one with the same value of a label.
func awayFrom(pods *metav1.LabelSelector, label string, weight int32) corev1.WeightedPodAffinityTerm {
	return corev1.WeightedPodAffinityTerm{
		Weight: weight, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: label, LabelSelector: pods},
	}
}

package render

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// failoverAfter is how long, in seconds, a pod stays bound to a node that no
// longer answers, where another node can mount the volume. Kubernetes' default is
// 300. A node that is only cut off for a moment should not lose its pods.
const failoverAfter = 30

// tolerations are those of the spec, and on a shared volume a shorter stay on a
// node that is gone. A volume that one node has is not let go by a node that does
// not answer: a pod elsewhere would wait for it, and nothing be won. It goes by
// the volume and not by the replicas, so that scaling replaces no pod.
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
func tolerations(in Input) []corev1.Toleration {
	out := in.Server.Spec.Pod.Tolerations
	if !in.SharedVolume {
		return out
	}
	out = slices.Clone(out)
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if slices.ContainsFunc(in.Server.Spec.Pod.Tolerations, func(t corev1.Toleration) bool { return speaksOf(t, taint) }) {
			continue
		}
		out = append(out, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](failoverAfter),
		})
	}
	return out
}

// speaksOf tells whether a toleration is about a taint that evicts: then the spec
// has said how long.
func speaksOf(t corev1.Toleration, taint string) bool {
	return (t.Key == taint || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
}

package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// perPod is what is remembered of each pod, by server. It has no lock of its own.
type perPod[T any] map[client.ObjectKey]map[types.UID]T

func (p perPod[T]) put(server client.ObjectKey, pod *corev1.Pod, of T) {
	if p[server] == nil {
		p[server] = map[types.UID]T{}
	}
	p[server][pod.UID] = of
}

// only forgets the pods of a server that are not among those that are still there.
func (p perPod[T]) only(server client.ObjectKey, still []*corev1.Pod) {
	kept := map[types.UID]T{}
	for _, pod := range still {
		if of, ok := p[server][pod.UID]; ok {
			kept[pod.UID] = of
		}
	}
	if len(kept) == 0 {
		delete(p, server)
		return
	}
	p[server] = kept
}

package controllers

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// patience is for how long the last answer of a pod that does not answer now
// still counts. A node that is busy for a moment is no news: without it, one slow
// second takes Ready from a server and all its users, and gives it back.
const patience = 5 * time.Second

// recent holds the last answer of each pod. What a process has loaded it keeps,
// so an answer is good for as long as its containers are the same.
type recent struct {
	mu   sync.Mutex
	pods perPod[recentAnswer]
}

type recentAnswer struct {
	status     *config.Status
	at         time.Time
	containers string
}

func newRecent() *recent {
	return &recent{pods: perPod[recentAnswer]{}}
}

// keep notes an answer.
func (r *recent) keep(server client.ObjectKey, pod *corev1.Pod, status *config.Status, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods.put(server, pod, recentAnswer{status, now, containers(pod)})
}

// of returns the last answer of a pod, or nil if it is too old.
func (r *recent) of(server client.ObjectKey, pod *corev1.Pod, now time.Time) *config.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.pods[server][pod.UID]
	if !ok || now.Sub(last.at) > patience || last.containers != containers(pod) {
		return nil
	}
	return last.status
}

// only forgets the pods of a server that are gone.
func (r *recent) only(server client.ObjectKey, still []*corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods.only(server, still)
}

func (r *recent) forget(server client.ObjectKey) { r.only(server, nil) }

// containers names the runs of a pod's containers: a container that is started
// again is another.
func containers(pod *corev1.Pod) string {
	names := ""
	for _, c := range pod.Status.ContainerStatuses {
		names += c.ContainerID + "\n"
	}
	return names
}

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// sharedClass is the StorageClass whose volumes every node mounts.
const sharedClass = "shared"

// severalNodes leaves the test out where the cluster has not what replicas on
// several nodes need, or the tests can't reach into the nodes.
func severalNodes(t *testing.T) []corev1.Node {
	t.Helper()
	var nodes corev1.NodeList
	must(t, kube.List(soon(t), &nodes))
	if len(nodes.Items) < 2 {
		t.Skip("needs a cluster of two nodes: bring it up with NODES=2")
	}
	if len(node) == 0 {
		t.Skip("FTP_NODE does not say how to run a program in a node")
	}
	if err := kube.Get(soon(t), client.ObjectKey{Name: sharedClass}, &storagev1.StorageClass{}); err != nil {
		t.Skipf("needs a StorageClass %q whose volumes every node mounts: %v", sharedClass, err)
	}
	return nodes.Items
}

// replicated makes a server one of several replicas, for serving.
func replicated(n int32) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		s.Spec.Replicas = ptr.To(n)
		s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ExternalTrafficCluster
		s.Spec.Storage.Volume.StorageClassName = ptr.To(sharedClass)
		s.Spec.Storage.Volume.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	}
}

// portSlots are the slots that the Service's passive ports lead to, by number.
func portSlots(t *testing.T, s *v1alpha1.FTPServer) map[int]int {
	t.Helper()
	var service corev1.Service
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name), &service))
	out := map[int]int{}
	for _, p := range service.Spec.Ports {
		var slot, i int
		if _, err := fmt.Sscanf(p.Name, "s%dp%d", &slot, &i); err == nil {
			out[int(p.Port)] = slot
		}
	}
	return out
}

// slotOf is the slot of a pod.
func slotOf(t *testing.T, p *corev1.Pod) (slot int) {
	t.Helper()
	_, err := fmt.Sscan(p.Labels["ftp-operator.io/slot"], &slot)
	must(t, err)
	return slot
}

// allServe waits until the replicas of the spec serve, no other pod is there, and
// the server says so. more, if given, says what a pod lacks besides.
func allServe(t *testing.T, s *v1alpha1.FTPServer, limit time.Duration, more func(corev1.Pod) string) {
	t.Helper()
	within(t, limit, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(s), s))
		if problem := notServing(t, s, int(ptr.Deref(s.Spec.Replicas, 1))); problem != "" || more == nil {
			return problem
		}
		for _, p := range pods(t, s) {
			if problem := more(p); problem != "" {
				return problem
			}
		}
		return ""
	})
	within(t, limit, func() string { return notReady(t, s) })
}

// notServing looks once, and says why not exactly so many pods serve.
func notServing(t *testing.T, s *v1alpha1.FTPServer, n int) string {
	t.Helper()
	all := pods(t, s)
	if len(all) != n {
		return fmt.Sprintf("there are %d pods, want %d", len(all), n)
	}
	for _, p := range all {
		if !isReady(&p) {
			return p.Name + " is not ready"
		}
	}
	return ""
}

// containers are those that run or have run last, by pod.
func containers(all []corev1.Pod) map[string]string {
	out := map[string]string{}
	for _, p := range all {
		for _, s := range p.Status.ContainerStatuses {
			out[p.Name] = s.ContainerID
		}
	}
	return out
}

// signalServer sends a signal to the server's process in a pod, past the kubelet.
func signalServer(t *testing.T, p *corev1.Pod, name string) {
	t.Helper()
	inNode(t, p, findProcess+`kill -s "$3" "$pid"`, string(p.UID), "ftpserver", name)
}

// onVolume are the SHA-256 sums, in hex, of the files that users see on the
// server's shared volume, by path.
func onVolume(t *testing.T, s *v1alpha1.FTPServer) map[string]string {
	t.Helper()
	var claim corev1.PersistentVolumeClaim
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name+"-data"), &claim))
	var volume corev1.PersistentVolume
	must(t, kube.Get(soon(t), client.ObjectKey{Name: claim.Spec.VolumeName}, &volume))
	if volume.Spec.HostPath == nil {
		t.Fatalf("The volume %s is not a directory of the nodes", volume.Name)
	}
	const script = `cd "$1" && find . -type f ! -name '.ftpserver-*' -exec sha256sum {} +`
	out := map[string]string{}
	for line := range strings.Lines(inNode(t, &pods(t, s)[0], script, volume.Spec.HostPath.Path)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  .")
		if !ok {
			t.Fatalf("sha256sum says %q", line)
		}
		out[name] = sum
	}
	return out
}

// drainNode does to the server's pods what kubectl drain does to all: the node
// takes no new ones, and each is evicted as soon as the disruption budget lets
// it. allow lets pods be scheduled again, at the latest when the test ends.
func drainNode(t *testing.T, s *v1alpha1.FTPServer, name string, limit time.Duration) (allow func()) {
	t.Helper()
	cordon := func(ctx context.Context, on bool) error {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		return kube.Patch(ctx, n, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, on)))
	}
	allow = func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := cordon(ctx, false); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(allow)
	must(t, cordon(soon(t), true))
	within(t, limit, func() string {
		left := 0
		for _, p := range pods(t, s) {
			if p.Spec.NodeName != name {
				continue
			}
			if left++; p.DeletionTimestamp != nil {
				continue
			}
			err := clients.CoreV1().Pods(p.Namespace).EvictV1(soon(t), &policyv1.Eviction{ObjectMeta: objectMeta(p.Namespace, p.Name)})
			if err != nil && !apierrors.IsTooManyRequests(err) && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
		}
		if left > 0 {
			return fmt.Sprintf("%d pods are still on %s", left, name)
		}
		return ""
	})
	return allow
}

// stopOperator scales the operator away. resume brings it back, at the latest
// when the test ends, and waits for it.
func stopOperator(t *testing.T) (resume func()) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	must(t, kube.Get(soon(t), key(operatorNamespace, "ftp-operator"), deployment))
	before := ptr.Deref(deployment.Spec.Replicas, 1)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, before)
		if err := kube.Patch(ctx, deployment, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			t.Error(err)
		}
	})
	scaleOperator(t, 0)
	return func() { scaleOperator(t, before) }
}

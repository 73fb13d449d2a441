package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// takeover is how long a lease may stay with a leader that is gone, and a change
// may wait: the lease's 15 seconds, and some for the work itself. It is told, not
// enforced: the machine may be a busy one.
const takeover = 20 * time.Second

// TestLeaderFails: two replicas of the operator share a lease. When the one that
// holds it is killed, or hangs, the work goes on elsewhere: a change that is made
// meanwhile takes effect, nothing is written that need not be, and FTP does not
// notice. It does not run beside other tests, as they count on one pod.
func TestLeaderFails(t *testing.T) {
	if len(node) == 0 {
		t.Skip("FTP_NODE does not say how to run a command in a node")
	}
	quiet, alice := serving(t, nil)
	busy, _ := serving(t, nil)
	c := connection(t, ftpclient.Curl{}, quiet, alice)
	local := randomFile(t, 24<<20) // 24 seconds: it goes on while nobody leads
	must(t, c.Upload(soon(t), local, "/file"))
	defer scaleOperator(t, 1)
	for signal, sameProcess := range map[string]bool{"KILL": false, "STOP": true} {
		t.Run(signal, func(t *testing.T) {
			all := scaleOperator(t, 2)
			leader, holder := leaderOf(t, all)
			before := versions(t, quiet.Namespace)
			down := filepath.Join(t.TempDir(), "down")
			download, err := c.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/file", Local: down, Rate: 1 << 20})
			must(t, err)

			signalOperator(t, leader, signal)
			began := time.Now()
			bob := newUser(busy.Namespace, "bob-"+strings.ToLower(signal), busy.Name)
			create(t, bob)
			must(t, c.Upload(soon(t), local, "/meanwhile"))
			ready(t, bob)
			took := time.Since(began)

			figures.Record(t, fmt.Sprintf("SIG%s for the leader: a change took effect after %s (goal %s)", signal, took.Round(100*time.Millisecond), takeover))
			next, nextHolder := leaderOf(t, all)
			if nextHolder == holder {
				t.Fatalf("%s still holds the lease", holder)
			}
			if sameProcess { // it came back to nothing, and must know
				if next.UID == leader.UID {
					t.Fatalf("%s holds the lease, which hangs", nextHolder)
				}
				signalOperator(t, leader, "CONT")
				restarted(t, leader)
			}
			awaitPasses(t, func() int { n, _ := operatorMetrics(t, next).passes("ftpserver"); return n }, 2*2)
			for _, difference := range differences(before, versions(t, quiet.Namespace)) {
				t.Error(difference)
			}
			if _, err := download.Wait(); err != nil {
				t.Errorf("The download was cut: %v", err)
			}
			same(t, local, down)
		})
	}
}

// signalOperator sends a signal to the operator's process in this pod.
func signalOperator(t *testing.T, pod *corev1.Pod, signal string) {
	t.Helper()
	inNode(t, pod, findProcess+`kill -`+signal+` "$pid"`, string(pod.UID), "ftp-operator")
}

// scaleOperator waits until that many replicas of the operator are ready, and no
// other pod of it is left.
func scaleOperator(t *testing.T, replicas int32) (all []corev1.Pod) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	must(t, kube.Get(soon(t), key(operatorNamespace, "ftp-operator"), deployment))
	change(t, deployment, func() { deployment.Spec.Replicas = &replicas })
	eventually(t, func() string {
		var list corev1.PodList
		must(t, kube.List(soon(t), &list, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": "ftp-operator"}))
		all = list.Items
		if len(all) != int(replicas) {
			return fmt.Sprintf("the operator has %d pods", len(all))
		}
		for i := range all {
			if !isReady(&all[i]) {
				return all[i].Name + " is not ready"
			}
		}
		return ""
	})
	return all
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// leaderOf waits until one of these pods holds the lease, and returns it with its
// identity, which no other run of the program has.
func leaderOf(t *testing.T, all []corev1.Pod) (leader *corev1.Pod, identity string) {
	t.Helper()
	eventually(t, func() string {
		lease := &coordinationv1.Lease{}
		must(t, kube.Get(soon(t), key(operatorNamespace, "ftp-operator"), lease))
		if lease.Spec.HolderIdentity != nil {
			identity = *lease.Spec.HolderIdentity
		}
		for i := range all {
			if strings.HasPrefix(identity, all[i].Name+"_") {
				leader = &all[i]
				return ""
			}
		}
		return fmt.Sprintf("the lease is held by %q", identity)
	})
	return leader, identity
}

// restarted waits until the pod's container runs anew.
func restarted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	before := pod.Status.ContainerStatuses[0].RestartCount
	eventually(t, func() string {
		must(t, kube.Get(soon(t), client.ObjectKeyFromObject(pod), pod))
		if pod.Status.ContainerStatuses[0].RestartCount == before || !isReady(pod) {
			return pod.Name + " goes on as before"
		}
		return ""
	})
}

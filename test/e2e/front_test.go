package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

var noTime metav1.Duration

// TestFront: sessions go to the replica that has the fewest, also where one keeps
// its sessions for long; one that drains keeps its transfers and gets no new
// sessions; its next pod does. It is not parallel: no pod can start meanwhile.
func TestFront(t *testing.T) {
	server, user := serving(t, fronted(3, 1))
	c := newOpener(t, server, user)
	front := &frontPods(t, server)[0]
	size := c.slowFile("/slow")
	awaitFront(t, frontFound, front, map[int]int{0: 1, 1: 1, 2: 1})
	c.allThrough(*front)

	sessions := c.open(12)
	want(t, "at first", c.spread(sessions), map[int]int{0: 4, 1: 4, 2: 4})
	sessions = c.leave(c.leave(sessions, 1), 2)
	awaitFront(t, frontSees, front, map[int]int{0: 4})
	sessions = append(sessions, c.open(8)...)
	want(t, "after some have left", c.spread(sessions), map[int]int{0: 4, 1: 4, 2: 4})

	finish := slowDownload(t, sessions[0], "/slow", size) // on replica 0
	uncordon := cordon(t)
	for _, p := range slotPods(t, server) {
		if p.Labels["ftp-operator.io/slot"] == "0" {
			must(t, kube.Delete(soon(t), &p))
		}
	}
	awaitFront(t, frontUp, front, map[int]int{1: 1, 2: 1})
	want(t, "while one drains", c.spread(c.open(6)), map[int]int{1: 3, 2: 3})
	finish()
	uncordon()
	ready(t, server)
	awaitFront(t, frontFound, front, map[int]int{0: 1, 1: 1, 2: 1})
	awaitSessionOn(t, c, 0)
}

// awaitSessionOn waits until a new session is on the replica. Others that the
// front gives come to an end at once.
func awaitSessionOn(t *testing.T, c *opener, slot int) {
	t.Helper()
	eventually(t, func() string {
		s, err := c.try()
		if err != nil {
			return err.Error()
		}
		defer s.close()
		if got := c.slotOf(s); got != slot {
			return fmt.Sprintf("new sessions are on replica %d, want %d", got, slot)
		}
		return ""
	})
}

// TestFrontShares: sessions are shared out by weight, and a backup gets some only
// while no other replica takes any. It is not parallel, as above.
func TestFrontShares(t *testing.T) {
	server, user := serving(t, fronted(3, 1,
		v1alpha1.FrontSlot{Slot: ptr.To[int32](0), Weight: ptr.To[int32](200)},
		v1alpha1.FrontSlot{Slot: ptr.To[int32](2), Role: v1alpha1.FrontBackup}))
	c := newOpener(t, server, user)
	front := &frontPods(t, server)[0]
	awaitFront(t, frontFound, front, map[int]int{0: 1, 1: 1, 2: 1})
	c.allThrough(*front)
	sessions := c.open(9)
	want(t, "by weight", c.spread(sessions), map[int]int{0: 6, 1: 3})

	uncordon := cordon(t)
	for _, p := range slotPods(t, server) {
		if p.Labels["ftp-operator.io/slot"] != "2" {
			must(t, kube.Delete(soon(t), &p))
		}
	}
	awaitFront(t, frontUp, front, map[int]int{2: 1})
	want(t, "while the active ones are down", c.spread(c.open(3)), map[int]int{2: 3})
	uncordon()
	ready(t, server)
	awaitFront(t, frontFound, front, map[int]int{0: 1, 1: 1, 2: 1})
	if got := c.spread(c.open(6)); got[2] > 0 {
		t.Errorf("With the active ones back, the backup gets sessions: %v", got)
	}
}

var frontLine = regexp.MustCompile(`(?m)^(\S+:\d+) \[[^\]]*\] control slots/slot\d+ `)

// TestFrontTellsAddresses: the client in a server's log is the one that the front
// has seen, and its data connections, which do not come through the front, are
// known for its own.
func TestFrontTellsAddresses(t *testing.T) {
	t.Parallel()
	if len(inside) == 0 {
		t.Skip("FTP_INSIDE is not set: name a command that runs programs where ClusterIPs are reachable")
	}
	server, user := serving(t, func(s *v1alpha1.FTPServer) {
		fronted(2, 2)(s)
		s.Spec.Service = v1alpha1.ServiceSpec{Type: v1alpha1.ServiceClusterIP}
		s.Spec.Pod.NodeSelector = map[string]v1alpha1.LabelValue{corev1.LabelHostname: v1alpha1.LabelValue(insideNode(t))}
	})
	local := randomFile(t, 100_000)
	c := connection(t, ftpclient.Curl{}, server, user)
	c.Target.Prefix = inside
	reached(t, c)
	eventually(t, func() string {
		must(t, c.Upload(soon(t), local, "/file"))
		holds(t, c, "/file", local)
		// The front logs a session when it has ended.
		seen := frontLine.FindAllStringSubmatch(logs(t, frontPods(t, server)), -1)
		if len(seen) < 4 {
			return fmt.Sprintf("the front has logged %d sessions, want at least 4", len(seen))
		}
		servers := logs(t, slotPods(t, server))
		for _, m := range seen {
			if !strings.Contains(servers, `"client":"`+m[1]+`"`) {
				return "no server's log has the client " + m[1]
			}
		}
		return ""
	})
}

// insideNode is the node that FTP_INSIDE runs programs on: the first.
func insideNode(t *testing.T) string {
	t.Helper()
	var nodes corev1.NodeList
	must(t, kube.List(soon(t), &nodes))
	first := nodes.Items[0].Name
	for _, n := range nodes.Items {
		first = min(first, n.Name)
	}
	return first
}

// logs is what pods have written so far.
func logs(t *testing.T, pods []corev1.Pod) string {
	t.Helper()
	var all strings.Builder
	for _, p := range pods {
		text, err := clients.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(soon(t))
		must(t, err)
		all.Write(text)
	}
	return all.String()
}

// TestFrontSwitched: a front comes to a server that runs, and goes; transfers go
// on, and no replica is replaced.
func TestFrontSwitched(t *testing.T) {
	t.Parallel()
	server, user := serving(t, replicated(2))
	c := newOpener(t, server, user)
	before := slotPods(t, server)
	size := c.slowFile("/slow")
	sessions := c.open(2)
	finish := []func(){slowDownload(t, sessions[0], "/slow", size)}
	hurry, uploaded := make(chan struct{}), make(chan error, 1)
	go func() { uploaded <- sessions[1].store("/up", pacedReader{noise(), hurry}) }()

	change(t, server, func() { server.Spec.Front = &v1alpha1.FrontSpec{SlowStart: &noTime} })
	ready(t, server)
	fronted := c.throughFront()
	finish = append(finish, slowDownload(t, fronted, "/slow", size))

	change(t, server, func() { server.Spec.Front = nil })
	ready(t, server)
	late := c.open(4) // to the replicas directly, or by the front's last breath
	c.spread(late)
	for _, f := range finish {
		f()
	}
	select {
	case err := <-uploaded:
		t.Errorf("The slow upload was over before its time: %v", err)
	default:
		close(hurry)
		must(t, <-uploaded)
	}
	if t.Failed() {
		t.Log(logs(t, before), logs(t, frontPods(t, server)))
	}
	samePods(t, before, slotPods(t, server))
	for _, s := range append(late, fronted) { // the front waits for whoever came through it
		s.close()
	}
	eventually(t, func() string {
		if left := frontPods(t, server); len(left) > 0 {
			return fmt.Sprintf("%s is still there", left[0].Name)
		}
		return ""
	})
}

// TestFrontKilled: the sessions through a pod of the front end with it, others go
// on, and new ones begin.
func TestFrontKilled(t *testing.T) {
	t.Parallel()
	server, user := serving(t, fronted(2, 2))
	c := newOpener(t, server, user)
	fronts := frontPods(t, server)
	sessions := c.spreadOver(fronts...)
	dying := sessionsThrough(t, fronts[0])
	must(t, kube.Delete(soon(t), &fronts[0], client.GracePeriodSeconds(0)))
	eventually(t, func() string {
		ended := 0
		for _, s := range sessions {
			if s.do("NOOP").is(200) != nil {
				ended++
			}
		}
		if ended != dying {
			return fmt.Sprintf("%d of %d sessions have ended, want %d", ended, len(sessions), dying)
		}
		return ""
	})
	ready(t, server)
	eventually(t, func() string {
		s, err := c.try()
		if err != nil {
			return err.Error()
		}
		s.close()
		return ""
	})
}

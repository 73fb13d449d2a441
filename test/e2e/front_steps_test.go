package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// fronted is a replicated server whose front has so many pods, and gives a replica
// that comes up its whole share at once.
func fronted(replicas, front int32, slots ...v1alpha1.FrontSlot) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		replicated(replicas)(s)
		s.Spec.Front = &v1alpha1.FrontSpec{Replicas: &front, SlowStart: &noTime, Slots: slots}
	}
}

// opener opens sessions of a user, and tells where they are.
type opener struct {
	t        *testing.T
	server   *v1alpha1.FTPServer
	door     door
	user     string
	password string
}

func newOpener(t *testing.T, server *v1alpha1.FTPServer, user *v1alpha1.FTPUser) *opener {
	t.Helper()
	c := connection(t, ftpclient.Curl{}, server, user)
	return &opener{t, server, doorOf(t, outsideDialer(t), c), c.Target.User, c.Target.Password}
}

// try opens one session. Each has TLS sessions of its own: a ticket of one replica
// tells another nothing.
func (c *opener) try() (*session, error) {
	d := c.door
	d.tls = d.tls.Clone()
	d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	return d.login(c.user, c.password)
}

// open opens that many sessions, one after the other.
func (c *opener) open(n int) []*session {
	c.t.Helper()
	var out []*session
	for range n {
		s, err := c.try()
		must(c.t, err)
		c.t.Cleanup(s.close)
		out = append(out, s)
	}
	return out
}

// slotOf is the replica that a session is on, as the port of its data connection
// shows, over which its home is listed.
func (c *opener) slotOf(s *session) int {
	c.t.Helper()
	_, port, err := s.list("EPSV")
	must(c.t, err)
	for i, p := range c.server.Status.Ports.Passive {
		if int(p) == port {
			return i / int(c.server.Spec.Passive.PortsPerReplica)
		}
	}
	c.t.Fatalf("Port %d is none of the server's: %v", port, c.server.Status.Ports.Passive)
	return 0
}

// spread counts sessions by the replica that they are on.
func (c *opener) spread(sessions []*session) map[int]int {
	c.t.Helper()
	out := map[int]int{}
	for _, s := range sessions {
		out[c.slotOf(s)]++
	}
	return out
}

// leave ends the sessions that are on a replica, and returns the others.
func (c *opener) leave(sessions []*session, slot int) (stay []*session) {
	c.t.Helper()
	for _, s := range sessions {
		if c.slotOf(s) != slot {
			stay = append(stay, s)
			continue
		}
		_ = s.do("QUIT")
		s.close()
	}
	return stay
}

func want(t *testing.T, what string, got, want map[int]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: by replica there are %v, want %v", what, got, want)
	}
}

// frontPods are those of a server's front, slotPods its replicas'.
func frontPods(t *testing.T, s *v1alpha1.FTPServer) []corev1.Pod {
	t.Helper()
	return podsWith(t, s, "front")
}
func slotPods(t *testing.T, s *v1alpha1.FTPServer) []corev1.Pod {
	t.Helper()
	return podsWith(t, s, "slot")
}

func podsWith(t *testing.T, s *v1alpha1.FTPServer, label string) (out []corev1.Pod) {
	t.Helper()
	for _, p := range pods(t, s) {
		if _, has := p.Labels["ftp-operator.io/"+label]; has {
			out = append(out, p)
		}
	}
	return out
}

// frontSees are the sessions by slot that a pod of the front counts.
func frontSees(t *testing.T, pod *corev1.Pod) map[int]int {
	t.Helper()
	return frontMetric(t, pod, `haproxy_server_current_sessions\{proxy="slots",server="slot(\d+)"\} (\d+)`)
}

// sessionsThrough are all the sessions that pods of a front count.
func sessionsThrough(t *testing.T, pods ...corev1.Pod) (n int) {
	t.Helper()
	for _, p := range pods {
		for _, count := range frontSees(t, &p) {
			n += count
		}
	}
	return n
}

// throughFront opens a session that goes through the front, which has none yet.
// Nodes lead there at their own pace.
func (c *opener) throughFront() *session {
	c.t.Helper()
	var found *session
	eventually(c.t, func() string {
		s, err := c.try()
		if err != nil {
			return err.Error()
		}
		if found = s; sessionsThrough(c.t, frontPods(c.t, c.server)...) == 0 {
			s.close()
			return "a new session does not go through the front"
		}
		return ""
	})
	c.t.Cleanup(found.close)
	return found
}

// frontUp is 1 for the slots that a pod of the front sends sessions to.
func frontUp(t *testing.T, pod *corev1.Pod) map[int]int {
	t.Helper()
	return frontMetric(t, pod, `haproxy_server_status\{proxy="slots",server="slot(\d+)",state="UP"\} (\d+)`)
}

// frontFound is 1 for those of them that have said that they take sessions: one is
// taken for up before its first check.
func frontFound(t *testing.T, pod *corev1.Pod) map[int]int {
	t.Helper()
	up := frontUp(t, pod)
	checked := frontMetric(t, pod, `haproxy_server_check_status\{proxy="slots",server="slot(\d+)",state="L7OK"\} (\d+)`)
	maps.DeleteFunc(up, func(slot, _ int) bool { return checked[slot] == 0 })
	return up
}

// frontMetric is a metric by slot, without those that are 0.
func frontMetric(t *testing.T, pod *corev1.Pod, pattern string) map[int]int {
	t.Helper()
	body, err := clients.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, "8080", "metrics", nil).DoRaw(soon(t))
	must(t, err)
	out, found := map[int]int{}, regexp.MustCompile(pattern).FindAllStringSubmatch(string(body), -1)
	if len(found) == 0 {
		t.Fatalf("The metrics have no %s", pattern)
	}
	for _, m := range found {
		slot, _ := strconv.Atoi(m[1])
		if n, _ := strconv.Atoi(m[2]); n > 0 {
			out[slot] = n
		}
	}
	return out
}

// awaitFront waits until a pod of the front tells so.
func awaitFront(t *testing.T, what func(*testing.T, *corev1.Pod) map[int]int, pod *corev1.Pod, want map[int]int) {
	t.Helper()
	eventually(t, func() string {
		if got := what(t, pod); !maps.Equal(got, want) {
			return fmt.Sprintf("the front tells %v, want %v", got, want)
		}
		return ""
	})
}

// allThrough waits until new sessions, by whichever node they come, go through the
// front: nodes lead there at their own pace. None is left then.
func (c *opener) allThrough(front ...corev1.Pod) {
	c.t.Helper()
	for _, s := range c.spreadOver(front...) {
		s.close()
	}
	c.noneThrough(front...)
}

// spreadOver opens sessions until all of a dozen go through the front, and each of
// its pods has some. By two nodes, a dozen would come by one of them once in 2,000
// times.
func (c *opener) spreadOver(front ...corev1.Pod) (sessions []*session) {
	c.t.Helper()
	eventually(c.t, func() string {
		for _, s := range sessions {
			s.close()
		}
		c.noneThrough(front...)
		var problem string
		sessions, problem = c.dozenOver(front)
		return problem
	})
	for _, s := range sessions {
		c.t.Cleanup(s.close)
	}
	return sessions
}

// dozenOver opens a dozen sessions, and says what is wrong with their ways.
func (c *opener) dozenOver(front []corev1.Pod) (sessions []*session, problem string) {
	c.t.Helper()
	for len(sessions) < 12 {
		s, err := c.try()
		if err != nil {
			return sessions, err.Error()
		}
		sessions = append(sessions, s)
	}
	seen := 0
	for _, p := range front {
		n := sessionsThrough(c.t, p)
		if seen += n; n == 0 {
			return sessions, "no new session goes through " + p.Name
		}
	}
	if seen != len(sessions) {
		return sessions, fmt.Sprintf("%d of %d new sessions go through the front", seen, len(sessions))
	}
	return sessions, ""
}

// noneThrough waits until the front counts no sessions.
func (c *opener) noneThrough(front ...corev1.Pod) {
	c.t.Helper()
	eventually(c.t, func() string {
		if n := sessionsThrough(c.t, front...); n > 0 {
			return fmt.Sprintf("%d sessions of before are still there", n)
		}
		return ""
	})
}

// slowDownload begins a download that goes on until the function it returns is
// called, which tells whether it was whole. The file must be there.
func slowDownload(t *testing.T, s *session, path string, size int64) (finish func()) {
	t.Helper()
	hurry, result := make(chan struct{}), make(chan error, 1)
	go func() {
		n, err := s.retrieve(path, slowly{io.Discard, hurry})
		if err == nil && n != size {
			err = fmt.Errorf("it has %d of %d bytes", n, size)
		}
		result <- err
	}()
	return func() {
		t.Helper()
		select {
		case err := <-result:
			t.Fatalf("The slow download was over before its time: %v", err)
		default:
		}
		close(hurry)
		if err := <-result; err != nil {
			t.Errorf("The slow download was cut: %v", err)
		}
	}
}

// slowFile puts a file there that takes minutes to download slowly.
func (c *opener) slowFile(path string) (size int64) {
	c.t.Helper()
	size = 64 << 20
	s := c.open(1)[0]
	must(c.t, s.store(path, io.LimitReader(noise(), size)))
	_ = s.do("QUIT")
	s.close()
	return size
}

// cordon keeps new pods from starting anywhere, until the function that it returns
// is called.
func cordon(t *testing.T) (uncordon func()) {
	t.Helper()
	set := func(ctx context.Context, closed bool) error {
		var nodes corev1.NodeList
		if err := kube.List(ctx, &nodes); err != nil {
			return err
		}
		for i := range nodes.Items {
			n := &nodes.Items[i]
			before := n.DeepCopy()
			n.Spec.Unschedulable = closed
			if err := kube.Patch(ctx, n, client.MergeFrom(before)); err != nil {
				return err
			}
		}
		return nil
	}
	must(t, set(soon(t), true))
	open := func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := set(ctx, false); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(open)
	return open
}

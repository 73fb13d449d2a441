package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

const (
	stormReplicas = 4
	// stormSlots is the most that ever run: with it, scaling leaves the Service
	// as it is.
	stormSlots = 6
	// deedLimit is how long one thing that is done to the server may take. A roll
	// waits for the transfers of each slot in turn.
	deedLimit = 10 * time.Minute
)

// TestNothingIsLost: four replicas, and clients of four kinds that upload,
// download and rename while the server is rolled, scaled and drained off a node,
// a pod is killed and another deleted, the second half without the operator.
// Every file that was acknowledged is there; no transfer was cut but by the kill;
// every client comes to its end. The operator, when it is back, has nothing to
// write.
func TestNothingIsLost(t *testing.T) {
	nodes := severalNodes(t)
	clientsOfAll, least := 12, 40*time.Second
	if full {
		clientsOfAll, least = 40, 2*time.Minute
	}
	server, alice := serving(t, func(s *v1alpha1.FTPServer) {
		replicated(stormReplicas)(s)
		s.Spec.Passive.Slots = ptr.To[int32](stormSlots)
	})
	allServe(t, server, patience, nil)
	c := newCrowd(t, server)
	gather(t, c, alice, clientsOfAll)
	start := time.Now()

	roll(t, c)
	scale(t, c, 2)
	scale(t, c, stormSlots)
	resume := stopOperator(t)
	c.does(t, "drain of "+nodes[1].Name, -1, func() {
		allow := drainNode(t, server, nodes[1].Name, deedLimit)
		allow()
		serveAgain(t, server)
	})
	loseOne(t, c, "kill -9", func(p *corev1.Pod) { signalServer(t, p, "KILL") })
	loseOne(t, c, "deletion of a pod", func(p *corev1.Pod) { must(t, kube.Delete(soon(t), p)) })
	c.rest(time.Until(start.Add(least)))
	c.finish(t, 2*longest)
	elapsed := time.Since(start)

	comesBackQuietly(t, server, resume)
	c.judge(t)
	c.everythingIsThere(t)
	figures.Record(t, fmt.Sprintf("%d clients, %s", clientsOfAll, figures.Rounded(elapsed)))
}

// gather has clients of four kinds, of several users, begin to work.
func gather(t *testing.T, c *crowd, alice *v1alpha1.FTPUser, n int) {
	t.Helper()
	users := []*v1alpha1.FTPUser{alice}
	for i := range n/4 - 1 {
		u := newUser(c.server.Namespace, fmt.Sprintf("user-%d", i), c.server.Name)
		create(t, u)
		users = append(users, u)
	}
	dial := outsideDialer(t)
	for i := range n {
		u := users[i/4]
		ready(t, u)
		who, dir := fmt.Sprintf("client %d", i), fmt.Sprintf("/dir%02d", i)
		conn := connection(t, ftpclient.Curl{}, c.server, u)
		conn.Target.Dialogue = true
		d := doorOf(t, dial, conn)
		makeDir(t, d.own(), conn.Target, dir)
		home := "/" + conn.Target.User
		if i%4 == 3 {
			r := &renamer{
				who: "renamer " + who, number: i, crowd: c, door: d, user: conn.Target.User, password: conn.Target.Password,
				home: home, dir: dir, pile: newPile(t, i),
			}
			c.join(r.who, r.work)
			continue
		}
		// curl goes on with the next file where one has failed, so it has one only.
		conn.Client = []ftpclient.Client{ftpclient.Curl{}, ftpclient.LFTP{}, ftpclient.FTPLib{Resume: true}}[i%4]
		p := &program{
			who: conn.Client.Name() + " " + who, crowd: c, conn: conn, home: home, dir: dir, pile: newPile(t, i),
			batch: []int{1, 3, 3}[i%4], local: filepath.Join(t.TempDir(), "back"),
		}
		c.join(p.who, p.work)
	}
}

func makeDir(t *testing.T, d door, target ftpclient.Target, dir string) {
	t.Helper()
	eventually(t, func() string {
		s, err := d.login(target.User, target.Password)
		if err != nil {
			return err.Error()
		}
		defer s.close()
		if err := s.do("MKD " + dir).is(257); err != nil {
			return err.Error()
		}
		return ""
	})
}

// roll replaces every pod by one with another annotation.
func roll(t *testing.T, c *crowd) {
	t.Helper()
	c.does(t, "roll", -1, func() {
		word := fmt.Sprint(time.Now().UnixNano())
		change(t, c.server, func() { c.server.Spec.Pod.Annotations = map[string]string{"example.com/rolled": word} })
		allServe(t, c.server, deedLimit, func(p corev1.Pod) string {
			if p.Annotations["example.com/rolled"] != word {
				return p.Name + " is an old one"
			}
			return ""
		})
	})
}

func scale(t *testing.T, c *crowd, n int32) {
	t.Helper()
	var before corev1.Service
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(c.server), &before))
	c.does(t, fmt.Sprintf("scaling to %d", n), -1, func() {
		change(t, c.server, func() { c.server.Spec.Replicas = ptr.To(n) })
		allServe(t, c.server, deedLimit, nil)
	})
	var after corev1.Service
	must(t, kube.Get(soon(t), client.ObjectKeyFromObject(c.server), &after))
	if after.ResourceVersion != before.ResourceVersion {
		t.Errorf("The Service was written when the server was scaled to %d, within passive.slots", n)
	}
}

// serveAgain waits, where no operator tells, until all slots serve.
func serveAgain(t *testing.T, s *v1alpha1.FTPServer) {
	t.Helper()
	within(t, deedLimit, func() string { return notServing(t, s, stormSlots) })
}

// loseOne takes a pod away, and waits until its slot serves again. Only a kill
// may cut what is in progress.
func loseOne(t *testing.T, c *crowd, how string, lose func(*corev1.Pod)) {
	t.Helper()
	victim := pods(t, c.server)[0]
	killed := -1
	if how == "kill -9" {
		killed = slotOf(t, &victim)
	}
	before := containers([]corev1.Pod{victim})
	c.does(t, how, killed, func() { lose(&victim) })
	c.does(t, "recovery from it", -1, func() {
		within(t, deedLimit, func() string {
			if containers(pods(t, c.server))[victim.Name] == before[victim.Name] {
				return "its container is still there"
			}
			return ""
		})
		serveAgain(t, c.server)
	})
}

// comesBackQuietly has the operator come back to a server that is as it should
// be: it writes nothing, and no pod is restarted.
func comesBackQuietly(t *testing.T, s *v1alpha1.FTPServer, resume func()) {
	t.Helper()
	before, running := settledVersions(t, s.Namespace), pods(t, s)
	resume()
	passes := func() int {
		n, _ := operatorMetrics(t, operatorPod(t)).passes("ftpserver")
		return n
	}
	eventually(t, func() string {
		if passes() == 0 {
			return "the operator has not looked at the server"
		}
		return notReady(t, s)
	})
	for _, difference := range differences(before, settledVersions(t, s.Namespace)) {
		t.Errorf("When the operator came back, %s", difference)
	}
	if a, b := containers(running), containers(pods(t, s)); !maps.Equal(a, b) {
		t.Errorf("Other containers run: %v, before: %v", b, a)
	}
}

// settledVersions are the versions once nothing has moved for a while.
func settledVersions(t *testing.T, ns string) map[string]string {
	t.Helper()
	last, since := versions(t, ns), time.Now()
	eventually(t, func() string {
		if now := versions(t, ns); !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
		if time.Since(since) < 5*time.Second {
			return "objects still move"
		}
		return ""
	})
	return last
}

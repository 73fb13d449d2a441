package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// A prober opens a new session each probeEvery and gives it probeLimit, as a
// client does that is in a hurry.
const (
	probeEvery = 100 * time.Millisecond
	probeLimit = 3 * time.Second
	// wellAgain is for how long all probes must go well before something counts as
	// over.
	wellAgain = 10 * time.Second
)

// probe is one try to open a session.
type probe struct {
	at      time.Time
	problem string
}

// prober opens sessions until it is told to stop.
type prober struct {
	mu     sync.Mutex
	probes []probe
}

// startProbing probes, each time beside the probes before, until the test ends.
func startProbing(t *testing.T, d door, target ftpclient.Target) *prober {
	t.Helper()
	p := &prober{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				wg.Go(func() { p.probe(now, d, target) })
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
	})
	return p
}

func (p *prober) probe(at time.Time, d door, target ftpclient.Target) {
	said := make(chan string, 1)
	go func() { said <- d.own().accepts(target.User, target.Password) }()
	problem := "no session in time"
	select {
	case problem = <-said:
	case <-time.After(probeLimit):
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probes = append(p.probes, probe{at, problem})
}

// outage is what the probes since a moment tell.
type outage struct {
	tries, failed int
	// last is how long after the moment the last try began that failed.
	last     time.Duration
	problems map[string]int
}

func (p *prober) since(moment time.Time) outage {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := outage{problems: map[string]int{}}
	for _, one := range p.probes {
		if one.at.Before(moment) {
			continue
		}
		if o.tries++; one.problem != "" {
			o.failed++
			o.last = max(o.last, one.at.Sub(moment))
			o.problems[one.problem]++
		}
	}
	return o
}

// over waits until a while has gone by without a failure, and until the pods are
// as they should be.
func (p *prober) over(t *testing.T, moment time.Time, well func() string) outage {
	t.Helper()
	var healed time.Time
	within(t, deedLimit, func() string {
		if problem := well(); problem != "" {
			healed = time.Time{}
			return problem
		}
		if healed.IsZero() {
			healed = time.Now()
		}
		if last := p.since(moment).last; time.Since(moment.Add(last)) < wellAgain || time.Since(healed) < wellAgain {
			return "sessions have failed lately"
		}
		return ""
	})
	return p.since(moment)
}

// TestFailover measures from when on every new session works again after a pod
// was killed, a server hangs, or a node has died. That they do is asserted; how
// soon is told.
func TestFailover(t *testing.T) {
	nodes := severalNodes(t)
	server, alice := serving(t, replicated(2))
	allServe(t, server, patience, nil)
	c := connection(t, ftpclient.Curl{}, server, alice)
	d := doorOf(t, outsideDialer(t), c)
	steady(t, entrance{"the load balancer", d}, server, c.Target, 20)
	p := startProbing(t, d, c.Target)
	serve := func() string { return notServing(t, server, 2) }
	restarted := func(victim *corev1.Pod) func() string {
		return func() string {
			if problem := sameContainer(t, server, victim); problem != "" {
				return problem
			}
			return serve()
		}
	}

	t.Run("pod", func(t *testing.T) {
		victim := pods(t, server)[0]
		moment := time.Now()
		signalServer(t, &victim, "KILL")
		p.tell(t, "the server of a pod was killed", moment, restarted(&victim))
	})
	t.Run("hang", func(t *testing.T) {
		if !full {
			t.Skip("takes minutes, as it waits for the liveness probe: FTP_TEST_FULL=1")
		}
		victim := pods(t, server)[0]
		moment := time.Now()
		signalServer(t, &victim, "STOP")
		p.tell(t, "a server stopped to answer", moment, restarted(&victim))
	})
	t.Run("node", func(t *testing.T) { nodeDies(t, p, server, nodes) })
}

func (p *prober) tell(t *testing.T, what string, moment time.Time, well func() string) {
	t.Helper()
	o := p.over(t, moment, well)
	figures.Record(t, fmt.Sprintf("After %s, %d of %d new sessions failed, the last one %s after it: %v", what, o.failed, o.tries, figures.Rounded(o.last), o.problems))
}

// sameContainer says that the container is still the one that it was, or nothing.
func sameContainer(t *testing.T, s *v1alpha1.FTPServer, was *corev1.Pod) string {
	t.Helper()
	if containers(pods(t, s))[was.Name] == containers([]corev1.Pod{*was})[was.Name] {
		return was.Name + " was not restarted"
	}
	return ""
}

// nodeDies kills a node that is not the control plane's, where FTP_KILL_NODE and
// FTP_REVIVE_NODE say how.
func nodeDies(t *testing.T, p *prober, server *v1alpha1.FTPServer, nodes []corev1.Node) {
	t.Helper()
	if !full {
		t.Skip("takes minutes, as the cluster waits for the node: FTP_TEST_FULL=1")
	}
	kill, revive := strings.Fields(os.Getenv("FTP_KILL_NODE")), strings.Fields(os.Getenv("FTP_REVIVE_NODE"))
	if len(kill) == 0 || len(revive) == 0 {
		t.Skip("FTP_KILL_NODE and FTP_REVIVE_NODE do not say how a node is killed and brought back")
	}
	name := nodes[len(nodes)-1].Name
	run := func(command []string) {
		args := append(slices.Clone(command), nodeNumber(name))
		ctx, cancel := context.WithTimeout(context.Background(), deedLimit)
		defer cancel()
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
	moment := time.Now()
	run(kill)
	defer func() {
		run(revive)
		within(t, deedLimit, func() string { return nodeDown(t, name) })
		within(t, deedLimit, func() string { return notReady(t, server) })
	}()
	p.tell(t, "a node has died", moment, func() string {
		if nodeDown(t, name) == "" {
			return "the node is still taken for ready"
		}
		return ""
	})
}

// nodeDown says that a node is not ready, or nothing.
func nodeDown(t *testing.T, name string) string {
	t.Helper()
	var n corev1.Node
	must(t, kube.Get(soon(t), key("", name), &n))
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionStatus(metav1.ConditionTrue) {
			return ""
		}
	}
	return name + " is not ready"
}

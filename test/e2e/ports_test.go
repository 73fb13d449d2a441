package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/figures"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// sessionTransfers are those of one control connection. They are few, so that there
// are enough connections for each replica to have some.
const sessionTransfers = 4

// exposure is a way to a server's replicas.
type exposure struct {
	kind     v1alpha1.ServiceType
	policy   v1alpha1.ExternalTrafficPolicy
	replicas int32
}

// entrance is where clients connect to, and from where.
type entrance struct {
	name string
	door door
}

// TestEveryPortReachesItsSlot: by every type of Service, through both nodes, with
// either traffic policy, by PASV and EPSV, each data connection reaches the
// replica that its control connection has reached. Where it came to another one,
// nobody there would expect it, and the transfer would fail. The replicas' own
// counts must agree with what the announced ports say of who has served.
func TestEveryPortReachesItsSlot(t *testing.T) {
	nodes := severalNodes(t)
	transfers := 600
	if full {
		transfers = 10_000
	}
	exposures := []exposure{
		{v1alpha1.ServiceLoadBalancer, v1alpha1.ExternalTrafficCluster, 3},
		{v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficCluster, 3},
		{v1alpha1.ServiceClusterIP, v1alpha1.ExternalTrafficLocal, 3},
		{v1alpha1.ServiceLoadBalancer, v1alpha1.ExternalTrafficLocal, 1},
		{v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficLocal, 1},
	}
	mode := strings.TrimSpace(onNode(t, nodes[0].Name, "curl -sS http://127.0.0.1:10249/proxyMode"))
	figures.Record(t, fmt.Sprintf("kube-proxy's mode is %s", mode))
	for i, e := range exposures {
		t.Run(fmt.Sprintf("%s-%s", e.kind, e.policy), func(t *testing.T) {
			e.try(t, nodes, transfers/len(exposures), ownPorts+100*int32(i))
		})
	}
}

// ownPorts is where the passive ports of the tests begin that make many
// connections, each with numbers of its own: the load balancer gives the address of
// one test to the next, and for two minutes a node sends what comes from a port of
// before to the pod of before (net.netfilter.nf_conntrack_tcp_timeout_time_wait).
const ownPorts = 31000

func (e exposure) try(t *testing.T, nodes []corev1.Node, transfers int, firstPort int32) {
	t.Helper()
	server, alice := serving(t, func(s *v1alpha1.FTPServer) {
		replicated(e.replicas)(s)
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = e.kind, e.policy
		s.Spec.Passive.PortsPerReplica, s.Spec.Passive.FirstPort = 4, firstPort
	})
	allServe(t, server, patience, nil)
	target := connection(t, ftpclient.Curl{}, server, alice)
	entrances := e.entrances(t, server, target, nodes)
	for _, in := range entrances {
		steady(t, in, server, target.Target, 10*int(e.replicas))
	}
	before := completedBySlot(t, server)
	m := &mass{target: target.Target, addresses: map[string]bool{}, ports: map[int]int{}}
	for _, a := range server.Status.Addresses {
		m.addresses[a.Value] = true
	}
	start := time.Now()
	m.transfer(entrances, transfers)
	m.judge(t, server, before)
	figures.Record(t, fmt.Sprintf("%d of %d transfers through %d entrances reached their slot, in %s; by slot: %v; %d times all ports were busy for too long",
		m.reached, transfers, len(entrances), figures.Rounded(time.Since(start)), m.bySlot(portSlots(t, server)), m.again))
}

// entrances are the nodes' addresses, the load balancer's, or the ClusterIP as
// each node has it.
func (e exposure) entrances(t *testing.T, s *v1alpha1.FTPServer, c ftpclient.Connection, nodes []corev1.Node) (out []entrance) {
	t.Helper()
	dial := outsideDialer(t)
	switch e.kind {
	case v1alpha1.ServiceLoadBalancer:
		return []entrance{{"the load balancer", doorOf(t, dial, c)}}
	case v1alpha1.ServiceClusterIP:
		for _, n := range nodes {
			d := doorOf(t, relayed(t, append(slices.Clone(node), nodeNumber(n.Name))), c)
			out = append(out, entrance{"the ClusterIP from " + n.Name, d})
		}
		return out
	}
	own := pods(t, s)[0].Spec.NodeName
	for _, n := range nodes {
		if e.policy == v1alpha1.ExternalTrafficLocal && n.Name != own {
			continue // which would answer nothing, as it should
		}
		d := doorOf(t, dial, c)
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				d.host = a.Address
			}
		}
		out = append(out, entrance{"the node port at " + n.Name, d})
	}
	return out
}

// steady waits until so many sessions in a row could list the directory, and every
// slot was reached: nodes follow the pods at their own pace, and one that is ready
// may be led to a moment after the others.
func steady(t *testing.T, in entrance, s *v1alpha1.FTPServer, target ftpclient.Target, times int) {
	t.Helper()
	slots := portSlots(t, s)
	missing := map[int]bool{}
	begin := func() {
		for _, slot := range slots {
			missing[slot] = true
		}
	}
	begin()
	eventually(t, func() string {
		for range times {
			port, err := in.door.own().listed(target)
			if err != nil {
				begin()
				return in.name + ": " + err.Error()
			}
			delete(missing, slots[port])
		}
		if len(missing) > 0 {
			return fmt.Sprintf("%s: slots that no session was led to: %v", in.name, slices.Sorted(maps.Keys(missing)))
		}
		return ""
	})
}

// listed lists the directory in a session of its own, and tells which port served it.
func (d door) listed(target ftpclient.Target) (port int, err error) {
	s, err := d.login(target.User, target.Password)
	if err != nil {
		return 0, err
	}
	defer s.close()
	_, port, err = s.list("EPSV")
	return port, err
}

// completedBySlot are the transfers that each slot's pod says it has completed.
func completedBySlot(t *testing.T, s *v1alpha1.FTPServer) map[int]int {
	t.Helper()
	out := map[int]int{}
	for _, p := range pods(t, s) {
		out[slotOf(t, &p)] = int(operatorMetrics(t, &p).sum("ftpserver_transfers_total", "outcome=complete"))
	}
	return out
}

// mass is a great number of small transfers.
type mass struct {
	target    ftpclient.Target
	addresses map[string]bool // that PASV may tell

	mu      sync.Mutex
	reached int
	ports   map[int]int // transfers by the port that was told
	wrong   []string
	again   int // times that all ports were busy for too long
}

// transfer spreads the transfers over the entrances. A few clients work at the
// same time.
func (m *mass) transfer(entrances []entrance, n int) {
	work := make(chan int)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for i := range work {
				in := entrances[i%len(entrances)]
				if err := m.session(in.door.own(), i, min(sessionTransfers, n-i*sessionTransfers)); err != nil {
					m.mu.Lock()
					m.wrong = append(m.wrong, in.name+": "+err.Error())
					m.mu.Unlock()
				}
			}
		})
	}
	for i := range (n + sessionTransfers - 1) / sessionTransfers {
		work <- i
	}
	close(work)
	wg.Wait()
}

// session makes some transfers on one control connection: uploads, and downloads
// of what was uploaded, each with a content of its own.
func (m *mass) session(d door, number, transfers int) error {
	s, err := d.login(m.target.User, m.target.Password)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.do("TYPE I").is(200); err != nil {
		return err
	}
	name := fmt.Sprintf("/file-%d", number)
	var content []byte
	for i := range transfers {
		mode := []string{"EPSV", "PASV"}[i/2%2]
		var host string
		var port int
		if i%2 == 0 {
			content = fmt.Appendf(nil, "%s, transfer %d: %s", name, i, strings.Repeat("x", i*100))
			host, port, err = m.patiently(s, mode, "STOR "+name, func(data *tls.Conn) error { return put(bytes.NewReader(content))(data) })
		} else {
			var back bytes.Buffer
			host, port, err = m.patiently(s, mode, "RETR "+name, func(data *tls.Conn) error {
				_, err := io.Copy(&back, data)
				return err
			})
			if err == nil && !bytes.Equal(back.Bytes(), content) {
				err = fmt.Errorf("%s came back as %q", name, back.Bytes())
			}
		}
		if err == nil && mode == "PASV" && !m.addresses[host] {
			err = fmt.Errorf("PASV told %s", host)
		}
		if err != nil {
			return fmt.Errorf("session %d, transfer %d by %s to %s: %w", number, i, mode, net.JoinHostPort(host, strconv.Itoa(port)), err)
		}
		m.mu.Lock()
		m.reached++
		m.ports[port]++
		m.mu.Unlock()
	}
	return nil
}

// patiently is exchange that asks again for a port, as clients do, where all are
// busy: on a slow machine that takes longer than the server lets anyone wait.
func (m *mass) patiently(s *session, mode, command string, move func(*tls.Conn) error) (host string, port int, err error) {
	for start := time.Now(); ; {
		host, port, err = s.exchange(mode, command, func(data *tls.Conn) error {
			_ = data.SetDeadline(time.Now().Add(stepTimeout))
			return move(data)
		})
		var reply *unwanted
		if port != 0 || !errors.As(err, &reply) || reply.code != 425 || time.Since(start) > longest {
			return host, port, err
		}
		m.mu.Lock()
		m.again++
		m.mu.Unlock()
	}
}

// bySlot are the transfers by the slot that their port leads to.
func (m *mass) bySlot(slots map[int]int) map[int]int {
	out := map[int]int{}
	for port, n := range m.ports {
		out[slots[port]] += n
	}
	return out
}

func (m *mass) judge(t *testing.T, s *v1alpha1.FTPServer, before map[int]int) {
	t.Helper()
	for i, wrong := range m.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(m.wrong)-i)
			break
		}
		t.Error(wrong)
	}
	slots := portSlots(t, s)
	for port := range slots {
		if m.ports[port] == 0 {
			t.Errorf("The passive port %d was not used at all", port)
		}
	}
	for port := range m.ports {
		if _, known := slots[port]; !known {
			t.Errorf("The port %d was told, which is none of the Service's", port)
		}
	}
	counted := completedBySlot(t, s)
	for slot := range counted {
		if counted[slot] -= before[slot]; counted[slot] == 0 {
			delete(counted, slot)
		}
	}
	if told := m.bySlot(slots); !maps.Equal(told, counted) {
		t.Errorf("By the ports that were told, the slots have served %v, by their own count %v", told, counted)
	}
}

// TestOnePassivePort: replicas of one passive port each serve many sessions of
// several users at the same time, all from one address, and everybody gets their
// own.
func TestOnePassivePort(t *testing.T) {
	severalNodes(t)
	const sessions, users = 32, 16
	server, alice := serving(t, func(s *v1alpha1.FTPServer) {
		replicated(2)(s)
		s.Spec.Passive.PortsPerReplica, s.Spec.Passive.FirstPort = 1, ownPorts-100
	})
	allServe(t, server, patience, nil)
	all := []*v1alpha1.FTPUser{alice}
	for i := range users - 1 {
		all = append(all, newUser(server.Namespace, fmt.Sprintf("user-%d", i), server.Name))
		create(t, all[i+1])
	}
	var targets []ftpclient.Connection
	for _, u := range all {
		ready(t, u)
		targets = append(targets, connection(t, ftpclient.Curl{}, server, u))
	}
	rounds := 5
	if full {
		rounds = 50
	}
	d := doorOf(t, outsideDialer(t), targets[0])
	steady(t, entrance{"the load balancer", d}, server, targets[0].Target, 20)
	before := completedBySlot(t, server)
	m := &mass{ports: map[int]int{}, addresses: map[string]bool{server.Status.Addresses[0].Value: true}}
	start := time.Now()
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			one := &mass{target: targets[i%users].Target, addresses: m.addresses, ports: map[int]int{}}
			err := one.session(d.own(), i, 2*rounds)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.reached += one.reached
			m.again += one.again
			for port, n := range one.ports {
				m.ports[port] += n
			}
			if err != nil {
				m.wrong = append(m.wrong, err.Error())
			}
		})
	}
	wg.Wait()
	m.judge(t, server, before)
	figures.Record(t, fmt.Sprintf("%d sessions of %d users, %d of %d transfers over one passive port of each of 2 replicas, in %s; by slot: %v; %d times all ports were busy for too long",
		sessions, users, m.reached, sessions*2*rounds, figures.Rounded(time.Since(start)), m.bySlot(portSlots(t, server)), m.again))
}

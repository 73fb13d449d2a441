package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// model is a cluster in small: the Deployments of a server's slots, their pods,
// and the controllers that act on them at any time and in any order. A template
// is a number; an odd one is of an image that never starts.
type model struct {
	random  *rand.Rand
	wanted  int // the template that the spec asks for
	slots   int // that the spec asks for
	version int // counts all changes
	state   []modelSlot
	// cached is what the operator's cache has: some earlier state.
	cached []modelSlot
	// taken are the slots whose serving pod the operator has ended, and which do
	// not serve again yet.
	taken map[int]bool
	log   []string
}

type modelSlot struct {
	exists               bool
	version              int
	generation, observed int64
	template             int
	updated, available   int32
	pods                 []modelPod
}

type modelPod struct {
	template      int
	ready, ending bool
	// lost tells that its node is gone: nobody takes it away.
	lost bool
}

func (s modelSlot) serves() bool {
	return slices.ContainsFunc(s.pods, func(p modelPod) bool { return p.ready && !p.ending })
}

func newModel(seed uint64) *model {
	m := &model{random: rand.New(rand.NewPCG(seed, 1)), slots: 3, taken: map[int]bool{}, state: make([]modelSlot, 6)}
	m.cached = m.snapshot()
	return m
}

func (m *model) note(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) snapshot() []modelSlot {
	out := slices.Clone(m.state)
	for i := range out {
		out[i].pods = slices.Clone(out[i].pods)
	}
	return out
}

// seen is a state as the operator sees it.
func (m *model) seen(state []modelSlot) []policy.Slot {
	out := make([]policy.Slot, m.slots)
	for i := range out {
		s := state[i]
		out[i] = policy.Slot{Number: i, Name: fmt.Sprint("files-", i), Outdated: s.exists && s.template != m.wanted}
		for _, p := range s.pods {
			var how []func(*corev1.Pod)
			if p.ready {
				how = append(how, isReady)
			}
			if p.ending {
				how = append(how, leaves)
			}
			out[i].Pods = append(out[i].Pods, pod("p", how...))
		}
		if s.exists {
			d := &appsv1.Deployment{}
			d.Generation = s.generation
			d.Spec.Replicas = ptr.To[int32](1)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: s.observed, UpdatedReplicas: s.updated, AvailableReplicas: s.available}
			out[i].Deployment = d
		}
	}
	return out
}

// operate is one pass of an operator, which remembers nothing: it may be another
// each time. The error is a pod that it must not have ended.
func (m *model) operate() error {
	judged := m.cached
	rollout := policy.Roll(m.seen(judged), false)
	if rollout.Down != nil { // as the controller does, look at what is; its pods it has from the cache
		judged = m.snapshot()
		for i := range judged {
			judged[i].pods = m.cached[i].pods
		}
		rollout = policy.Roll(m.seen(judged), false)
	}
	for _, n := range rollout.Renew {
		s := &m.state[n]
		if s.version != judged[n].version {
			m.note("the write of %d conflicts", n)
			return nil
		}
		if s.exists && s.available > 0 { // by what is told, it serves
			if err := m.mayTake(n); err != nil {
				return err
			}
			m.taken[n] = true
		}
		m.note("writes %d with %d", n, m.wanted)
		s.exists, s.template = true, m.wanted
		s.generation++
		m.touch(s)
	}
	return nil
}

// mayTake is an error where the pod of a slot that serves must not be ended now:
// another that was ended is not back, another slot does not serve by what the API
// server has, or by what the cache has of its pods.
func (m *model) mayTake(n int) error {
	for other := range m.taken {
		if other != n {
			return fmt.Errorf("it ends the pod of %d while that of %d is not back", n, other)
		}
	}
	for i, other := range m.state[:m.slots] {
		told := other.exists && other.observed == other.generation && other.updated > 0 && other.available > 0
		if i != n && (!told || !m.cached[i].serves()) {
			return fmt.Errorf("it ends the pod of %d while %d does not serve", n, i)
		}
	}
	return nil
}

func (s modelSlot) podTemplate() int {
	for _, p := range s.pods {
		if !p.ending {
			return p.template
		}
	}
	return -1
}

func (m *model) touch(s *modelSlot) { m.version++; s.version = m.version }

// control is one step of the Deployment controller, which recreates.
func (m *model) control(n int) {
	s := &m.state[n]
	if !s.exists {
		return
	}
	before := *s
	s.observed = s.generation
	for i := range s.pods {
		if p := &s.pods[i]; p.template != s.template {
			p.ending = true
		}
	}
	// As in Kubernetes, Recreate waits for pods of another template to end, and not
	// for those of the same.
	if !slices.ContainsFunc(s.pods, func(p modelPod) bool { return p.template != s.template || !p.ending }) {
		s.pods = append(s.pods, modelPod{template: s.template})
	}
	s.updated, s.available = 0, 0
	for _, p := range s.pods {
		if p.ending {
			continue
		}
		s.updated++
		if p.ready {
			s.available++
		}
	}
	if s.available > 0 {
		delete(m.taken, n)
	}
	if before.observed != s.observed || before.updated != s.updated || before.available != s.available {
		m.touch(s)
	}
}

// run is one step of the kubelet.
func (m *model) run(n int) {
	s := &m.state[n]
	for i := range s.pods {
		p := &s.pods[i]
		switch {
		case p.lost:
		case p.ending:
			s.pods = slices.Delete(s.pods, i, i+1)
			return
		case p.template%2 == 0:
			p.ready = true
		}
	}
}

// step is anything that may happen.
func (m *model) step() error {
	n := m.random.IntN(len(m.state))
	switch what := m.random.IntN(20); {
	case what < 6:
		return m.operate()
	case what < 11:
		m.control(n)
	case what < 15:
		m.run(n)
	case what < 18:
		m.cached = m.snapshot()
	case what == 18:
		m.wanted = m.random.IntN(4)
		m.note("the spec asks for %d", m.wanted)
	case m.random.IntN(2) == 0:
		if s := &m.state[n]; len(s.pods) > 0 {
			s.pods[0].ready = false // its node has a problem
			if m.random.IntN(2) == 0 {
				s.pods[0].ending, s.pods[0].lost = true, true
			}
			m.note("a pod of %d fails, lost: %v", n, s.pods[0].lost)
		}
	default:
		m.slots = 1 + m.random.IntN(len(m.state))
		m.note("there are to be %d", m.slots)
		for i := m.slots; i < len(m.state); i++ {
			m.state[i] = modelSlot{version: m.state[i].version + 1}
			delete(m.taken, i)
		}
	}
	return nil
}

// settle has everybody act in turn until all slots run a template that starts.
// The error is that they do not.
func (m *model) settle() error {
	m.wanted = 8
	if err := m.settleBesideLost(); err != nil {
		return err
	}
	for range 40 * len(m.state) {
		if err := m.turn(); err != nil {
			return err
		}
		done := true
		for _, s := range m.state[:m.slots] {
			done = done && s.template == m.wanted && s.serves() && s.podTemplate() == m.wanted
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("it does not come to an end: %+v", m.state[:m.slots])
}

// turn has everybody act once, the operator with a cache that is current.
func (m *model) turn() error {
	m.cached = m.snapshot()
	if err := m.operate(); err != nil {
		return err
	}
	for n := range m.slots {
		m.control(n)
		m.run(n)
		m.control(n)
	}
	return nil
}

// settleBesideLost has everybody act for long while some nodes do not answer, and
// then has those come back. The error is a slot that served, and serves no more.
func (m *model) settleBesideLost() error {
	for n := range m.slots {
		m.control(n) // so that what was decided before is under way
	}
	served := m.snapshot()
	for range 4 * len(m.state) {
		if err := m.turn(); err != nil {
			return err
		}
	}
	for n, s := range m.state[:m.slots] {
		if served[n].serves() && !s.serves() {
			return fmt.Errorf("%d served, and waits for a pod that cannot end: %+v", n, s)
		}
	}
	for n := range m.state {
		for i := range m.state[n].pods {
			m.state[n].pods[i].lost = false
		}
	}
	return nil
}

// Whatever happens, with whatever delay the operator hears of it, and whenever
// another takes its place: it never ends the pod of a slot that serves while
// another does not, or while another whose pod it ended is not back, or where the
// next would have to wait for a pod that cannot end. And once the spec is one that
// starts and all nodes answer, all slots come to run it.
func TestRollAtRandom(t *testing.T) {
	for seed := range uint64(300) {
		m := newModel(seed)
		err := error(nil)
		for range 150 {
			if err = m.step(); err != nil {
				break
			}
		}
		if err == nil {
			err = m.settle()
		}
		if err != nil {
			t.Fatalf("seed %d: %v, after %v", seed, err, m.log[max(0, len(m.log)-12):])
		}
	}
}

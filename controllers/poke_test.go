package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pokesOf plays passes at a fixed rhythm over one pod that stays behind, and
// returns when it was poked.
func pokesOf(p *poker, want func(time.Duration) string, every, until time.Duration) []time.Duration {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []time.Duration
	for at := time.Duration(0); at <= until; at += every {
		if _, due, _ := p.plan(client.ObjectKey{Name: "files"}, types.UID("pod"), want(at), start.Add(at)); due {
			out = append(out, at)
		}
	}
	return out
}

func TestPokesFollowTheirPlan(t *testing.T) {
	got := pokesOf(newPoker(), func(time.Duration) string { return "a" }, 100*time.Millisecond, time.Minute)
	if len(got) != len(pokeAfter) {
		t.Fatalf("poked at %v, want %v", got, pokeAfter)
	}
	for i := range got {
		if got[i] != pokeAfter[i] {
			t.Errorf("poked at %v, want %v", got, pokeAfter)
		}
	}
}

// Content that changes all the time pokes a pod at most once in 500 ms.
func TestPokesAreCoalesced(t *testing.T) {
	changing := func(at time.Duration) string { return at.String() }
	got := pokesOf(newPoker(), changing, 50*time.Millisecond, 10*time.Second)
	if len(got) != 21 {
		t.Errorf("poked %d times in 10 s", len(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i]-got[i-1] < pokeInterval {
			t.Errorf("poked at %v and again at %v", got[i-1], got[i])
		}
	}
}

func TestNextPokeIsTold(t *testing.T) {
	p, server, now := newPoker(), client.ObjectKey{Name: "files"}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, tc := range []struct {
		at   time.Duration
		due  bool
		next time.Duration
	}{
		{0, true, time.Second},
		{400 * time.Millisecond, false, 600 * time.Millisecond},
		{time.Second, true, 2 * time.Second},
		{5 * time.Second, true, 5 * time.Second},
		{10 * time.Second, true, 0},
		{20 * time.Second, false, 0},
	} {
		_, due, next := p.plan(server, "pod", "a", now.Add(tc.at))
		if due != tc.due || next != tc.next {
			t.Errorf("%d: due %v, next in %s; want %v, %s", i, due, next, tc.due, tc.next)
		}
	}
}

// A pod that has caught up and lapses has all its pokes again, though no sooner.
func TestPokesStartAnewAfterAPodHasCaughtUp(t *testing.T) {
	p, server, now := newPoker(), client.ObjectKey{Name: "files"}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	still := []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{UID: "pod"}}}
	for at := time.Duration(0); at <= time.Minute; at += 100 * time.Millisecond {
		p.plan(server, "pod", "a", now.Add(at))
		p.settle(server, still, func(*corev1.Pod) bool { return false })
	}
	now = now.Add(time.Minute)
	if _, due, _ := p.plan(server, "pod", "a", now); due {
		t.Fatal("poked once more than planned")
	}
	p.settle(server, still, func(*corev1.Pod) bool { return true })
	state, due, next := p.plan(server, "pod", "a", now)
	if !due || next != time.Second || state.count != 1 {
		t.Errorf("due %v, next in %s, poke %d", due, next, state.count)
	}
	p.settle(server, still, func(*corev1.Pod) bool { return true })
	if _, due, _ := p.plan(server, "pod", "a", now.Add(pokeInterval/2)); due {
		t.Error("poked again too soon")
	}
}

func TestSoonest(t *testing.T) {
	for _, tc := range [][3]time.Duration{{0, 0, 0}, {0, 2, 2}, {2, 0, 2}, {1, 2, 1}, {2, 1, 1}} {
		if got := soonest(tc[0], tc[1]); got != tc[2] {
			t.Errorf("soonest(%d, %d) is %d", tc[0], tc[1], got)
		}
	}
}

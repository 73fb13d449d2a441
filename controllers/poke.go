package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// pokeAfter is when a pod is poked, counted from when it was found to be
// behind. The pod's change and the Secret's reach the kubelet by separate
// watches, so that an early poke can find old content. After the last one the
// kubelet's own rhythm, about a minute, does the rest.
var pokeAfter = []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second}

// poked is what is known of one pod that is behind.
type poked struct {
	want  string // identifies the content that it is to load
	since time.Time
	count int // how many pokes this content has had
	last  time.Time
}

// poker remembers which pods were poked when.
type poker struct {
	mu   sync.Mutex
	pods map[client.ObjectKey]map[types.UID]poked // by server
}

func newPoker() *poker {
	return &poker{pods: map[client.ObjectKey]map[types.UID]poked{}}
}

// plan notes that a pod is behind and tells whether it is to be poked now, since
// when it is behind, and in which time the next poke is due (0: none is).
func (p *poker) plan(server client.ObjectKey, pod types.UID, want string, now time.Time) (state poked, due bool, next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	state = p.pods[server][pod]
	if state.want != want {
		state = poked{want: want, since: now, last: state.last}
	}
	at := func() time.Time {
		return latest(state.since.Add(pokeAfter[state.count]), state.last.Add(pokeInterval))
	}
	if state.count < len(pokeAfter) && !now.Before(at()) {
		due = true
		state.count++
		state.last = now
	}
	if state.count < len(pokeAfter) {
		next = at().Sub(now)
	}
	if p.pods[server] == nil {
		p.pods[server] = map[types.UID]poked{}
	}
	p.pods[server][pod] = state
	return state, due, next
}

// settle forgets the pods that are gone, and of those that have caught up all
// but when they were last poked: should one lapse, it has all its pokes again.
func (p *poker) settle(server client.ObjectKey, still []*corev1.Pod, caughtUp func(*corev1.Pod) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[types.UID]poked{}
	for _, pod := range still {
		state, ok := p.pods[server][pod.UID]
		if !ok {
			continue
		}
		if caughtUp(pod) {
			state = poked{last: state.last}
		}
		kept[pod.UID] = state
	}
	if len(kept) == 0 {
		delete(p.pods, server)
		return
	}
	p.pods[server] = kept
}

func (p *poker) forget(server client.ObjectKey) { p.settle(server, nil, nil) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// poke annotates the pods that are behind, so that the kubelet refreshes their
// volumes at once, and tells when to look again (0: nobody is behind).
func (r *FTPServerReconciler) poke(ctx context.Context, s *scope) (time.Duration, error) {
	if !s.rendered() {
		return 0, nil
	}
	server := client.ObjectKeyFromObject(s.server)
	behind := s.behind()
	r.poker.settle(server, s.pods, s.caughtUp)
	var again time.Duration
	for _, pod := range behind {
		now := r.Now()
		state, due, next := r.poker.plan(server, pod.UID, fingerprint(s.out.Files), now)
		if due {
			if err := r.annotate(ctx, pod, state); client.IgnoreNotFound(err) != nil {
				return 0, fmt.Errorf("poke pod %s: %w", pod.Name, err)
			}
		}
		again = soonest(again, next)
		if s.answered(pod) { // when to ask the others, they have told by their silence
			again = soonest(again, pollInterval(now.Sub(state.since)))
		}
	}
	return again, nil
}

// annotate writes a value that the pod does not have yet.
func (r *FTPServerReconciler) annotate(ctx context.Context, pod *corev1.Pod, state poked) error {
	value := fmt.Sprintf("%s-%d", state.want, state.count)
	for n := state.count + 1; pod.Annotations[render.AnnotationPoked] == value; n++ {
		value = fmt.Sprintf("%s-%d", state.want, n)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{render.AnnotationPoked: value}},
	})
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, pod.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldOwner))
}

// fingerprint identifies the contents of all files together.
func fingerprint(files map[string]config.Expected) string {
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, name+files[name].Hash+files[name].Previous.Hash...)
	}
	return config.Hash(all)[:12]
}

// soonest is the shorter of two times to wait, where 0 means never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

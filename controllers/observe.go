package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/probe"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Prober asks a pod what it has loaded. The error says in one line why there is
// no answer.
type Prober interface {
	Status(ctx context.Context, t probe.Target) (*config.Status, error)
}

// observe asks the pods of the slots that are to run, all at once.
func (r *FTPServerReconciler) observe(ctx context.Context, s *scope) {
	if s.credentials.ca == nil {
		return // nothing to verify an answer with
	}
	r.asking.keep(client.ObjectKeyFromObject(s.server), s.pods)
	r.recent.only(client.ObjectKeyFromObject(s.server), s.pods)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, slot := range s.slots {
		for _, pod := range slot.Live() {
			if pod.Status.PodIP == "" || pod.Status.Phase != corev1.PodRunning {
				continue
			}
			wg.Go(func() {
				a, again := r.ask(ctx, s, slot.Name, pod)
				mu.Lock()
				defer mu.Unlock()
				s.answers = append(s.answers, a)
				s.askAgain = soonest(s.askAgain, again)
			})
		}
	}
	wg.Wait()
}

// ask asks one pod, if it is its turn, and tells when to ask again one that is
// ready and did not answer (0: nothing is to be asked again).
func (r *FTPServerReconciler) ask(ctx context.Context, s *scope, slot string, pod *corev1.Pod) (a policy.Answer, again time.Duration) {
	a = policy.Answer{Pod: pod.Name, Slot: slot}
	done, twice, problem, in := r.asking.turn(client.ObjectKeyFromObject(s.server), pod, r.Now())
	if done != nil {
		var err error
		if a.Status, err = r.question(ctx, s, pod, twice && policy.PodReady(pod)); err != nil {
			problem = err.Error()
		}
		in = done(problem, r.Now())
	}
	if key := client.ObjectKeyFromObject(s.server); problem == "" {
		r.recent.keep(key, pod, a.Status, r.Now())
	} else if a.Status = r.recent.of(key, pod, r.Now()); a.Status != nil {
		return a, in // to find out whether it stays silent
	}
	a.Problem = problem
	if !policy.PodReady(pod) {
		return a, 0 // that it has become ready wakes us
	}
	return a, in
}

// question asks one pod, and once more for each user's digest where its files
// are not all the newest. twice tells to try again where there is no answer: one
// lost packet is no news.
func (r *FTPServerReconciler) question(ctx context.Context, s *scope, pod *corev1.Pod, twice bool) (*config.Status, error) {
	t := probe.Target{
		IP:    pod.Status.PodIP,
		Port:  render.StatusPort,
		Host:  render.StatusHost(s.server),
		Roots: s.credentials.bundle,
		Token: s.credentials.statusToken,
	}
	status, err := r.Prober.Status(ctx, t)
	if err != nil && twice {
		status, err = r.Prober.Status(ctx, t)
	}
	if err == nil && len(s.users) > 0 && !policy.Loaded(policy.Answer{Status: status}, s.out.Files).OK() {
		t.Users = len(s.users)
		status, err = r.Prober.Status(ctx, t)
	}
	return status, err
}

// Bounds of FTPServerReconciler.ResyncInterval: a pod that was cut off is found
// after this.
const (
	DefaultResyncInterval = time.Minute
	MinResyncInterval     = time.Second
)

// How often pods that have not loaded everything are asked again.
const (
	pollFast     = 200 * time.Millisecond
	pollSlow     = time.Second
	pollSlowest  = 10 * time.Second
	pollFastFor  = 5 * time.Second
	pollSlowFor  = time.Minute
	pollNoted    = 30 * time.Second // what no watch tells, such as a name that is free again
	pokeInterval = 500 * time.Millisecond
)

// pollInterval is how long to wait before asking again pods that have been
// behind for so long.
func pollInterval(behind time.Duration) time.Duration {
	switch {
	case behind < pollFastFor:
		return pollFast
	case behind < pollSlowFor:
		return pollSlow
	}
	return pollSlowest
}

// behind tells which pods have answered that they lack something, or were ready
// and do not answer: a new poke may help those.
func (s *scope) behind() []*corev1.Pod {
	var out []*corev1.Pod
	for _, slot := range s.slots {
		for _, pod := range slot.Live() {
			for _, a := range s.answers {
				if a.Pod != pod.Name || policy.Loaded(a, s.out.Files).OK() {
					continue
				}
				if a.Status != nil || policy.PodReady(pod) {
					out = append(out, pod)
				}
			}
		}
	}
	return out
}

// caughtUp tells that a pod has answered that it lacks nothing.
func (s *scope) caughtUp(pod *corev1.Pod) bool {
	for _, a := range s.answers {
		if a.Pod == pod.Name {
			return policy.Loaded(a, s.out.Files).OK()
		}
	}
	return false
}

// answered tells that a pod has answered.
func (s *scope) answered(pod *corev1.Pod) bool {
	return slices.ContainsFunc(s.answers, func(a policy.Answer) bool { return a.Pod == pod.Name && a.Status != nil })
}

// verdicts are what the server's pass found of each user.
func (s *scope) verdicts() []Verdict {
	byName := make([]Verdict, 0, len(s.users))
	for _, u := range s.users {
		byName = append(byName, Verdict{
			UID: u.UID, Name: u.Name, Generation: u.Generation,
			Accepted:   s.accepted[u.UID],
			Resolved:   s.passwordFinding(u),
			Programmed: s.userProgrammed(u),
		})
	}
	return byName
}

func (s *scope) passwordFinding(u *v1alpha1.FTPUser) policy.Finding {
	if p, judged := s.passwords[u.UID]; judged {
		return p.finding
	}
	return policy.NotJudged()
}

func (s *scope) userProgrammed(u *v1alpha1.FTPUser) policy.Finding {
	login, loaded := s.logins[u.UID]
	switch {
	case !s.accepted[u.UID].OK():
		return policy.NotLoaded()
	case !s.rendered():
		return policy.UserNotWritten() // the pods may well have it from before
	case !loaded:
		return policy.NotLoaded()
	}
	return policy.UserProgrammed(s.slots, s.answers, s.out.Files, login)
}

// programmed is the finding of ConditionProgrammed.
func (s *scope) programmed() policy.Finding {
	if !s.rendered() {
		return policy.NotWritten()
	}
	return policy.Programmed(s.slots, s.answers, s.wanted())
}

func (s *scope) slotProgrammed(slot policy.Slot) policy.Finding {
	if !s.rendered() {
		return policy.NotWritten()
	}
	return policy.SlotProgrammed(slot, s.answers, s.wanted())
}

// rendered tells that there are files for the pods to load: that the spec could
// be acted on.
func (s *scope) rendered() bool { return len(s.out.Files) > 0 }

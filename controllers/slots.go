package controllers

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// gatherSlots reads the slots that are to run, and those that have run.
func (r *FTPServerReconciler) gatherSlots(ctx context.Context, s *scope) error {
	deployments, err := r.deploymentsIn(ctx, s, r.Client)
	if err != nil {
		return err
	}
	found := map[int]policy.Slot{}
	at := func(number int) policy.Slot {
		if slot, ok := found[number]; ok {
			return slot
		}
		return policy.Slot{Number: number, Name: render.DeploymentName(s.server.Name, number), Deployment: deployments[number]}
	}
	for number := range deployments {
		found[number] = at(number)
	}
	for _, p := range s.pods {
		if number, ok := render.SlotOf(p); ok {
			slot := at(number)
			slot.Pods = append(slot.Pods, p)
			found[number] = slot
		}
	}
	for i := range render.Replicas(s.server) {
		if slot := at(i); i == 0 || slot.Deployment != nil || s.mayBeShared() {
			s.slots = append(s.slots, slot)
			delete(found, i)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(found)) {
		if slot := found[number]; !slot.Ended() {
			s.surplus = append(s.surplus, slot)
		}
	}
	return nil
}

// deploymentsIn reads the Deployments of the slots, by number. One that has lost
// the labels that it is found by is found by its name, so that it is judged as
// any other and gets them back.
func (r *FTPServerReconciler) deploymentsIn(ctx context.Context, s *scope, from client.Reader) (map[int]*appsv1.Deployment, error) {
	var list appsv1.DeploymentList
	if err := from.List(ctx, &list, client.InNamespace(s.server.Namespace), client.MatchingLabels(render.Labels(s.server.Name))); err != nil {
		return nil, err
	}
	found := map[int]*appsv1.Deployment{}
	for i := range list.Items {
		d := &list.Items[i]
		if number, ok := render.SlotOf(d); ok && d.Name == render.DeploymentName(s.server.Name, number) && metav1.IsControlledBy(d, s.server) {
			found[number] = d
		}
	}
	for _, number := range s.expected() {
		if found[number] != nil {
			continue
		}
		d := &appsv1.Deployment{}
		err := r.Live.Get(ctx, s.key(render.DeploymentName(s.server.Name, number)), d)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil && metav1.IsControlledBy(d, s.server) {
			found[number] = d
		}
	}
	return found, nil
}

// expected are the slots that are to have a Deployment, or have pods of one.
func (s *scope) expected() []int {
	var out []int
	for i := range render.Replicas(s.server) {
		if i == 0 || s.mayBeShared() {
			out = append(out, i)
		}
	}
	for _, p := range s.pods {
		if number, ok := render.SlotOf(p); ok && !policy.PodEnded(p) && !slices.Contains(out, number) {
			out = append(out, number)
		}
	}
	return out
}

// portSlots is how many slots the Service has passive ports for. Those of a slot
// stay until its last pod has ended.
func (s *scope) portSlots() int {
	n := render.Slots(s.server)
	for _, slot := range s.surplus {
		n = max(n, slot.Number+1)
	}
	return n
}

// deployments are those of the slots that are to run, and of others whose pods
// have yet to end.
func (s *scope) deployments() []render.SlotDeployment {
	var out []render.SlotDeployment
	for _, slot := range s.slots {
		d := render.SlotDeployment{Slot: slot.Number, Replicas: 1}
		if slot.Draining(s.now) {
			d.Replicas = 0
		}
		if slot.Outdated && !s.renews(slot) {
			d.Kept = slot.Deployment
		}
		out = append(out, d)
	}
	for _, slot := range s.surplus {
		if slot.Deployment != nil {
			out = append(out, render.SlotDeployment{Slot: slot.Number, Kept: slot.Deployment})
		}
	}
	return out
}

func (s *scope) renews(slot policy.Slot) bool {
	return slices.Contains(s.rollout.Renew, slot.Number)
}

// slotOf is the slot whose Deployment has the name, among all that have one.
func (s *scope) slotOf(deployment string) *policy.Slot {
	for _, slots := range [][]policy.Slot{s.slots, s.surplus} {
		for i := range slots {
			if slots[i].Name == deployment {
				return &slots[i]
			}
		}
	}
	return nil
}

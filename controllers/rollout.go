package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// roll decides which slots get the newest pod template in this pass. Before a pod
// that serves is ended for it, it judges what the API server has, and not what
// the cache has: that may be of before the last pod was ended, by this process or
// by the one before it. What is written is then written onto the very version
// that was judged.
func (r *FTPServerReconciler) roll(ctx context.Context, s *scope) error {
	if err := r.judge(ctx, s); err != nil || s.rollout.Down == nil {
		return err
	}
	now, err := r.deploymentsIn(ctx, s, r.Live)
	if err != nil {
		return err
	}
	for i := range s.slots {
		s.slots[i].Deployment = now[s.slots[i].Number]
	}
	for i := range s.surplus {
		s.surplus[i].Deployment = now[s.surplus[i].Number]
	}
	return r.judge(ctx, s)
}

// judge finds which slots are outdated, and decides by that.
func (r *FTPServerReconciler) judge(ctx context.Context, s *scope) error {
	for i := range s.slots {
		if err := r.compare(ctx, s, &s.slots[i]); err != nil {
			return err
		}
	}
	s.rollout = policy.Roll(s.slots, s.claimGone())
	return nil
}

// compare finds whether a slot is outdated: its Deployment was rendered with
// another template than the newest, or to apply that would change it all the same,
// and so replace the pod: somebody has changed it since, or it was kept as it was
// for a while, with defaults that the API server would choose otherwise by now
// (imagePullPolicy goes by the image's tag).
func (r *FTPServerReconciler) compare(ctx context.Context, s *scope, slot *policy.Slot) error {
	d := slot.Deployment
	if d == nil {
		slot.Outdated = false
		return nil
	}
	want := render.Deployment(s.template(r.Image), render.SlotDeployment{Slot: slot.Number, Replicas: 1})
	slot.Outdated = render.TemplateHash(d) != render.TemplateHash(want)
	if slot.Outdated || !d.DeletionTimestamp.IsZero() || r.applier.untouched(s.server, want, d) {
		return nil
	}
	changed, err := r.applier.changesTemplate(ctx, want, d)
	if rejected(err) {
		return nil // so will it be when it is applied in its turn, and told of
	}
	if err != nil || !changed {
		return client.IgnoreNotFound(err)
	}
	slot.Deployment = d.DeepCopy()
	delete(slot.Deployment.Annotations, render.AnnotationTemplate) // so that it stays known until it is put right
	slot.Outdated = true
	return nil
}

// template is all that the pod templates follow from.
func (s *scope) template(image string) render.Input {
	return render.Input{Server: s.server, Image: image, SharedVolume: policy.VolumeAskedShared(s.server, s.claim)}
}

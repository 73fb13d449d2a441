package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// gatherFront reads the front, and takes its pods from among all of the server's.
func (r *FTPServerReconciler) gatherFront(ctx context.Context, s *scope, pods []*corev1.Pod) error {
	s.front.Name, s.front.Control = render.FrontName(s.server.Name), s.control()
	for _, p := range pods {
		if render.OfFront(p) {
			s.front.Pods = append(s.front.Pods, p)
		} else {
			s.pods = append(s.pods, p)
		}
	}
	d := &appsv1.Deployment{}
	err := r.Client.Get(ctx, s.key(s.front.Name), d)
	if apierrors.IsNotFound(err) && render.HasFront(s.server) {
		err = r.Live.Get(ctx, s.key(s.front.Name), d) // it may have lost its label, or be too new
	}
	if err == nil && metav1.IsControlledBy(d, s.server) {
		s.front.Deployment = d
	}
	return client.IgnoreNotFound(err)
}

// control is where the control port leads.
func (s *scope) control() policy.Control {
	switch {
	case s.service == nil:
		return policy.ControlNowhere
	case render.LeadsToFront(s.service):
		return policy.ControlToFront
	}
	return policy.ControlToSlots
}

// workloadAvailable is about the slots, and then about the front that is asked
// for.
func (s *scope) workloadAvailable(slots policy.Finding) policy.Finding {
	if !slots.OK() || render.FrontReplicas(s.server) == 0 {
		return slots
	}
	leadsThere := s.control() == policy.ControlToFront
	switch {
	case s.front.Deployment != nil: // it runs on
	case s.frontHeldUp:
		return policy.FrontHeldUp(s.front, "a name is free", leadsThere)
	case len(s.unguarded) > 0:
		return policy.FrontHeldUp(s.front, "Kubernetes takes its NetworkPolicy", leadsThere)
	}
	if f := policy.FrontAvailable(s.front, leadsThere); !f.OK() {
		return f
	}
	return slots
}

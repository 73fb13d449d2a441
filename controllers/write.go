package controllers

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// apply writes all objects, or none where one of the names is not the server's:
// a pod must not run with, or mount, what is somebody else's. Names that only the
// front needs hold up the front only. What only an edit can help is noted in the
// scope and does not keep the others from being written.
func (r *FTPServerReconciler) apply(ctx context.Context, s *scope) error {
	if s.invalid != "" || len(s.taken) > 0 {
		return nil
	}
	found, hold, err := r.survey(ctx, s)
	if err != nil {
		return err
	}
	if hold {
		s.out = render.Output{} // so that no pod is measured by it
		return nil
	}
	if err := r.allocate(ctx, s, found); err != nil {
		return err
	}
	for i, obj := range s.out.Objects {
		if found[i] != nil && leaving(found[i]) != nil || s.heldBack(obj) || s.frontHeldUp && s.forFront(obj) {
			continue
		}
		now, err := r.applyOne(ctx, s, obj, found[i])
		if err == nil {
			err = s.follow(now)
		}
		switch {
		case err == nil:
		case rejected(err):
			s.refuse(obj, err)
		default:
			return &stepError{"apply " + called(obj), err}
		}
	}
	return r.prune(ctx, s)
}

// allocate has Kubernetes allocate the node ports that passive ports still lack,
// and renders once more with them: no configuration is ever without, in which
// PASV would be refused to all for as long. A Service that is rejected is
// rejected once more, and told of, when it is applied in its turn.
func (r *FTPServerReconciler) allocate(ctx context.Context, s *scope, found []client.Object) error {
	if len(s.out.Objects) == 0 || !render.PortsPending(s.server, s.service, s.portSlots()) {
		return nil // without the authority nothing is rendered
	}
	i := slices.IndexFunc(s.out.Objects, s.clientsEnter)
	if found[i] != nil && leaving(found[i]) != nil {
		return nil
	}
	now, err := r.applyOne(ctx, s, s.out.Objects[i], found[i])
	if rejected(err) {
		return nil
	}
	if err != nil {
		return &stepError{"apply " + called(s.out.Objects[i]), err}
	}
	if err := s.follow(now); err != nil {
		return err
	}
	found[i] = now
	return r.render(s)
}

// refuse notes that the API server will not have an object.
func (s *scope) refuse(obj render.Object, err error) {
	s.rejected = append(s.rejected, policy.Rejection(called(obj), err.Error()))
	if _, is := obj.(*networkingv1.NetworkPolicy); is {
		s.unguarded = append(s.unguarded, obj.GetName())
	}
}

// heldBack tells of the first Deployment of a slot, or of the front, that clients
// must not come to yet: its NetworkPolicy was rejected, and would let in whom the
// spec keeps out; or the Service does not have the slot's ports, as it was rejected
// or is being deleted, and data connections would lead nowhere. It is noted in the
// slot.
func (s *scope) heldBack(obj render.Object) bool {
	if !s.ofSlot(obj) {
		_, is := obj.(*appsv1.Deployment)
		return is && s.front.Deployment == nil && len(s.unguarded) > 0
	}
	slot := s.slotOf(obj.GetName())
	if slot == nil || slot.Deployment != nil {
		return false
	}
	slot.AwaitsPolicy = slices.Contains(s.unguarded, render.NetworkPolicyName(s.server.Name))
	slot.AwaitsPorts = slot.Number != 0 && !render.HasPorts(s.service, slot.Number)
	return slot.AwaitsPolicy || slot.AwaitsPorts
}

// applyOne writes one object. A Secret with what was made for it before is
// written onto the very version that this was read from, or where there was
// none: another operator, whose lease is lost and who does not know it yet, may
// have made the same meanwhile, and what it has handed out stays. A Deployment is
// written onto the version that was judged, as its pod may end for it; the Service
// onto the one whose node ports are asked for, as others would be chosen anew.
func (r *FTPServerReconciler) applyOne(ctx context.Context, s *scope, obj render.Object, found client.Object) (client.Object, error) {
	switch {
	case s.ofSlot(obj):
		return r.applier.apply(ctx, s.server, obj, s.judged(obj.GetName()))
	case s.clientsEnter(obj):
		base := target{found: found}
		if s.service != nil {
			base.uid, base.version = s.service.UID, s.service.ResourceVersion
		}
		return r.applier.apply(ctx, s.server, obj, base)
	}
	read, carried := s.carried[obj.GetName()]
	if _, isSecret := obj.(*corev1.Secret); !carried || !isSecret {
		return r.applier.apply(ctx, s.server, obj, onto(found))
	}
	base := target{found: found}
	if read != nil && found != nil {
		base.uid, base.version = read.UID, read.ResourceVersion
	}
	now, err := r.applier.apply(ctx, s.server, obj, base)
	if err != nil || now != found {
		r.secrets.forget(client.ObjectKeyFromObject(obj)) // it is to be read as it is now
	}
	return now, err
}

// ofSlot tells whether an object is the Deployment of a slot, and not the front's.
func (s *scope) ofSlot(obj render.Object) bool {
	_, is := obj.(*appsv1.Deployment)
	return is && obj.GetName() != s.front.Name
}

// clientsEnter tells whether an object is the Service that clients connect to, and
// not that by which the slots have names.
func (s *scope) clientsEnter(obj render.Object) bool {
	_, is := obj.(*corev1.Service)
	return is && obj.GetName() == render.ServiceName(s.server.Name)
}

// survey looks at what has the names of the objects, in their order. hold tells
// that one of them is not the server's, and not for the front only. What is its own
// and being deleted holds up nothing else: pods go on with it, and an edit may be
// what lets it go.
func (r *FTPServerReconciler) survey(ctx context.Context, s *scope) (found []client.Object, hold bool, err error) {
	for _, obj := range s.out.Objects {
		o, err := r.applier.find(ctx, obj)
		if err != nil {
			return nil, false, &stepError{"look at " + called(obj), err}
		}
		found = append(found, o)
		if o == nil {
			continue
		}
		hold = s.judge(obj, ours(s.server, o)) || hold
	}
	return found, hold, nil
}

// judge notes what ours has said of the object that has a name. hold tells that
// nothing may be written because of it.
func (s *scope) judge(obj render.Object, err error) (hold bool) {
	if err == nil {
		return false
	}
	leaving, name := errors.Is(err, errLeaving), called(obj)
	others := !leaving || errors.Is(err, errOthersLeaving)
	if s.forFront(obj) {
		s.frontHeldUp = s.frontHeldUp || others
		others, name = false, name+" (for the front only)"
	}
	switch {
	case leaving:
		s.leaving = append(s.leaving, name)
	case s.forFront(obj) && !render.HasFront(s.server): // it concerns nobody
	default:
		s.taken = append(s.taken, name)
	}
	return others
}

// forFront tells whether an object is there for the front alone: what is called as
// it is, and the Service by which it finds the slots.
func (s *scope) forFront(obj render.Object) bool {
	_, service := obj.(*corev1.Service)
	return obj.GetName() == s.front.Name || service && obj.GetName() == render.SlotsServiceName(s.server.Name)
}

// called is the kind and name of an object, for people.
func called(obj render.Object) string {
	return obj.GetObjectKind().GroupVersionKind().Kind + " " + obj.GetName()
}

// follow puts a Deployment, as the API server has it now, in its slot, and the
// Service and the bundle in the scope. The Deployment that was gathered may not know
// of the newest template, and would be told as available; the Service not of ports
// that it was just given; the bundle may only have come with this pass.
func (s *scope) follow(now client.Object) error {
	u, raw := now.(*unstructured.Unstructured)
	if !raw {
		return nil // it was not written, and is known already
	}
	switch {
	case u.GetKind() == "Service" && u.GetName() == render.ServiceName(s.server.Name):
		s.service = &corev1.Service{}
		return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, s.service)
	case u.GetKind() == "ConfigMap" && u.GetName() == render.CAConfigMapName(s.server.Name):
		s.bundle = &corev1.ConfigMap{}
		return runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, s.bundle)
	case u.GetKind() == "Deployment":
		d, err := asDeployment(u)
		if err != nil {
			return err
		}
		if d.Name == s.front.Name {
			s.front.Deployment = d
		}
		if slot := s.slotOf(d.Name); slot != nil {
			slot.Deployment = d
			slot.Outdated = slot.Outdated && !s.renews(*slot)
		}
	}
	return nil
}

// judged is the Deployment of a slot as the pass has judged it.
func (s *scope) judged(name string) target {
	slot := s.slotOf(name)
	if slot == nil || slot.Deployment == nil {
		return target{}
	}
	return target{found: slot.Deployment, uid: slot.Deployment.UID, version: slot.Deployment.ResourceVersion}
}

// rejected tells that the API server, or a policy in it, will not have the
// object: that a volume cannot grow, or that a quota is used up. An admission
// webhook answers with a code of its choice. What is left out passes by itself,
// or is not the spec's fault.
func rejected(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || unauthorised(status) {
		return false
	}
	switch code := status.Status().Code; code {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// withoutRight is how the API server's authoriser says no; quotas and policies,
// whose answers have the same code, say otherwise.
var withoutRight = regexp.MustCompile(`is forbidden: User "[^"]*" cannot `)

// unauthorised tells that the operator lacks a right.
func unauthorised(status apierrors.APIStatus) bool {
	return status.Status().Code == http.StatusForbidden && withoutRight.MatchString(status.Status().Message)
}

package controllers

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// apply writes all objects, or none where one of the names is not the server's:
// a pod must not run with, or mount, what is somebody else's. What only an edit
// can help is noted in the scope and does not keep the others from being
// written.
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
	for i, obj := range s.out.Objects {
		if found[i] != nil && leaving(found[i]) != nil {
			continue
		}
		now, err := r.applyOne(ctx, s, obj, found[i])
		if err == nil {
			err = s.follow(now)
		}
		switch {
		case err == nil:
		case rejected(err):
			s.rejected = append(s.rejected, policy.Rejection(called(obj), err.Error()))
		default:
			return &stepError{"apply " + called(obj), err}
		}
	}
	return r.prune(ctx, s)
}

// applyOne writes one object. A Secret with what was made for it before is
// written onto the very version that this was read from, or where there was
// none: another operator, whose lease is lost and who does not know it yet, may
// have made the same meanwhile, and what it has handed out stays.
func (r *FTPServerReconciler) applyOne(ctx context.Context, s *scope, obj render.Object, found client.Object) (client.Object, error) {
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

// survey looks at what has the names of the objects, in their order. hold tells
// that one of them is not the server's. What is its own and being deleted holds
// up nothing else: pods go on with it, and an edit may be what lets it go.
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
		switch err := ours(s.server, o); {
		case errors.Is(err, errLeaving):
			s.leaving = append(s.leaving, called(obj))
			hold = hold || errors.Is(err, errOthersLeaving)
		case err != nil:
			s.taken = append(s.taken, called(obj))
			hold = true
		}
	}
	return found, hold, nil
}

// called is the kind and name of an object, for people.
func called(obj render.Object) string {
	return obj.GetObjectKind().GroupVersionKind().Kind + " " + obj.GetName()
}

// follow puts a Deployment, as the API server has it now, in its slot: the one
// that was gathered may not know of the newest template, and would be told as
// available.
func (s *scope) follow(now client.Object) error {
	d, ok := now.(*appsv1.Deployment)
	if u, raw := now.(*unstructured.Unstructured); raw && u.GetKind() == "Deployment" {
		d, ok = &appsv1.Deployment{}, true
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, d); err != nil {
			return err
		}
	}
	if !ok {
		return nil
	}
	if d.Name == s.front.Name {
		s.front.Deployment = d
	}
	for i := range s.slots {
		if s.slots[i].Name == d.Name {
			s.slots[i].Deployment = d
		}
	}
	return nil
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

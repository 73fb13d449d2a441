package controllers

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// stepError is an error and what the operator was about when it met it.
type stepError struct {
	step string // completes "could not …", and holds no secret
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// failed is the finding for an error that ended a pass. The error itself goes to
// the log only, as it may quote anything. told is false where there is nothing to
// tell: a conflict, which the next pass settles, or the end of the operator.
func failed(ctx context.Context, failure error) (finding policy.Finding, told bool) {
	var at *stepError
	if ctx.Err() != nil || apierrors.IsConflict(failure) || apierrors.IsAlreadyExists(failure) || !errors.As(failure, &at) {
		return policy.Finding{}, false
	}
	return policy.ReconcileFailed(at.step, string(apierrors.ReasonForError(failure))), true
}

// patchFailure tells of an error that ended a pass, in Ready alone: nothing was
// learnt that would be true of the rest.
func (r *FTPServerReconciler) patchFailure(ctx context.Context, server *v1alpha1.FTPServer, failure error) error {
	finding, told := failed(ctx, failure)
	if !told {
		return nil
	}
	before := server.DeepCopy()
	server.Status.ObservedGeneration = server.Generation
	policy.SetFailure(&server.Status.Conditions, server.Generation, finding)
	return r.writeStatus(ctx, before, server)
}

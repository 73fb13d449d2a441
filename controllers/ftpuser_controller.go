package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// userWorkers is how many users are worked on at once. A pass is short.
const userWorkers = 4

// FTPUserReconciler makes the password of an FTPUser that brings none, and
// writes the status from what the server's pass found. The users' entries are
// written by the server's pass.
type FTPUserReconciler struct {
	// Client reads from the cache and writes. Live reads from the API server.
	Client   client.Client
	Live     client.Reader
	Recorder events.EventRecorder
	// Board is where verdicts are read.
	Board *Board
	// Now is the clock.
	Now func() time.Time

	secrets *secretReader
	written *written
}

// The user itself: watched; its status written. Its password Secret is created
// under the rights named beside FTPServerReconciler.
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpusers,verbs=list;watch
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpusers/status,verbs=patch
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpusers/finalizers,verbs=update

// SetupWithManager starts the reconciler with the manager. AddIndexes must have
// been called.
func (r *FTPUserReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.start()
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.FTPUser{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, rotationAsked))).
		Watches(&v1alpha1.FTPServer{}, handler.EnqueueRequestsFromMapFunc(r.usersOfServer),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.usersOfSecret)).
		WatchesRawSource(source.Channel(r.Board.Changed, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: userWorkers}).
		Complete(r)
}

// start has the reconciler remember nothing, as a process that has just begun.
func (r *FTPUserReconciler) start() {
	r.secrets = newSecretReader(r.Client, r.Live)
	r.written = newWritten()
}

// Reconcile makes the password where one is to be made, and tells how far the
// user is.
func (r *FTPUserReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	user := &v1alpha1.FTPUser{}
	if err := r.Client.Get(ctx, req.NamespacedName, user); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !user.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if r.written.stale(user) {
		return ctrl.Result{RequeueAfter: catchUp}, nil
	}
	problem, err := r.password(ctx, user)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil // everything here is going
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("make the password: %w", err)
	}
	verdict, known, err := r.verdict(ctx, user)
	if err != nil || !known {
		return ctrl.Result{}, err // the server's pass will wake us
	}
	if problem != nil {
		verdict.Accepted = *problem
	}
	if user.Spec.PasswordSecretRef != nil && user.Annotations[v1alpha1.AnnotationRotatePassword] != "" {
		verdict.Resolved = policy.RotationIgnored(verdict.Resolved)
	}
	return r.next(user), r.patchStatus(ctx, user, verdict)
}

// next looks again when the login ends by its time. The pods end it by
// themselves.
func (r *FTPUserReconciler) next(u *v1alpha1.FTPUser) ctrl.Result {
	if u.Spec.ExpiresAt == nil || policy.Expired(u, r.Now()) {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(u.Spec.ExpiresAt.Sub(r.Now()), time.Millisecond)}
}

// verdict is what is known of the user; known tells whether it is about its
// present generation.
func (r *FTPUserReconciler) verdict(ctx context.Context, u *v1alpha1.FTPUser) (v Verdict, known bool, err error) {
	key := client.ObjectKey{Namespace: u.Namespace, Name: u.Spec.ServerRef.Name}
	err = r.Client.Get(ctx, key, &v1alpha1.FTPServer{})
	if apierrors.IsNotFound(err) {
		return Verdict{
			Accepted:   policy.ServerMissing(key.Name),
			Resolved:   policy.NotJudged(),
			Programmed: policy.NotLoaded(),
		}, true, nil
	}
	if err != nil {
		return Verdict{}, false, err
	}
	v, known = r.Board.Read(key, u.UID)
	return v, known && v.Generation == u.Generation, nil
}

// patchStatus writes the user's status, once a pass and only if it moved.
func (r *FTPUserReconciler) patchStatus(ctx context.Context, u *v1alpha1.FTPUser, v Verdict) error {
	before := u.DeepCopy()
	ref := passwordRef(u)
	u.Status.ObservedGeneration = u.Generation
	u.Status.Username = u.Username()
	u.Status.PasswordSecretRef = &ref
	policy.SetConditions(&u.Status.Conditions, u.Generation, []policy.Named{
		{Type: v1alpha1.ConditionAccepted, Finding: v.Accepted},
		{Type: v1alpha1.ConditionResolvedRefs, Finding: v.Resolved},
		{Type: v1alpha1.ConditionProgrammed, Finding: v.Programmed},
	}, policy.UserReady(u, v.Programmed, r.Now()))
	if equality.Semantic.DeepEqual(before.Status, u.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, u, onlyOnto(before), client.FieldOwner(fieldOwner)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.written.note(u)
	announce(r.Recorder, u, before.Status.Conditions, u.Status.Conditions)
	return nil
}

func (r *FTPUserReconciler) usersOfServer(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.FTPUserList
	if err := r.Client.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexServer: o.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Users could not be listed")
		return nil
	}
	return requests(list.Items)
}

func (r *FTPUserReconciler) usersOfSecret(ctx context.Context, o client.Object) []reconcile.Request {
	return requests(usersBySecret(ctx, r.Client, o))
}

func requests(users []v1alpha1.FTPUser) []reconcile.Request {
	var out []reconcile.Request
	for i := range users {
		out = append(out, request(users[i].Namespace, users[i].Name))
	}
	return out
}

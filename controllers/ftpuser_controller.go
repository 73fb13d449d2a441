package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
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
		if apierrors.IsNotFound(err) {
			r.written.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !user.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if r.written.stale(user) {
		return ctrl.Result{RequeueAfter: catchUp}, nil
	}
	s, err := r.judge(ctx, user)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return ctrl.Result{}, nil // everything here is going
	case err != nil:
		return ctrl.Result{}, errors.Join(err, r.patchFailure(ctx, user, err))
	case s.problem == nil && !s.known:
		return ctrl.Result{}, nil // the server's pass will wake us
	}
	return r.next(user, s.problem), r.patchStatus(ctx, user, s)
}

// userState is what is known of a user.
type userState struct {
	// has tells that the Secret with its password is the user's, or given; problem
	// what is wrong with a generated one, or nil.
	has     bool
	problem *policy.Finding
	// known tells that verdict is about its present generation.
	known   bool
	verdict Verdict
}

// judge makes the password where one is to be made, and reads the verdict.
func (r *FTPUserReconciler) judge(ctx context.Context, u *v1alpha1.FTPUser) (s userState, err error) {
	if s.has, s.problem, err = r.password(ctx, u); err != nil {
		return s, &stepError{"make the password", err}
	}
	if s.verdict, s.known, err = r.verdict(ctx, u); err != nil {
		return s, &stepError{"look for the server", err}
	}
	return s, nil
}

// next looks again when the login ends by its time, though the pods end it by
// themselves, and for what no watch tells: that the password is no longer refused.
func (r *FTPUserReconciler) next(u *v1alpha1.FTPUser, problem *policy.Finding) ctrl.Result {
	var again time.Duration
	if problem != nil && problem.Reason == v1alpha1.ReasonChildRejected {
		again = pollNoted
	}
	if u.Spec.ExpiresAt != nil && !policy.Expired(u, r.Now()) {
		again = soonest(again, max(u.Spec.ExpiresAt.Sub(r.Now()), time.Millisecond))
	}
	return ctrl.Result{RequeueAfter: again}
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

// patchStatus tells what a whole pass has found. It names no login, and no Secret,
// that is somebody else's.
func (r *FTPUserReconciler) patchStatus(ctx context.Context, u *v1alpha1.FTPUser, s userState) error {
	before := u.DeepCopy()
	u.Status.ObservedGeneration = u.Generation
	if s.known {
		u.Status.Username = when(s.verdict.Accepted.OK(), u.Username())
	}
	u.Status.PasswordSecretRef = when(s.has, ptr.To(passwordRef(u)))
	policy.SetConditions(&u.Status.Conditions, u.Generation, s.findings(u), policy.UserReady(u, s.verdict.Programmed, r.Now()))
	return r.writeStatus(ctx, before, u)
}

// when is the value where something holds, else none.
func when[T any](holds bool, value T) (none T) {
	if holds {
		return value
	}
	return none
}

// findings are those of the conditions. Where the server's pass has yet to post
// its verdict, what it would tell stays as it was.
func (s userState) findings(u *v1alpha1.FTPUser) []policy.Named {
	accepted, resolved := s.verdict.Accepted, s.verdict.Resolved
	if s.problem != nil {
		accepted = *s.problem
	}
	out := []policy.Named{{Type: v1alpha1.ConditionAccepted, Finding: accepted}}
	if !s.known {
		return out
	}
	if u.Spec.PasswordSecretRef != nil && u.Annotations[v1alpha1.AnnotationRotatePassword] != "" {
		resolved = policy.RotationIgnored(resolved)
	}
	return append(out,
		policy.Named{Type: v1alpha1.ConditionResolvedRefs, Finding: resolved},
		policy.Named{Type: v1alpha1.ConditionProgrammed, Finding: s.verdict.Programmed})
}

// patchFailure tells of an error that ended a pass, in Ready alone.
func (r *FTPUserReconciler) patchFailure(ctx context.Context, u *v1alpha1.FTPUser, failure error) error {
	finding, told := failed(ctx, failure)
	if !told {
		return nil
	}
	before := u.DeepCopy()
	u.Status.ObservedGeneration = u.Generation
	policy.SetFailure(&u.Status.Conditions, u.Generation, finding)
	return r.writeStatus(ctx, before, u)
}

// writeStatus writes the status of a user if it differs from that of before.
func (r *FTPUserReconciler) writeStatus(ctx context.Context, before, u *v1alpha1.FTPUser) error {
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

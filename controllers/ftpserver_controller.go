// Package controllers keeps the cluster as FTPServers and FTPUsers ask: it
// gathers, has controllers/policy decide and controllers/render build, applies,
// asks the pods what they have loaded, and writes the status.
//
// It holds the flow only. What can be decided or built without a cluster does
// not belong here.
package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// FTPServerReconciler keeps the children and the status of FTPServers.
type FTPServerReconciler struct {
	// Client reads from the cache and writes. Live reads from the API server.
	Client   client.Client
	Live     client.Reader
	Recorder events.EventRecorder
	// Prober asks pods what they have loaded.
	Prober Prober
	// Board is where the FTPUsers' verdicts go.
	Board *Board
	// Now is the clock.
	Now func() time.Time
	// Image is the server's image where a spec names none.
	Image string
	// FrontImage is that of the front where a spec names none.
	FrontImage string
	// Namespace is where the operator runs, which NetworkPolicies let in.
	Namespace string
	// ClusterDomain is the DNS domain of the cluster's Services.
	ClusterDomain string
	// Lifetimes are those of the certificates that are made.
	Lifetimes pki.Lifetimes
	// ResyncInterval is how often a server at rest is looked at again, at least
	// MinResyncInterval; up to a fifth is added, so that not all come at once.
	// Absent (0): DefaultResyncInterval.
	ResyncInterval time.Duration

	secrets      *secretReader
	certificates *certificates
	passwords    *passwords
	applier      *applier
	poker        *poker
	asking       *asking
	recent       *recent
	written      *written
	expiry       *expiry
}

// Reading and writing what a server consists of. Children go with their owner,
// by garbage collection; only what prunable lists is deleted.
//
// The server itself: watched; its status written. The finalizers subresource is
// what clusters with OwnerReferencesPermissionEnforcement ask of whoever makes
// owned objects.
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpservers,verbs=list;watch
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpservers/status,verbs=patch
// +kubebuilder:rbac:groups=ftp-operator.io,resources=ftpservers/finalizers,verbs=update
//
// The children: watched to be put right; created and patched by server-side
// apply. Nothing here deletes a claim; that verb is what clusters with
// OwnerReferencesPermissionEnforcement ask of whoever makes a retained claim
// belong to a server again.
// Deployments are deleted once their slot is scaled away and its last pod has
// ended.
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts;configmaps,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch;create;patch;delete
//
// NetworkPolicies and PodDisruptionBudgets: as the other children, and deleted
// where the spec asks for none any more: one that is left would go on cutting
// connections, or holding up node drains.
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
//
// Secrets: watched as metadata; those that are referenced or its own read by
// name; its own created and patched. Certificates that a spec gives are copied
// into one of its own, which the pods mount.
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
//
// Pods: watched for their state; patched with an annotation that has the
// kubelet refresh their volumes.
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch;patch
//
// Events tell of transitions.
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile brings one server closer to its spec and tells how far it is.
func (r *FTPServerReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	server := &v1alpha1.FTPServer{}
	if err := r.Client.Get(ctx, req.NamespacedName, server); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !server.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // its children go by garbage collection
	}
	if r.written.stale(server) {
		return ctrl.Result{RequeueAfter: catchUp}, nil
	}
	s := &scope{server: server, now: r.Now()}
	err := r.act(ctx, s)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return ctrl.Result{}, nil // everything here is going
	case err != nil:
		return ctrl.Result{}, errors.Join(err, r.patchFailure(ctx, server, err))
	}
	again, err := r.tell(ctx, s)
	return ctrl.Result{RequeueAfter: again}, err
}

// act is the way from the spec to the objects that follow from it.
func (r *FTPServerReconciler) act(ctx context.Context, s *scope) error {
	if err := r.gather(ctx, s); err != nil {
		return &stepError{"read what there is", err}
	}
	r.decide(s)
	if err := r.credentials(ctx, s); err != nil {
		return &stepError{"read or make the keys and certificates", err}
	}
	if err := r.readCertificates(ctx, s); err != nil {
		return &stepError{"read the given certificates", err}
	}
	if s.credentials.ca != nil && len(s.taken) == 0 {
		if err := r.hashPasswords(ctx, s); err != nil {
			return &stepError{"read the passwords", err}
		}
		if err := r.roll(ctx, s); err != nil {
			return &stepError{"look at the replicas", err}
		}
		if err := r.render(s); err != nil {
			return &stepError{"render the objects", err}
		}
	}
	return r.apply(ctx, s)
}

// tell asks the pods how far they are, and writes that down. A poke that fails
// hides nothing: the kubelet's own rhythm does without.
func (r *FTPServerReconciler) tell(ctx context.Context, s *scope) (time.Duration, error) {
	r.expiry.tell(client.ObjectKeyFromObject(s.server), s.credentials.ends)
	r.observe(ctx, s)
	again, err := r.poke(ctx, s)
	r.Board.Post(ctx, client.ObjectKeyFromObject(s.server), s.verdicts())
	return r.next(s, again), errors.Join(err, r.patchStatus(ctx, s))
}

// next is when to look again if no watch wakes us before.
func (r *FTPServerReconciler) next(s *scope, behind time.Duration) time.Duration {
	again := soonest(soonest(behind, s.askAgain), wait.Jitter(cmp.Or(r.ResyncInterval, DefaultResyncInterval), 0.2))
	if at := s.credentials.renewAt; !at.IsZero() {
		again = soonest(again, max(at.Sub(r.Now()), pollFast))
	}
	for _, p := range s.pods {
		if at := policy.OverdueAt(p); at.After(s.now) {
			again = soonest(again, at.Sub(s.now)+time.Second) // no watch tells of a pod that stays
		}
	}
	if len(s.taken)+len(s.leaving)+len(s.rejected) > 0 {
		again = soonest(again, pollNoted)
	}
	return again
}

// forget drops what is remembered of a server that is gone.
func (r *FTPServerReconciler) forget(server client.ObjectKey) {
	r.applier.forget(server)
	r.poker.forget(server)
	r.asking.forget(server)
	r.recent.forget(server)
	r.written.forget(server)
	r.passwords.replace(server, nil)
	r.certificates.replace(server, nil)
	r.expiry.forget(server)
	r.Board.Forget(server)
	for _, name := range []string{
		render.ConfigSecretName(server.Name), render.TLSSecretName(server.Name), render.KeysSecretName(server.Name),
		render.AuthoritySecretName(server.Name),
	} {
		r.secrets.forget(client.ObjectKey{Namespace: server.Namespace, Name: name})
	}
}

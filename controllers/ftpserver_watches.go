package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// serverWorkers is how many servers are worked on at once: one that hashes many
// passwords, or asks a pod in vain, must not keep the others waiting.
const serverWorkers = 8

// SetupWithManager starts the reconciler with the manager. AddIndexes must have
// been called.
func (r *FTPServerReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.start()
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.FTPServer{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&corev1.ConfigMap{}).
		Owns(&networkingv1.NetworkPolicy{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(serverByLabel)).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(r.serversByClaim)).
		Watches(&v1alpha1.FTPUser{}, handler.EnqueueRequestsFromMapFunc(serverOfUser),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.serversBySecret)).
		WithOptions(controller.Options{MaxConcurrentReconciles: serverWorkers}).
		Complete(r)
}

// start has the reconciler remember nothing, as a process that has just begun.
func (r *FTPServerReconciler) start() {
	r.secrets = newSecretReader(r.Client, r.Live)
	r.certificates = newCertificates()
	r.passwords = newPasswords()
	r.applier = newApplier(r.Client, r.Live)
	r.poker = newPoker()
	r.asking, r.recent = newAsking(), newRecent()
	r.written = newWritten()
	r.expiry = newExpiry()
}

func request(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

// serverByLabel finds the server of a pod.
func serverByLabel(_ context.Context, o client.Object) []reconcile.Request {
	if name := o.GetLabels()[render.LabelServer]; name != "" {
		return []reconcile.Request{request(o.GetNamespace(), name)}
	}
	return nil
}

func serverOfUser(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{request(o.GetNamespace(), o.(*v1alpha1.FTPUser).Spec.ServerRef.Name)}
}

// serversByClaim finds the servers whose pods mount a claim.
func (r *FTPServerReconciler) serversByClaim(ctx context.Context, o client.Object) []reconcile.Request {
	return r.servers(ctx, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexClaim: o.GetName()})
}

// serversBySecret finds the servers that a Secret matters to: the one that owns
// it, those that show the certificate in it, and those with a user whose password
// is in it.
func (r *FTPServerReconciler) serversBySecret(ctx context.Context, o client.Object) []reconcile.Request {
	if c := metav1.GetControllerOf(o); c != nil && refersTo(c, v1alpha1.FTPServerKind) {
		return []reconcile.Request{request(o.GetNamespace(), c.Name)}
	}
	out := r.servers(ctx, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexCertificate: o.GetName()})
	for _, u := range usersBySecret(ctx, r.Client, o) {
		out = append(out, request(u.Namespace, u.Spec.ServerRef.Name))
	}
	return out
}

func (r *FTPServerReconciler) servers(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.FTPServerList
	if err := r.Client.List(ctx, &list, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Servers could not be listed")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, request(list.Items[i].Namespace, list.Items[i].Name))
	}
	return out
}

// usersBySecret finds the users whose password is, or would be, in a Secret.
func usersBySecret(ctx context.Context, c client.Reader, o client.Object) []v1alpha1.FTPUser {
	var list v1alpha1.FTPUserList
	if err := c.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingFields{indexPassword: o.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Users could not be listed")
		return nil
	}
	return list.Items
}

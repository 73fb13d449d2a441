package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// Fields that objects are found by in the cache.
const (
	indexServer   = "server"   // FTPUser: the server it is on
	indexPassword = "password" // FTPUser: the Secret with its password
	indexClaim    = "claim"    // FTPServer: the claim that its pods mount
	// FTPServer: the Secrets with the certificates that are given to it
	indexCertificate = "certificate"
)

// CacheOptions says what the operator keeps in memory: of what others share
// with it, only what it made itself. Secrets are watched as metadata, and of
// those of others little is kept even of that. Claims are anybody's, as a spec
// may name one; little is kept of each. No namespaces means all.
func CacheOptions(namespaces []string) cache.Options {
	mine := cache.ByObject{Label: render.ManagedSelector()}
	options := cache.Options{
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:     mine,
			&corev1.Pod{}:            mine,
			&corev1.Service{}:        mine,
			&corev1.ServiceAccount{}: mine,
			&corev1.ConfigMap{}:      mine,

			&networkingv1.NetworkPolicy{}:   mine,
			&policyv1.PodDisruptionBudget{}: mine,
		},
		DefaultTransform: slim,
	}
	if len(namespaces) == 0 {
		return options
	}
	options.DefaultNamespaces = map[string]cache.Config{}
	for _, n := range namespaces {
		options.DefaultNamespaces[n] = cache.Config{}
	}
	return options
}

// slim drops what takes up memory and is never asked for: the annotations and
// the managed fields of Secrets that are not the operator's, and of claims all but
// whose they are and who can mount them. kubectl apply keeps a whole object once
// more in an annotation.
func slim(o any) (any, error) {
	switch o := o.(type) {
	case *metav1.PartialObjectMetadata:
		if !render.ManagedSelector().Matches(labels.Set(o.Labels)) {
			o.Annotations, o.ManagedFields = nil, nil
		}
	case *corev1.PersistentVolumeClaim:
		o.Annotations, o.ManagedFields = nil, nil
		o.Spec = corev1.PersistentVolumeClaimSpec{AccessModes: o.Spec.AccessModes}
		o.Status = corev1.PersistentVolumeClaimStatus{AccessModes: o.Status.AccessModes}
	}
	return o, nil
}

// AddIndexes teaches the cache the indexes that both controllers use.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.FTPUser{}, indexServer, func(o client.Object) []string {
		return []string{o.(*v1alpha1.FTPUser).Spec.ServerRef.Name}
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &v1alpha1.FTPUser{}, indexPassword, func(o client.Object) []string {
		return []string{passwordRef(o.(*v1alpha1.FTPUser)).Name}
	}); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &v1alpha1.FTPServer{}, indexCertificate, func(o client.Object) []string {
		var out []string
		for _, c := range o.(*v1alpha1.FTPServer).Spec.TLS.Certificates {
			out = append(out, c.SecretRef.Name)
		}
		return out
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.FTPServer{}, indexClaim, func(o client.Object) []string {
		return []string{render.MountedClaim(o.(*v1alpha1.FTPServer))}
	})
}

// passwordRef is where the user's password is.
func passwordRef(u *v1alpha1.FTPUser) v1alpha1.SecretKeyReference {
	return policy.PasswordRef(u, v1alpha1.SecretKeyReference{
		Name: render.PasswordSecretName(u.Name),
		Key:  render.KeyPassword,
	})
}

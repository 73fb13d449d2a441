package controllers

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// secretReader reads Secrets. The cache holds their metadata only; contents are
// read by name, and those of the operator's own are kept until they change.
type secretReader struct {
	cache client.Reader
	live  client.Reader

	mu   sync.Mutex
	kept map[client.ObjectKey]*corev1.Secret
}

func newSecretReader(cache, live client.Reader) *secretReader {
	return &secretReader{cache: cache, live: live, kept: map[client.ObjectKey]*corev1.Secret{}}
}

// metadata is what the cache knows of a Secret, or nil.
func (r *secretReader) metadata(ctx context.Context, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if err := r.cache.Get(ctx, key, m); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return m, nil
}

// content reads a Secret from the API server, or returns nil.
func (r *secretReader) content(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	s := &corev1.Secret{}
	if err := r.live.Get(ctx, key, s); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return s, nil
}

// own reads a Secret that the operator made, or returns nil. Where the cache
// knows less than was read before, the API server is asked: a Secret that was
// just made must not be made again.
func (r *secretReader) own(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	m, err := r.metadata(ctx, key)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	kept := r.kept[key]
	r.mu.Unlock()
	if m != nil && kept != nil && kept.UID == m.UID && kept.ResourceVersion == m.ResourceVersion {
		return kept, nil
	}
	s, err := r.content(ctx, key)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s == nil {
		delete(r.kept, key)
		return nil, nil
	}
	r.kept[key] = s
	return s, nil
}

// createOnce makes a Secret, unless it is there already: then what is there
// counts, also where another made it at the same instant.
func (r *secretReader) createOnce(ctx context.Context, c client.Client, s *corev1.Secret) (*corev1.Secret, error) {
	err := c.Create(ctx, s, client.FieldOwner(fieldOwner))
	if err == nil {
		return s, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	return r.content(ctx, client.ObjectKeyFromObject(s))
}

// change replaces the data of a Secret of the operator's own, as it was read: if
// it has been changed since, the error is a conflict, and what is there now is
// read next time.
func (r *secretReader) change(ctx context.Context, c client.Client, was *corev1.Secret, data map[string][]byte) error {
	now := was.DeepCopy()
	now.Data = data
	key := client.ObjectKeyFromObject(was)
	err := c.Patch(ctx, now, client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldOwner))
	if err != nil {
		r.forget(key)
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[key] = now
	return nil
}

// forget drops what is kept of Secrets that are gone.
func (r *secretReader) forget(keys ...client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		delete(r.kept, k)
	}
}

package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// authority is the server's certificate authority, or nil where its Secret
// can't be had now. Each server has one of its own: who may write an FTPServer
// chooses names for its certificate, and must not be able to have one that
// clients of other servers would trust.
//
// The steps from one certificate authority to the next are taken here. Where
// another operator was quicker, its step counts and the next is taken from there.
func (r *FTPServerReconciler) authority(ctx context.Context, s *scope) (a *pki.Authority, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		a, err = r.advanceAuthority(ctx, s)
		return err
	})
	return a, err
}

func (r *FTPServerReconciler) advanceAuthority(ctx context.Context, s *scope) (*pki.Authority, error) {
	name, called := render.AuthoritySecretName(s.server.Name), s.server.Namespace+"/"+s.server.Name
	secret, err := r.madeOnce(ctx, s, name, func() (*corev1.Secret, error) {
		pair, err := pki.NewCA(called, r.Now(), r.Lifetimes.CA)
		return render.Authority(s.server, pki.Stored{Signing: pair}), err
	})
	if secret == nil || err != nil {
		return nil, err
	}
	a, err := pki.ParseAuthority(render.ReadAuthority(secret.Data))
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w: restore it, or delete it to have a new authority", client.ObjectKeyFromObject(secret), err)
	}
	next, changed, err := a.Advance(called, r.Now(), s.published(), r.Lifetimes.CA)
	if !changed || err != nil {
		return a, err
	}
	if err := r.secrets.change(ctx, r.Client, secret, render.AuthorityData(next)); err != nil {
		return nil, fmt.Errorf("change secret %s: %w", name, err)
	}
	return pki.ParseAuthority(next)
}

// gatherBundle reads the ConfigMap with the bundle that clients can have now.
func (r *FTPServerReconciler) gatherBundle(ctx context.Context, s *scope) error {
	bundle := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, s.key(render.CAConfigMapName(s.server.Name)), bundle)
	if err == nil && metav1.IsControlledBy(bundle, s.server) {
		s.bundle = bundle
	}
	return client.IgnoreNotFound(err)
}

// published is the bundle that clients can have now.
func (s *scope) published() []byte {
	if s.bundle == nil {
		return nil
	}
	return []byte(s.bundle.Data[render.KeyCACert])
}

// madeOnce reads a Secret of the server's that is made once and never
// overwritten, and makes it where there is none. It is nil where the name is
// somebody else's or an older server's, which is noted in the scope.
func (r *FTPServerReconciler) madeOnce(ctx context.Context, s *scope, name string, fresh func() (*corev1.Secret, error)) (*corev1.Secret, error) {
	found, err := r.secrets.own(ctx, s.key(name))
	if err != nil {
		return nil, err
	}
	if found == nil {
		if found, err = r.make(ctx, fresh); err != nil {
			return nil, fmt.Errorf("make secret %s: %w", name, err)
		}
	}
	switch err := ours(s.server, found); {
	case errors.Is(err, errLeaving):
		s.leaving = append(s.leaving, "Secret "+name)
		return nil, nil
	case err != nil:
		s.taken = append(s.taken, "Secret "+name)
		return nil, nil
	}
	return found, nil
}

func (r *FTPServerReconciler) make(ctx context.Context, fresh func() (*corev1.Secret, error)) (*corev1.Secret, error) {
	wanted, err := fresh()
	if err != nil {
		return nil, err
	}
	made, err := r.secrets.createOnce(ctx, r.Client, wanted)
	if err == nil && made == nil {
		err = errors.New("it vanished")
	}
	return made, err
}

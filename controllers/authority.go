package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// authority is the server's certificate authority, or nil where its Secret
// can't be had now. Each server has one of its own: who may write an FTPServer
// chooses names for its certificate, and must not be able to have one that
// clients of other servers would trust.
func (r *FTPServerReconciler) authority(ctx context.Context, s *scope) (*pki.CA, error) {
	secret, err := r.madeOnce(ctx, s, render.AuthoritySecretName(s.server.Name), func() (*corev1.Secret, error) {
		pair, err := pki.NewCA(s.server.Namespace+"/"+s.server.Name, r.Now())
		return render.Authority(s.server, pair), err
	})
	if secret == nil || err != nil {
		return nil, err
	}
	ca, err := pki.ParseCA(pairOf(secret, corev1.TLSCertKey, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w: restore it, or delete it to have a new authority", client.ObjectKeyFromObject(secret), err)
	}
	return ca, nil
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

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// CASecretName is the Secret, in the operator's namespace, with the authority
// that signs the servers' certificates. It is made once and never overwritten:
// clients have been told to trust it.
const CASecretName = "ftp-operator-ca" //nolint:gosec // a name, not a secret

// authority reads the operator's certificate authority, and makes it where
// there is none.
func (r *FTPServerReconciler) authority(ctx context.Context) (*pki.CA, error) {
	key := client.ObjectKey{Namespace: r.Namespace, Name: CASecretName}
	s, err := r.secrets.own(ctx, key)
	if err != nil {
		return nil, err
	}
	if s == nil {
		if s, err = r.makeAuthority(ctx, key, r.Now()); err != nil {
			return nil, err
		}
	}
	ca, err := pki.ParseCA(pki.KeyPair{Cert: s.Data[corev1.TLSCertKey], Key: s.Data[corev1.TLSPrivateKeyKey]})
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w: restore it, or delete it to have a new authority", key, err)
	}
	return ca, nil
}

func (r *FTPServerReconciler) makeAuthority(ctx context.Context, key client.ObjectKey, now time.Time) (*corev1.Secret, error) {
	pair, err := pki.NewCA(now)
	if err != nil {
		return nil, err
	}
	s, err := r.secrets.createOnce(ctx, r.Client, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: key.Name, Namespace: key.Namespace,
			Labels: map[string]string{render.LabelManagedBy: render.FieldOwner},
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key},
	})
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	if s == nil {
		return nil, fmt.Errorf("make the certificate authority: secret %s vanished", key)
	}
	return s, nil
}

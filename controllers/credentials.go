package controllers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// credentials are a server's secrets that the operator makes.
type credentials struct {
	ca          *pki.CA
	tls         pki.KeyPair
	status      pki.KeyPair
	statusToken string
	salt        []byte
	// renewAt is when the first of the certificates is due.
	renewAt time.Time
}

// credentials reads what was made before and makes what is missing or due. What
// is made here is written with the other objects; only the authority and the key
// of the salts are written at once, since certificates and hashes depend on them.
func (r *FTPServerReconciler) credentials(ctx context.Context, s *scope) error {
	c := &s.credentials
	var err error
	if c.ca, err = r.authority(ctx, s); err != nil {
		return err
	}
	if c.salt, err = r.salt(ctx, s); err != nil {
		return err
	}
	if c.ca == nil || c.salt == nil {
		return nil // nothing can be rendered, and the scope tells why
	}
	configSecret, err := r.secrets.own(ctx, s.key(render.ConfigSecretName(s.server.Name)))
	if err != nil {
		return err
	}
	tlsSecret, err := r.secrets.own(ctx, s.key(render.TLSSecretName(s.server.Name)))
	if err != nil {
		return err
	}
	s.carried = map[string]*corev1.Secret{
		render.ConfigSecretName(s.server.Name): configSecret,
		render.TLSSecretName(s.server.Name):    tlsSecret,
	}
	if c.statusToken = string(data(configSecret, render.KeyStatusToken)); c.statusToken == "" {
		c.statusToken = randomText(32)
	}
	if c.status, err = r.leaf(c, pairOf(configSecret, render.KeyStatusCert, render.KeyStatusKey), []string{render.StatusHost(s.server)}); err != nil {
		return err
	}
	c.tls, err = r.leaf(c, pairOf(tlsSecret, corev1.TLSCertKey, corev1.TLSPrivateKeyKey), s.certificateNames(r.ClusterDomain))
	return err
}

// leaf is the certificate there is, or a new one where that does not fit.
func (r *FTPServerReconciler) leaf(c *credentials, pair pki.KeyPair, names []string) (pki.KeyPair, error) {
	now := r.Now()
	leaf, err := c.ca.Inspect(pair)
	if err != nil || !leaf.Fits(names, now) {
		if pair, err = c.ca.Issue(names, now); err != nil {
			return pki.KeyPair{}, err
		}
		if leaf, err = c.ca.Inspect(pair); err != nil {
			return pki.KeyPair{}, err
		}
	}
	if c.renewAt.IsZero() || leaf.RenewAt.Before(c.renewAt) {
		c.renewAt = leaf.RenewAt
	}
	return pair, nil
}

// salt is the key that the server's passwords are salted with, or nil where its
// Secret can't be had now. It is made once.
func (r *FTPServerReconciler) salt(ctx context.Context, s *scope) ([]byte, error) {
	found, err := r.madeOnce(ctx, s, render.KeysSecretName(s.server.Name), func() (*corev1.Secret, error) {
		salt := make([]byte, 32)
		_, _ = rand.Read(salt) // ends the program rather than fail
		return render.Keys(s.server, salt), nil
	})
	if found == nil || err != nil {
		return nil, err
	}
	salt := found.Data[render.KeySalt]
	if len(salt) < 16 {
		return nil, fmt.Errorf("secret %s has no usable %s: delete it to have a new one", client.ObjectKeyFromObject(found), render.KeySalt)
	}
	return salt, nil
}

func data(s *corev1.Secret, key string) []byte {
	if s == nil {
		return nil
	}
	return s.Data[key]
}

func pairOf(s *corev1.Secret, cert, key string) pki.KeyPair {
	return pki.KeyPair{Cert: data(s, cert), Key: data(s, key)}
}

// randomText is text of n random bytes, in the alphabet of URLs.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // ends the program rather than fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// key names an object in the server's namespace.
func (s *scope) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: s.server.Namespace, Name: name}
}

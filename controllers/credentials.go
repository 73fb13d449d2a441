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
	ca          *pki.CA // what signs
	bundle      []byte  // what verifies, also in the change from one to the next
	tls         pki.KeyPair
	status      pki.KeyPair
	statusToken string
	salt        []byte
	// renewAt is when the first of the certificates, or what is told of them, is
	// due.
	renewAt time.Time
	// ends is when certificates expire, by their name in the metric.
	ends map[string]time.Time
}

// due notes that something is due at a time; zero: never.
func (c *credentials) due(at time.Time) {
	if !at.IsZero() && (c.renewAt.IsZero() || at.Before(c.renewAt)) {
		c.renewAt = at
	}
}

// credentials reads what was made before and makes what is missing or due. What
// is made here is written with the other objects; only the authority and the key
// of the salts are written at once, since certificates and hashes depend on them.
func (r *FTPServerReconciler) credentials(ctx context.Context, s *scope) error {
	c := &s.credentials
	c.ends = map[string]time.Time{}
	authority, err := r.authority(ctx, s)
	if err != nil {
		return err
	}
	if c.salt, err = r.salt(ctx, s); err != nil {
		return err
	}
	if authority == nil || c.salt == nil {
		return nil // nothing can be rendered, and the scope tells why
	}
	c.ca, c.bundle = authority.CA(), authority.Bundle()
	c.ends[caCertificate] = c.ca.NotAfter()
	c.due(authority.ChangesAt())
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
	if c.status, _, err = r.leaf(c, pairOf(configSecret, render.KeyStatusCert, render.KeyStatusKey), []string{render.StatusHost(s.server)}); err != nil {
		return err
	}
	c.tls, c.ends[ownCertificate], err = r.leaf(c, pairOf(tlsSecret, corev1.TLSCertKey, corev1.TLSPrivateKeyKey), s.certificateNames(r.ClusterDomain))
	return err
}

// leaf is the certificate there is, or a new one where that does not fit, and
// when it expires.
func (r *FTPServerReconciler) leaf(c *credentials, pair pki.KeyPair, names []string) (_ pki.KeyPair, end time.Time, err error) {
	now := r.Now()
	leaf, err := c.ca.Inspect(pair)
	if err != nil || !leaf.Fits(names, now) {
		if pair, err = c.ca.Issue(names, now, r.Lifetimes.Leaf); err != nil {
			return pki.KeyPair{}, time.Time{}, err
		}
		if leaf, err = c.ca.Inspect(pair); err != nil {
			return pki.KeyPair{}, time.Time{}, err
		}
	}
	c.due(leaf.RenewAt)
	return pair, leaf.NotAfter, nil
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

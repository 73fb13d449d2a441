package render

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

// Keys is the Secret with the key that passwords are salted with. It is made
// once: another key would make every hash, and so every user, a new one.
func Keys(s *v1alpha1.FTPServer, salt []byte) *corev1.Secret {
	return secret(child(s, KeysSecretName(s.Name)), corev1.SecretTypeOpaque, map[string][]byte{KeySalt: salt})
}

// Authority is the Secret with the server's certificate authority. It is made
// once, and then changed by the steps of pki.Authority only: clients have been
// told to trust it.
func Authority(s *v1alpha1.FTPServer, stored pki.Stored) *corev1.Secret {
	return secret(child(s, AuthoritySecretName(s.Name)), corev1.SecretTypeTLS, AuthorityData(stored))
}

// AuthorityData is an authority as its Secret holds it.
func AuthorityData(stored pki.Stored) map[string][]byte {
	out := map[string][]byte{
		corev1.TLSCertKey:       stored.Signing.Cert,
		corev1.TLSPrivateKeyKey: stored.Signing.Key,
	}
	if len(stored.Next.Cert) > 0 {
		out[keyNextCert], out[keyNextKey] = stored.Next.Cert, stored.Next.Key
	}
	if !stored.Published.IsZero() {
		out[keyNextPublished] = []byte(stored.Published.UTC().Format(time.RFC3339))
	}
	if len(stored.Previous) > 0 {
		out[keyPreviousCert] = stored.Previous
	}
	return out
}

// ReadAuthority reads what AuthorityData has written. A time that can't be read
// is none.
func ReadAuthority(data map[string][]byte) pki.Stored {
	published, _ := time.Parse(time.RFC3339, string(data[keyNextPublished]))
	return pki.Stored{
		Signing:   pki.KeyPair{Cert: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey]},
		Next:      pki.KeyPair{Cert: data[keyNextCert], Key: data[keyNextKey]},
		Published: published,
		Previous:  data[keyPreviousCert],
	}
}

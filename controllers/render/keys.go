package render

import (
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
// once: clients have been told to trust it.
func Authority(s *v1alpha1.FTPServer, ca pki.KeyPair) *corev1.Secret {
	return secret(child(s, AuthoritySecretName(s.Name)), corev1.SecretTypeTLS, map[string][]byte{
		corev1.TLSCertKey:       ca.Cert,
		corev1.TLSPrivateKeyKey: ca.Key,
	})
}

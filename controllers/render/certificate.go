package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// certificate is the Secret with what clients are shown.
func certificate(in Input) *corev1.Secret {
	return secret(child(in.Server, TLSSecretName(in.Server.Name)), corev1.SecretTypeTLS, map[string][]byte{
		corev1.TLSCertKey:       in.TLS.Cert,
		corev1.TLSPrivateKeyKey: in.TLS.Key,
	})
}

// caBundle publishes what clients verify the certificate with. It is a bundle,
// so that a new authority can be there before the old one goes.
func caBundle(in Input) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: child(in.Server, CAConfigMapName(in.Server.Name)),
		Data:       map[string]string{KeyCACert: string(in.CABundle)},
	}
}

// CertificateNames are what clients may call the server: the Service's DNS
// names, its addresses and the addresses that PASV answers. Sorted, each once.
func CertificateNames(s *v1alpha1.FTPServer, clusterDomain string, addresses []v1alpha1.ServerAddress, clusterIPs []string) []string {
	service := ServiceName(s.Name)
	names := []string{
		service,
		fmt.Sprintf("%s.%s", service, s.Namespace),
		fmt.Sprintf("%s.%s.svc", service, s.Namespace),
		fmt.Sprintf("%s.%s.svc.%s", service, s.Namespace, clusterDomain),
	}
	for _, a := range addresses {
		names = append(names, canonical(a.Value))
	}
	for _, a := range s.Spec.Passive.Addresses {
		names = append(names, canonical(a.Address))
	}
	for _, ip := range clusterIPs {
		names = append(names, canonical(ip))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// canonical is an address as a certificate that holds it is read back: an IP
// address has many spellings, and names regardless of case are the same.
func canonical(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return strings.ToLower(address)
}

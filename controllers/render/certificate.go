package render

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// Certificate is one that the spec gives: a name that is unique in the server,
// and what was found usable.
type Certificate struct {
	Name string
	Pair pki.KeyPair
}

// certificate is the Secret with what clients are shown: the operator's own
// certificate and copies of the given ones. The pods mount it as a directory, so
// that no change of either touches the pod.
func certificate(in Input) *corev1.Secret {
	data := map[string][]byte{
		corev1.TLSCertKey:       in.TLS.Cert,
		corev1.TLSPrivateKeyKey: in.TLS.Key,
	}
	for _, c := range in.Certificates {
		data[GivenCertKey(c.Name)], data[GivenKeyKey(c.Name)] = c.Pair.Cert, c.Pair.Key
	}
	return secret(child(in.Server, TLSSecretName(in.Server.Name)), corev1.SecretTypeTLS, data)
}

// certificateFiles are the keys of that Secret in the order in which the server
// is to choose: the given ones as the spec lists them, so that the first serves
// clients that ask for no name, and the operator's own last, so that the names
// inside the cluster are still there. There are none without TLS.
func certificateFiles(in Input) []config.Certificate {
	if in.Server.Spec.TLS.Mode == v1alpha1.TLSDisabled {
		return nil
	}
	var out []config.Certificate
	for _, c := range in.Certificates {
		out = append(out, config.Certificate{CertFile: tlsDir + "/" + GivenCertKey(c.Name), KeyFile: tlsDir + "/" + GivenKeyKey(c.Name)})
	}
	return append(out, config.Certificate{CertFile: tlsCertFile, KeyFile: tlsKeyFile})
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

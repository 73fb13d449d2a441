package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki makes the cluster's certificate authority, its certificates and a
// kubeconfig for each component, all in one directory and all self-contained.
func pki(args []string) error {
	flags := flag.NewFlagSet("pki", flag.ExitOnError)
	dir := flags.String("dir", "", "`directory` to write to")
	server := flags.String("server", "", "`URL` of the API server for the components")
	hostServer := flags.String("host-server", "", "`URL` of the API server for the machine")
	address := flags.String("address", "", "`IP` of the API server")
	serviceAddress := flags.String("service-address", "", "`IP` of the Service kubernetes")
	nodes := flags.Int("nodes", 1, "number of nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ca, err := newAuthority(*dir)
	if err != nil {
		return err
	}
	err = ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"},
		"127.0.0.1", *address, *serviceAddress,
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return err
	}
	clients := map[string]pkix.Name{
		"apiserver-kubelet":       {CommonName: "apiserver-kubelet", Organization: []string{"system:masters"}},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-proxy":              {CommonName: "system:kube-proxy"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
		"addons":                  {CommonName: "cluster-addons", Organization: []string{"system:masters"}},
	}
	for n := 1; n <= *nodes; n++ {
		node := fmt.Sprintf("n%d", n)
		clients["kubelet-"+node] = pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}}
	}
	for name, subject := range clients {
		if err := ca.client(name, subject, *server); err != nil {
			return err
		}
	}
	admin := pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}
	if err := ca.client("admin", admin, *hostServer); err != nil {
		return err
	}
	_, err = newKey(filepath.Join(*dir, "service-accounts.key"))
	return err
}

// authority signs everything in its directory.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(dir string) (*authority, error) {
	key, err := newKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "cluster-ca"})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{dir, key, cert}, writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der)
}

// client issues a certificate and writes NAME.kubeconfig that carries it.
func (a *authority) client(name string, subject pkix.Name, server string) error {
	if err := a.issue(name, subject); err != nil {
		return err
	}
	ca, err := os.ReadFile(filepath.Join(a.dir, "ca.crt"))
	if err != nil {
		return err
	}
	cert, err := os.ReadFile(filepath.Join(a.dir, name+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(a.dir, name+".key"))
	if err != nil {
		return err
	}
	// JSON is YAML, and []byte becomes the base64 that a kubeconfig wants.
	config, err := json.MarshalIndent(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "local",
		"contexts":        []any{map[string]any{"name": "local", "context": map[string]any{"cluster": "local", "user": name}}},
		"clusters": []any{map[string]any{"name": "local", "cluster": map[string]any{
			"server": server, "certificate-authority-data": ca,
		}}},
		"users": []any{map[string]any{"name": name, "user": map[string]any{
			"client-certificate-data": cert, "client-key-data": key,
		}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.dir, name+".kubeconfig"), append(config, '\n'), 0o600)
}

// issue writes NAME.crt and NAME.key. With names it is a server's certificate,
// without a client's.
func (a *authority) issue(name string, subject pkix.Name, names ...string) error {
	key, err := newKey(filepath.Join(a.dir, name+".key"))
	if err != nil {
		return err
	}
	template := certificate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(names) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, name+".crt"), "CERTIFICATE", der)
}

// certificate is what all certificates share. They begin an hour ago, so that a
// clock that is set back a little does not break the cluster.
func certificate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(5, 0, 0),
	}
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

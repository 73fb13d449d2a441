package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// authority is somebody's own, and the file that clients verify with.
type authority struct {
	ca   *pki.CA
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	pair, err := pki.NewCA("e2e", time.Now(), 24*time.Hour)
	must(t, err)
	ca, err := pki.ParseCA(pair)
	must(t, err)
	file := filepath.Join(t.TempDir(), "their-ca.crt")
	must(t, os.WriteFile(file, ca.PEM(), 0o600))
	return authority{ca: ca, file: file}
}

// secret is a Secret with a certificate for a name.
func (a authority) secret(t *testing.T, namespace, secret, name string) *corev1.Secret {
	t.Helper()
	pair, err := a.ca.Issue([]string{name}, time.Now(), 12*time.Hour)
	must(t, err)
	return &corev1.Secret{
		ObjectMeta: objectMeta(namespace, secret), Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key},
	}
}

// named connects under a name, verified with what the authority has published.
func (a authority) named(c ftpclient.Connection, name string) ftpclient.Connection {
	c.Target.ServerName, c.Target.CAFile = name, a.file
	return c
}

// servingCertificates brings up a server with the given certificates, each from
// the Secret NAME-tls.
func servingCertificates(t *testing.T, a authority, names map[string]string, order ...string) (*v1alpha1.FTPServer, *v1alpha1.FTPUser) {
	t.Helper()
	ns := newNamespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	for _, name := range order {
		create(t, a.secret(t, ns, name+"-tls", names[name]))
		server.Spec.TLS.Certificates = append(server.Spec.TLS.Certificates,
			v1alpha1.TLSCertificate{Name: name, SecretRef: v1alpha1.LocalReference{Name: name + "-tls"}})
	}
	create(t, server, user)
	ready(t, server)
	ready(t, user)
	reached(t, a.named(connection(t, ftpclient.Curl{}, server, user), names[order[0]]))
	return server, user
}

// shownWithoutName finds that a client that asks for no name (openssl over AUTH
// TLS) is shown a certificate of the authority for this name.
func shownWithoutName(t *testing.T, a authority, s *v1alpha1.FTPServer, name string) {
	t.Helper()
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name), s))
	at := net.JoinHostPort(s.Status.Addresses[0].Value, strconv.Itoa(int(s.Status.Ports.Control)))
	args := append(append([]string{}, outside...), "openssl", "s_client", "-connect", at, "-starttls", "ftp", "-noservername",
		"-CAfile", a.file, "-verify_return_error", "-verify_hostname", name)
	cmd := exec.CommandContext(soon(t), args[0], args[1:]...)
	cmd.Stdin = strings.NewReader("QUIT\r\n")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verify return code: 0 (ok)") {
		t.Errorf("A client without SNI is not shown %s: %v\n%s", name, err, out)
	}
}

// TestCertificatesByName: clients are shown the certificate of the name that
// they ask for, the first one without a name, and the operator's own under the
// names inside the cluster.
func TestCertificatesByName(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	names := map[string]string{"public": "ftp.example.test", "partners": "*.partners.example.test"}
	server, user := servingCertificates(t, a, names, "public", "partners")
	c := connection(t, ftpclient.Curl{}, server, user)
	local := randomFile(t, 100_000)
	for _, name := range []string{"ftp.example.test", "a.partners.example.test"} {
		under := a.named(c, name)
		for _, version := range []ftpclient.TLS{ftpclient.TLS12, ftpclient.TLS13} {
			under.Target.TLS = version
			must(t, under.Upload(soon(t), local, "/"+name))
			holds(t, under, "/"+name, local)
		}
	}
	if loginProblem(t, a.named(c, "other.example.test")) == "" {
		t.Error("A name that no certificate has was verified")
	}
	shownWithoutName(t, a, server, "ftp.example.test")
	own := c // with the published bundle
	own.Target.ServerName = "files." + server.Namespace + ".svc.cluster.local"
	if problem := loginProblem(t, own); problem != "" {
		t.Errorf("Under the name of the Service: %s", problem)
	}
}

// TestCertificateReplaced: a new certificate is shown within seconds, no
// transfer is cut and no pod replaced for it; a broken one leaves the old in
// place and is told; without any the operator's own serves.
func TestCertificateReplaced(t *testing.T) {
	t.Parallel()
	first, second := newAuthority(t), newAuthority(t)
	const name = "ftp.example.test"
	server, user := servingCertificates(t, first, map[string]string{"public": name}, "public")
	ns, pod := server.Namespace, pods(t, server)[0]
	c := connection(t, ftpclient.Curl{}, server, user)
	before, after := first.named(c, name), second.named(c, name)
	local := randomFile(t, 4<<20)
	must(t, before.Upload(soon(t), local, "/down"))
	shown := func(c ftpclient.Connection) func() string { return func() string { return loginProblem(t, c) } }

	down := filepath.Join(t.TempDir(), "down")
	download, err := before.Start(soon(t), ftpclient.Operation{Kind: ftpclient.Download, Remote: "/down", Local: down, Rate: 256 << 10})
	must(t, err)
	eventually(t, func() string {
		if info, err := os.Stat(down); err != nil || info.Size() == 0 {
			return "the download has not begun"
		}
		return ""
	})
	secret := second.secret(t, ns, "public-tls", name)
	must(t, kube.Update(soon(t), secret))
	t.Logf("The new certificate was shown after %s", eventually(t, shown(after)).Round(time.Millisecond))
	if info, err := os.Stat(down); err != nil || info.Size() >= 4<<20 {
		t.Errorf("The download was over before: %v", err)
	}
	if _, err := download.Wait(); err != nil {
		t.Errorf("The download was cut: %v", err)
	}
	same(t, local, down)
	if loginProblem(t, before) == "" {
		t.Error("The old certificate is still shown")
	}
	ready(t, server)

	good := secret.DeepCopy()
	change(t, secret, func() { secret.Data[corev1.TLSPrivateKeyKey] = secret.Data[corev1.TLSPrivateKeyKey][:60] })
	tells(t, server, v1alpha1.ReasonInvalidCertificate)
	if problem := loginProblem(t, after); problem != "" {
		t.Errorf("With a broken Secret: %s", problem)
	}
	change(t, secret, func() { secret.Data = good.Data })
	ready(t, server)

	must(t, kube.Delete(soon(t), secret))
	tells(t, server, v1alpha1.ReasonCertificateNotFound)
	if problem := loginProblem(t, after); problem != "" {
		t.Errorf("Without the Secret: %s", problem)
	}
	change(t, server, func() { server.Spec.TLS.Certificates = nil })
	ready(t, server)
	t.Logf("The operator's own was shown after a further %s", eventually(t, shown(c)).Round(time.Millisecond))
	if now := pods(t, server); len(now) != 1 || now[0].UID != pod.UID || now[0].Status.ContainerStatuses[0].RestartCount > 0 {
		t.Error("The pod was replaced or restarted")
	}
}

// tells waits until a server says why what it refers to can't be used.
func tells(t *testing.T, s *v1alpha1.FTPServer, reason v1alpha1.Reason) {
	t.Helper()
	eventually(t, func() string {
		must(t, kube.Get(soon(t), key(s.Namespace, s.Name), s))
		c := condition(s, v1alpha1.ConditionResolvedRefs)
		if c == nil || c.Status != metav1.ConditionFalse || c.Reason != string(reason) {
			return fmt.Sprintf("ResolvedRefs is %+v, want %s", c, reason)
		}
		return ""
	})
}

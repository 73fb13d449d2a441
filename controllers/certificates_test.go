package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/render"
)

// issued is a certificate as somebody else would issue it, valid from now on.
func issued(t *testing.T, name string, life time.Duration) pki.KeyPair {
	t.Helper()
	return issuedAt(t, name, clock.Now(), life)
}

func issuedAt(t *testing.T, name string, at time.Time, life time.Duration) pki.KeyPair {
	t.Helper()
	pair, err := pki.NewCA("their authority", at, 2*life)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCA(pair)
	if err != nil {
		t.Fatal(err)
	}
	if pair, err = ca.Issue([]string{name}, at, life); err != nil {
		t.Fatal(err)
	}
	return pair
}

func tlsSecret(namespace, name string, pair pki.KeyPair) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: pair.Cert, corev1.TLSPrivateKeyKey: pair.Key},
	}
}

// withCertificates gives the server certificates, each from the Secret NAME-tls.
func withCertificates(names ...string) func(*v1alpha1.FTPServer) {
	return func(s *v1alpha1.FTPServer) {
		s.Spec.TLS.Certificates = nil
		for _, name := range names {
			s.Spec.TLS.Certificates = append(s.Spec.TLS.Certificates,
				v1alpha1.TLSCertificate{Name: name, SecretRef: v1alpha1.LocalReference{Name: name + "-tls"}})
		}
	}
}

// shows waits until the pods are given exactly these certificates, in this
// order, before the operator's own.
func shows(t *testing.T, namespace string, names []string, pairs ...pki.KeyPair) {
	t.Helper()
	eventually(t, func() error {
		var s corev1.Secret
		get(t, namespace, render.TLSSecretName("files"), &s)
		for i, name := range names {
			if got := pairOf(&s, name+".crt", name+".key"); string(got.Cert) != string(pairs[i].Cert) || string(got.Key) != string(pairs[i].Key) {
				return fmt.Errorf("%s is not what was given", name)
			}
		}
		if n := len(s.Data); n != 2+2*len(names) {
			return fmt.Errorf("the Secret has %d keys", n)
		}
		var listed []string
		for _, c := range serverConfig(t, namespace, "files").TLS.Certificates {
			listed = append(listed, strings.TrimSuffix(strings.TrimPrefix(c.CertFile, "/etc/ftpserver/tls/"), ".crt"))
		}
		if want := append(slices.Clone(names), "tls"); !slices.Equal(listed, want) {
			return fmt.Errorf("the server chooses among %v, want %v", listed, want)
		}
		return nil
	})
}

// Certificates are given, exchanged, put in another order and taken back, and no
// pod is touched for it.
func TestGivenCertificates(t *testing.T) {
	ns := namespace(t)
	web, partners := issued(t, "ftp.example.com", 90*24*time.Hour), issued(t, "partners.example.com", 90*24*time.Hour)
	secret := tlsSecret(ns, "web-tls", web)
	server := newServer(ns, "files", withCertificates("web", "partners"))
	create(t, secret, tlsSecret(ns, "partners-tls", partners), server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	shows(t, ns, []string{"web", "partners"}, web, partners)
	says(t, server, v1alpha1.ConditionCertificatesValid, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
	certificate(t, ns, "files") // the operator's own is there and verified
	quiet(t, ns, "files")
	var d appsv1.Deployment
	get(t, ns, "files-0", &d)
	generation := d.Generation

	renewed := issued(t, "ftp.example.com", 90*24*time.Hour)
	change(t, secret, func(s *corev1.Secret) { s.Data = tlsSecret(ns, "", renewed).Data })
	shows(t, ns, []string{"web", "partners"}, renewed, partners)
	change(t, server, withCertificates("partners", "web"))
	shows(t, ns, []string{"partners", "web"}, partners, renewed)
	change(t, server, withCertificates("partners"))
	shows(t, ns, []string{"partners"}, partners)
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
	change(t, server, withCertificates())
	shows(t, ns, nil)
	reaches(t, server, kstatus.CurrentStatus)
	get(t, ns, "files-0", &d)
	if d.Generation != generation {
		t.Error("the Deployment was changed: its pod would be replaced")
	}
}

// What a Secret held goes on serving whatever becomes of the Secret, also in a
// new process, and what is put right is served.
func TestBrokenCertificateLeavesTheOldInPlace(t *testing.T) {
	good := issued(t, "ftp.example.com", 90*24*time.Hour)
	other := issued(t, "ftp.example.com", 90*24*time.Hour)
	for name, tc := range map[string]struct {
		broken pki.KeyPair
		want   string
	}{
		"key of another": {pki.KeyPair{Cert: good.Cert, Key: other.Key}, "does not belong to the certificate"},
		"half written":   {pki.KeyPair{Cert: other.Cert[:len(other.Cert)-60], Key: other.Key}, "cut off"},
		"no key yet":     {pki.KeyPair{Cert: other.Cert}, "it needs both tls.crt and tls.key"},
		"key cut off":    {pki.KeyPair{Cert: other.Cert, Key: other.Key[:100]}, "tls.key: holds no PEM block"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t)
			secret, server := tlsSecret(ns, "web-tls", good), newServer(ns, "files", withCertificates("web"))
			create(t, secret, server)
			runPods(t, ns, "files")
			reaches(t, server, kstatus.CurrentStatus)
			change(t, secret, func(s *corev1.Secret) { s.Data = tlsSecret(ns, "", tc.broken).Data })
			c := says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonInvalidCertificate)
			for _, want := range []string{tc.want, "web-tls", "The copy that was made before goes on serving"} {
				if !strings.Contains(c.Message, want) {
					t.Errorf("the message leaves out %q: %s", want, c.Message)
				}
			}
			reaches(t, server, kstatus.FailedStatus)
			shows(t, ns, []string{"web"}, good)
			quiet(t, ns, "files") // and in a new process
			shows(t, ns, []string{"web"}, good)

			change(t, secret, func(s *corev1.Secret) { s.Data = tlsSecret(ns, "", other).Data })
			shows(t, ns, []string{"web"}, other)
			reaches(t, server, kstatus.CurrentStatus)

			remove(t, secret)
			says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonCertificateNotFound)
			reaches(t, server, kstatus.InProgressStatus)
			quiet(t, ns, "files")
			shows(t, ns, []string{"web"}, other)
		})
	}
}

// A certificate that never was usable leaves the server with its own, and is
// served as soon as it is there.
func TestCertificateThatIsNotThereYet(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", withCertificates("web"))
	create(t, server)
	runPods(t, ns, "files")
	c := says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonCertificateNotFound)
	if !strings.Contains(c.Message, "web-tls") || !strings.Contains(c.Message, "create it") {
		t.Errorf("the message is %s", c.Message)
	}
	says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	reaches(t, server, kstatus.InProgressStatus)
	shows(t, ns, nil)
	quiet(t, ns, "files")
	opaque := tlsSecret(ns, "web-tls", issued(t, "a", time.Hour))
	opaque.Type = corev1.SecretTypeOpaque
	create(t, opaque)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonInvalidCertificate)
	remove(t, opaque)
	web := issued(t, "ftp.example.com", 90*24*time.Hour)
	create(t, tlsSecret(ns, "web-tls", web))
	shows(t, ns, []string{"web"}, web)
	reaches(t, server, kstatus.CurrentStatus)
}

// The key of an authority is for no pod, whoever asks for it.
func TestOperatorsOwnSecretsAreNotShown(t *testing.T) {
	ns := namespace(t)
	victim := newServer(ns, "victim")
	create(t, victim)
	runPods(t, ns, "victim")
	reaches(t, victim, kstatus.CurrentStatus)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.TLS.Certificates = []v1alpha1.TLSCertificate{{Name: "web", SecretRef: v1alpha1.LocalReference{Name: "victim-authority"}}}
	})
	create(t, server)
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonInvalidCertificate)
	shows(t, ns, nil)
}

// countedReader counts the Secrets that are read from the API server.
type countedReader struct {
	client.Reader
	secrets atomic.Int32
}

func (r *countedReader) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, ok := o.(*corev1.Secret); ok {
		r.secrets.Add(1)
	}
	return r.Reader.Get(ctx, key, o, opts...)
}

// A pass that changes nothing reads no Secret, be it good, broken or missing.
func TestQuietPassesReadNoSecret(t *testing.T) {
	ns := namespace(t)
	good, broken := issued(t, "a.example.com", time.Hour), issued(t, "b.example.com", time.Hour)
	broken.Key = good.Key
	server := newServer(ns, "files", withCertificates("good", "broken", "missing"))
	create(t, tlsSecret(ns, "good-tls", good), tlsSecret(ns, "broken-tls", broken), server)
	runPods(t, ns, "files")
	says(t, server, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonInvalidCertificate)
	says(t, server, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	shows(t, ns, []string{"good"}, good)
	counted := &countedReader{Reader: serverReconciler.Live}
	fresh := *serverReconciler
	fresh.secrets, fresh.certificates = newSecretReader(fresh.Client, counted), newCertificates()
	pass(t, &fresh, request(ns, "files"))
	first := counted.secrets.Load()
	if first < 2 {
		t.Errorf("a new process has read %d Secrets", first)
	}
	for range 3 {
		pass(t, &fresh, request(ns, "files"))
	}
	if again := counted.secrets.Load() - first; again > 0 {
		t.Errorf("passes that changed nothing read %d Secrets", again)
	}
}

// The names of the operator's own certificate follow the Service's addresses.
func TestCertificateFollowsTheAddress(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer })
	create(t, server)
	runPods(t, ns, "files")
	for _, tc := range []struct {
		ingress      corev1.LoadBalancerIngress
		name, former string
	}{
		{corev1.LoadBalancerIngress{IP: "203.0.113.9"}, "203.0.113.9", "files.nowhere"},
		{corev1.LoadBalancerIngress{IP: "203.0.113.10"}, "203.0.113.10", "203.0.113.9"},
		{corev1.LoadBalancerIngress{Hostname: "lb.example.com"}, "lb.example.com", "203.0.113.10"},
	} {
		var svc corev1.Service
		get(t, ns, "files", &svc)
		svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{tc.ingress}
		if err := kube.Status().Update(t.Context(), &svc); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			cert := certificate(t, ns, "files")
			if err := cert.VerifyHostname(tc.name); err != nil {
				return err
			}
			if cert.VerifyHostname(tc.former) == nil {
				return fmt.Errorf("it still has the name %s", tc.former)
			}
			return nil
		})
		reaches(t, server, kstatus.CurrentStatus)
	}
	quiet(t, ns, "files")
}

// The condition is there from the first status on.
func TestCertificatesAreJudgedFromTheStart(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	create(t, server)
	eventually(t, func() error {
		get(t, ns, "files", server)
		if len(server.Status.Conditions) == 0 {
			return errors.New("there is no status yet")
		}
		return nil
	})
	if c := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionCertificatesValid); c == nil || c.Status != metav1.ConditionTrue {
		t.Errorf("the condition is %+v", c)
	}
}

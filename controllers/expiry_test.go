package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

// The days of a certificate are told in time, and each change when it comes.
func TestExpiryOfAGivenCertificate(t *testing.T) {
	ns := namespace(t)
	// Of 90 days 80 are over: on the way the operator's own needs no renewal.
	pair := issuedAt(t, "ftp.example.com", clock.Now().Add(-80*24*time.Hour), 90*24*time.Hour)
	secret, server := tlsSecret(ns, "web-tls", pair), newServer(ns, "files", withCertificates("web"))
	create(t, secret, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	ends := parseFirst(t, pair.Cert).NotAfter.UTC().Format(time.DateOnly)
	tells := func(status metav1.ConditionStatus, reason v1alpha1.Reason) metav1.Condition {
		t.Helper()
		wake(t, ns)
		return says(t, server, v1alpha1.ConditionCertificatesValid, status, reason)
	}
	tells(metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
	clock.Advance(36 * time.Hour)
	if c := tells(metav1.ConditionTrue, v1alpha1.ReasonCertificateExpiring); !strings.Contains(c.Message, "web (Secret web-tls) expires on "+ends) {
		t.Errorf("the message is %s", c.Message)
	}
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
	clock.Advance(24 * time.Hour)
	version := server.ResourceVersion
	reconcileAll(t, ns, "files")
	if get(t, ns, "files", server); server.ResourceVersion != version {
		t.Error("a day less is an edit of the status")
	}
	clock.Advance(9 * 24 * time.Hour)
	tells(metav1.ConditionFalse, v1alpha1.ReasonCertificateExpired)
	says(t, server, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonCertificateExpired)
	reaches(t, server, kstatus.FailedStatus)
	shows(t, ns, []string{"web"}, pair)
	quiet(t, ns, "files")

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Mode = v1alpha1.TLSDisabled })
	says(t, server, v1alpha1.ConditionCertificatesValid, metav1.ConditionTrue, v1alpha1.ReasonTLSDisabled)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Mode = v1alpha1.TLSRequired })
	renewed := issued(t, "ftp.example.com", 90*24*time.Hour)
	change(t, secret, func(s *corev1.Secret) { s.Data = tlsSecret(ns, "", renewed).Data })
	says(t, server, v1alpha1.ConditionCertificatesValid, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
	reaches(t, server, kstatus.CurrentStatus)
}

// The operator looks again when a certificate changes by the clock, and not at
// its next round.
func TestWokenByTheClock(t *testing.T) {
	ns := namespace(t)
	pair := issuedAt(t, "ftp.example.com", clock.Now().Add(-80*24*time.Hour), 90*24*time.Hour)
	server := newServer(ns, "files", withCertificates("web"))
	create(t, tlsSecret(ns, "web-tls", pair), server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	cert := parseFirst(t, pair.Cert)
	warned := cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 10)
	early := *serverReconciler
	early.Now = func() time.Time { return warned.Add(-10 * time.Second) }
	eventually(t, func() error {
		result, err := early.Reconcile(t.Context(), request(ns, "files"))
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter != 10*time.Second { // catchUp, where the cache lags behind
			return fmt.Errorf("it looks again after %s", result.RequeueAfter)
		}
		return nil
	})
}

// told is what the operator's metric says of a server's certificates.
func told(t *testing.T, namespace, server string) map[string]time.Time {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, f := range families {
		if f.GetName() != "ftp_operator_certificate_not_after_timestamp_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["namespace"] == namespace && labels["server"] == server {
				out[labels["certificate"]] = time.Unix(int64(m.GetGauge().GetValue()), 0)
			}
		}
	}
	return out
}

func TestMetricOfExpiry(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", withCertificates("web"))
	create(t, tlsSecret(ns, "web-tls", issued(t, "ftp.example.com", 90*24*time.Hour)), server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	tells := func(lives map[string]time.Duration) {
		t.Helper()
		eventually(t, func() error {
			got := told(t, ns, "files")
			for name, life := range lives {
				if off := got[name].Sub(clock.Now().Add(life)).Abs(); off > time.Minute {
					return fmt.Errorf("%s ends at %s", name, got[name])
				}
			}
			if len(got) != len(lives) {
				return fmt.Errorf("the metric tells of %v", got)
			}
			return nil
		})
	}
	own := map[string]time.Duration{"own": pki.DefaultLifetimes.Leaf, "ca": pki.DefaultLifetimes.CA}
	tells(map[string]time.Duration{"own": own["own"], "ca": own["ca"], "web": 90 * 24 * time.Hour})
	change(t, server, withCertificates())
	tells(own)
	remove(t, server)
	tells(nil)
}

// What an operator has told is not left by one that is started in its place.
func TestExpiryIsForgotten(t *testing.T) {
	key := client.ObjectKey{Namespace: "left", Name: "files"}
	newExpiry().tell(key, map[string]time.Time{ownCertificate: time.Now()})
	if len(told(t, key.Namespace, key.Name)) != 1 {
		t.Fatal("the metric does not tell")
	}
	ForgetExpiry()
	if left := told(t, key.Namespace, key.Name); len(left) != 0 {
		t.Errorf("the metric still tells of %v", left)
	}
}

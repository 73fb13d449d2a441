package policy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

func TestCertificatesValid(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2030, 6, 15, 12, 0, 0, 0, time.UTC)
	// cert has lived since begin and ends after left; both count from now.
	cert := func(name string, begin, left time.Duration) policy.Certificate {
		return policy.Certificate{Name: name, Secret: name + "-tls", NotBefore: now.Add(begin), NotAfter: now.Add(left)}
	}
	certs := func(c ...policy.Certificate) []policy.Certificate { return c }
	for name, tc := range map[string]struct {
		mode    v1alpha1.TLSMode
		shown   []policy.Certificate
		status  metav1.ConditionStatus
		reason  v1alpha1.Reason
		message string
		next    time.Duration // from now; 0: never
	}{
		"none given":           {v1alpha1.TLSRequired, nil, "True", v1alpha1.ReasonCertificatesValid, "", 0},
		"no TLS":               {v1alpha1.TLSDisabled, certs(cert("a", -time.Hour, -time.Minute)), "True", v1alpha1.ReasonTLSDisabled, "", 0},
		"fresh, of 90 days":    {v1alpha1.TLSRequired, certs(cert("a", 0, 90*day)), "True", v1alpha1.ReasonCertificatesValid, "", 81 * day},
		"90 days, a tenth":     {v1alpha1.TLSRequired, certs(cert("a", -81*day, 9*day)), "True", v1alpha1.ReasonCertificateExpiring, "a (Secret a-tls) expires on 2030-06-24", 9 * day},
		"90 days, before that": {v1alpha1.TLSOptional, certs(cert("a", -80*day, 10*day)), "True", v1alpha1.ReasonCertificatesValid, "", day},
		"a year, two weeks":    {v1alpha1.TLSRequired, certs(cert("a", -351*day, 14*day)), "True", v1alpha1.ReasonCertificateExpiring, "2030-06-29", 14 * day},
		"a year, before that":  {v1alpha1.TLSRequired, certs(cert("a", -350*day, 15*day)), "True", v1alpha1.ReasonCertificatesValid, "", day},
		"a day":                {v1alpha1.TLSRequired, certs(cert("a", -20*time.Hour, 4*time.Hour)), "True", v1alpha1.ReasonCertificatesValid, "", 4*time.Hour - 144*time.Minute},
		"expired":              {v1alpha1.TLSRequired, certs(cert("a", -day, -2*time.Hour)), "False", v1alpha1.ReasonCertificateExpired, "a (Secret a-tls) expired on 2030-06-15", 0},
		"this very instant":    {v1alpha1.TLSRequired, certs(cert("a", -day, 0)), "False", v1alpha1.ReasonCertificateExpired, "", 0},
		"begins tomorrow":      {v1alpha1.TLSRequired, certs(cert("a", day, 30*day)), "False", v1alpha1.ReasonCertificateNotYetValid, "a (Secret a-tls) begins on 2030-06-16", day},
		"the worst decides":    {v1alpha1.TLSRequired, certs(cert("a", -81*day, 9*day), cert("b", -day, -1), cert("c", 0, 90*day)), "False", v1alpha1.ReasonCertificateExpired, "b (Secret b-tls)", 9 * day},
		"all are told":         {v1alpha1.TLSRequired, certs(cert("a", -day, -1), cert("b", -day, -1)), "False", v1alpha1.ReasonCertificateExpired, "a (Secret a-tls) expired on 2030-06-15, b (Secret b-tls) expired on 2030-06-15", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, next := policy.CertificatesValid(tc.mode, tc.shown, now)
			if got.Status != tc.status || got.Reason != tc.reason || !strings.Contains(got.Message, tc.message) {
				t.Errorf("got %+v", got)
			}
			if (tc.next == 0) != next.IsZero() || (tc.next != 0 && !next.Equal(now.Add(tc.next))) {
				t.Errorf("it changes at %s, want after %s", next, tc.next)
			}
			again, _ := policy.CertificatesValid(tc.mode, tc.shown, now.Add(time.Second))
			if tc.next != time.Second && again != got {
				t.Errorf("a second later it is %+v", again)
			}
		})
	}
}

func TestCertificateProblem(t *testing.T) {
	fine := func(cert, key []byte) error { return nil }
	broken := func(cert, key []byte) error { return errors.New("tls.crt: holds no certificate") }
	secret := func(kind corev1.SecretType, cert, key string) *corev1.Secret {
		return &corev1.Secret{Type: kind, Data: map[string][]byte{"tls.crt": []byte(cert), "tls.key": []byte(key)}}
	}
	for name, tc := range map[string]struct {
		secret *corev1.Secret
		parse  func(cert, key []byte) error
		want   string
	}{
		"good":         {secret(corev1.SecretTypeTLS, "c", "k"), fine, ""},
		"another type": {secret(corev1.SecretTypeOpaque, "c", "k"), fine, "make one of type kubernetes.io/tls"},
		"no key yet":   {secret(corev1.SecretTypeTLS, "c", ""), fine, "it needs both tls.crt and tls.key"},
		"nothing":      {&corev1.Secret{Type: corev1.SecretTypeTLS}, fine, "it needs both"},
		"64 KiB":       {secret(corev1.SecretTypeTLS, strings.Repeat("c", 64<<10), "k"), fine, ""},
		"more":         {secret(corev1.SecretTypeTLS, strings.Repeat("c", 64<<10+1), "k"), fine, "tls.crt has 65537 bytes"},
		"a huge key":   {secret(corev1.SecretTypeTLS, "c", strings.Repeat("k", 16<<10+1)), fine, "tls.key has 16385 bytes"},
		"broken":       {secret(corev1.SecretTypeTLS, "c", "k"), broken, "tls.crt: holds no certificate"},
	} {
		if got := policy.CertificateProblem(tc.secret, tc.parse); !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestReferences(t *testing.T) {
	web := v1alpha1.TLSCertificate{Name: "web", SecretRef: v1alpha1.LocalReference{Name: "web-tls"}}
	missing, kept := policy.CertificateMissing(web, false), policy.CertificateMissing(web, true)
	invalid := policy.InvalidCertificate(web, "tls.key: no", false)
	for name, tc := range map[string]struct {
		findings []policy.Finding
		want     v1alpha1.Reason
		messages []string
	}{
		"nothing is referred to": {nil, v1alpha1.ReasonResolvedRefs, nil},
		"all is there":           {[]policy.Finding{policy.Resolved(), policy.Resolved()}, v1alpha1.ReasonResolvedRefs, nil},
		"one is not":             {[]policy.Finding{policy.Resolved(), missing}, v1alpha1.ReasonCertificateNotFound, []string{"web-tls of the certificate web does not exist", "the other certificates"}},
		"kept":                   {[]policy.Finding{kept}, v1alpha1.ReasonCertificateNotFound, []string{"The copy that was made before goes on serving"}},
		"what needs an edit":     {[]policy.Finding{missing, invalid}, v1alpha1.ReasonInvalidCertificate, []string{"does not exist", "can't be used: tls.key: no"}},
		"the claim first":        {[]policy.Finding{policy.ClaimMissing("c"), missing}, v1alpha1.ReasonClaimNotFound, []string{"PersistentVolumeClaim c", "web-tls"}},
	} {
		got := policy.References(tc.findings...)
		if got.Reason != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
		for _, m := range tc.messages {
			if !strings.Contains(got.Message, m) {
				t.Errorf("%s: the message leaves out %q: %s", name, m, got.Message)
			}
		}
	}
}

// Only an edit helps where a certificate is of no use; one that is missing, or
// whose time has yet to come, may be on its way.
func TestCertificatesThatStall(t *testing.T) {
	for reason, want := range map[v1alpha1.Reason]bool{
		v1alpha1.ReasonCertificateExpired: true, v1alpha1.ReasonInvalidCertificate: true,
		v1alpha1.ReasonCertificateNotFound: false, v1alpha1.ReasonCertificateNotYetValid: false,
	} {
		var conditions []metav1.Condition
		policy.SetConditions(&conditions, 1, []policy.Named{{Type: "A", Finding: finding("False", reason)}}, finding("True", v1alpha1.ReasonReady))
		if got := strings.Contains(summary(conditions), "Stalled=True/"+string(reason)); got != want {
			t.Errorf("%s stalls is %v", reason, got)
		}
	}
}

package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// hides waits until server and status say whether addresses are hidden.
func hides(t *testing.T, server *v1alpha1.FTPServer, told config.ClientAddresses, status v1alpha1.ClientAddresses) metav1.Condition {
	t.Helper()
	configured(t, server.Namespace, func(c *config.Config) error {
		if c.Passive.ClientAddresses != told {
			return fmt.Errorf("the server is told that client addresses are %s", c.Passive.ClientAddresses)
		}
		return nil
	})
	known, reason := metav1.ConditionTrue, v1alpha1.ReasonClientAddressesPreserved
	if status == v1alpha1.ClientAddressesHidden {
		known, reason = metav1.ConditionFalse, v1alpha1.ReasonClientAddressesHidden
	}
	c := says(t, server, v1alpha1.ConditionClientAddressesKnown, known, reason)
	if server.Status.ClientAddresses != status {
		t.Errorf("the status says %q", server.Status.ClientAddresses)
	}
	return c
}

// noLogin waits until the server does not know the login.
func noLogin(t *testing.T, namespace, server, username string) {
	t.Helper()
	eventually(t, func() error {
		if _, err := findLogin(t, namespace, server, username); err == nil {
			return errors.New("the login is on the server")
		}
		return nil
	})
}

// Where the traffic policy hides addresses, server and users are told what does
// without, the server is Ready all the same, and who is bound to networks is not
// on it until the addresses are back: by the PROXY protocol, or by the policy.
func TestHiddenAddressesAreTold(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficCluster
		s.Spec.Limits.SessionsPerAddress, s.Spec.Passive.UnverifiedData = 3, v1alpha1.UnverifiedDataAllow
	})
	plain := newUser(ns, "plain", "files")
	narrow := newUser(ns, "narrow", "files", func(u *v1alpha1.FTPUser) { u.Spec.AllowedCIDRs = []string{"10.0.0.0/8"} })
	create(t, server, plain, narrow)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	c := hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesHidden)
	for _, rule := range []string{"limits.sessionsPerAddress", "limits.failedLogins", "resume"} {
		if !strings.Contains(c.Message, rule) {
			t.Errorf("%s is not told: %s", rule, c.Message)
		}
	}
	if got := serverConfig(t, ns, "files").Passive.UnverifiedData; got != config.UnverifiedDataAllow {
		t.Errorf("data connections in clear are told as %s", got)
	}
	reaches(t, plain, kstatus.CurrentStatus)
	refused := says(t, narrow, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonClientAddressesHidden)
	if !strings.Contains(refused.Message, "remove allowedCIDRs") {
		t.Errorf("it is not told what to do: %s", refused.Message)
	}
	reaches(t, narrow, kstatus.FailedStatus)
	noLogin(t, ns, "files", "narrow")
	quiet(t, ns, "files")

	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.Service.ProxyProtocol = &v1alpha1.ProxyProtocolSpec{Trusted: []v1alpha1.ProxySource{{CIDR: "10.0.0.0/8"}}}
	})
	reaches(t, narrow, kstatus.CurrentStatus)
	hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesPreserved)
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.ProxyProtocol = nil })
	reaches(t, narrow, kstatus.FailedStatus)
	noLogin(t, ns, "files", "narrow")

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ExternalTrafficLocal })
	reaches(t, narrow, kstatus.CurrentStatus)
	login(t, ns, "files", "narrow")
	hides(t, server, config.ClientAddressesPreserved, v1alpha1.ClientAddressesPreserved)
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
}

// A load balancer that connects by itself hides addresses whatever the policy is,
// as soon as its status says so.
func TestLoadBalancerThatHidesAddresses(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceLoadBalancer })
	create(t, server)
	runPods(t, ns, "files")
	hides(t, server, config.ClientAddressesPreserved, v1alpha1.ClientAddressesPreserved)
	balance(t, ns, corev1.LoadBalancerIngress{IP: "203.0.113.9", IPMode: ptr.To(corev1.LoadBalancerIPModeProxy)})
	c := hides(t, server, config.ClientAddressesHidden, v1alpha1.ClientAddressesHidden)
	if strings.Contains(c.Message, "externalTrafficPolicy Local") {
		t.Errorf("Local is told as the way out, and it is set: %s", c.Message)
	}
	reaches(t, server, kstatus.CurrentStatus)
	balance(t, ns, corev1.LoadBalancerIngress{IP: "203.0.113.9", IPMode: ptr.To(corev1.LoadBalancerIPModeVIP)})
	hides(t, server, config.ClientAddressesPreserved, v1alpha1.ClientAddressesPreserved)
	quiet(t, ns, "files")
}

// A server of the previous version would take anybody's data connection for the
// client's: it lets nobody in where addresses are hidden.
func TestHiddenAddressesOnAnOlderServer(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files", func(s *v1alpha1.FTPServer) {
		s.Spec.Service.Type, s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ServiceNodePort, v1alpha1.ExternalTrafficCluster
	}), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, user, kstatus.CurrentStatus)
	pods.set(t, func() { pods.older[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	unsupported(t, server, "hidden client addresses")
	unsupported(t, user, "hidden client addresses of the FTPServer")
	if old := previousLogin(t, ns, "alice"); old.Login != config.LoginSuspended {
		t.Errorf("an older server is told %+v", old)
	}
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Service.ExternalTrafficPolicy = v1alpha1.ExternalTrafficLocal })
	reaches(t, user, kstatus.CurrentStatus)
	eventually(t, func() error {
		if old := previousLogin(t, ns, "alice"); old.Login != config.LoginEnabled {
			return fmt.Errorf("an older server is told %+v", old)
		}
		return nil
	})
}

// balance writes what a load balancer's controller would: the whole of the status.
func balance(t *testing.T, namespace string, entries ...corev1.LoadBalancerIngress) {
	t.Helper()
	eventually(t, func() error { // the operator may be writing the Service too
		var svc corev1.Service
		get(t, namespace, "files", &svc)
		svc.Status.LoadBalancer.Ingress = entries
		return kube.Status().Update(t.Context(), &svc)
	})
}

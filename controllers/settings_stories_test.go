package controllers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/render"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// configured waits until the configuration that was written is as wanted.
func configured(t *testing.T, namespace string, check func(*config.Config) error) {
	t.Helper()
	eventually(t, func() error { return check(serverConfig(t, namespace, "files")) })
}

// What the server does is set by an edit, reaches the server by a reload, and
// ends in quiescence.
func TestSettingsReachTheServer(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files")
	user := newUser(ns, "alice", "files", func(u *v1alpha1.FTPUser) {
		u.Spec.Paths = []v1alpha1.PathRule{{Path: "/logs", Role: "ReadWrite", Uploads: v1alpha1.UploadsDirect, Overwrite: v1alpha1.OverwriteDeny}}
		u.Spec.Quota = v1alpha1.QuotaSpec{Bytes: ptr.To(resource.MustParse("1.5Gi")), Files: 20}
	})
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	if got, want := login(t, ns, "files", "alice").Quota, (config.Quota{Bytes: 3 << 29, Files: 20}); got != want {
		t.Errorf("the quota is %+v, want %+v", got, want)
	}
	if got, want := login(t, ns, "files", "alice").Paths, (config.PathRule{
		Path: "/logs", Role: config.RoleReadWrite, Uploads: config.UploadsDirect, Overwrite: config.OverwriteDeny,
	}); len(got) != 1 || got[0] != want {
		t.Errorf("the path rules are %+v, want %+v", got, want)
	}
	if got := serverConfig(t, ns, "files").Limits.FailedLogins; got.Mode != config.GuessingLockout || got.LockoutAfter != config.DefaultLockoutAfter {
		t.Errorf("by default, failed logins lead to %+v", got)
	}

	template := podTemplate(t, ns)
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.Limits.FailedLogins = v1alpha1.FailedLoginsSpec{LockoutAfter: 20, LockoutFor: &metav1.Duration{Duration: time.Hour}}
	})
	configured(t, ns, func(c *config.Config) error {
		if f := c.Limits.FailedLogins; f.Mode != config.GuessingLockout || f.LockoutAfter != 20 || f.AddressLockoutAfter != 200 || f.LockoutFor != time.Hour {
			return fmt.Errorf("failed logins lead to %+v", f)
		}
		return nil
	})
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.TLS.DataSessions, s.Spec.TLS.UploadEnd = v1alpha1.DataSessionsRequired, v1alpha1.UploadEndStrict
		s.Spec.TLS.DataProtection = v1alpha1.DataProtectionOptional
	})
	configured(t, ns, func(c *config.Config) error {
		if t := c.TLS; t.DataSessions != config.DataSessionsRequired || t.UploadEnd != config.UploadEndStrict || t.DataProtection != config.DataProtectionOptional {
			return fmt.Errorf("TLS is %+v", t)
		}
		return nil
	})
	change(t, server, func(s *v1alpha1.FTPServer) {
		s.Spec.Limits.FailedLogins = v1alpha1.FailedLoginsSpec{Mode: v1alpha1.FailedLoginsNone}
	})
	configured(t, ns, func(c *config.Config) error {
		if f := c.Limits.FailedLogins; f.Mode != config.GuessingOff {
			return fmt.Errorf("failed logins lead to %+v", f)
		}
		return nil
	})
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	quiet(t, ns, "files")
	if after := podTemplate(t, ns); after != template {
		t.Errorf("the pod template was changed from %s to %s", template, after)
	}
}

// The port for implicit TLS comes and goes, on the Service, in the NetworkPolicy,
// in the server and in the status, and replaces no pod.
func TestImplicitTLSPort(t *testing.T) {
	ns := namespace(t)
	server := newServer(ns, "files", func(s *v1alpha1.FTPServer) { s.Spec.Service.Type = v1alpha1.ServiceNodePort })
	create(t, server)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	template := podTemplate(t, ns)
	passive := checkNodePorts(t, ns, 8)

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{} })
	eventually(t, func() error { return implicitPort(t, server, 990, ":2990") })
	reaches(t, server, kstatus.CurrentStatus)
	if now := serverConfig(t, ns, "files").Passive.Ports; len(now) != 8 || now[7].Announce != passive[7] {
		t.Errorf("the passive ports %v have become %v", passive, now)
	}
	quiet(t, ns, "files")
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Implicit.Port = 991 })
	eventually(t, func() error { return implicitPort(t, server, 991, ":2990") })

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.TLS.Implicit = nil })
	eventually(t, func() error { return implicitPort(t, server, 0, "") })
	reaches(t, server, kstatus.CurrentStatus)
	quiet(t, ns, "files")
	if after := podTemplate(t, ns); after != template {
		t.Errorf("the pod template was changed from %s to %s", template, after)
	}
}

// implicitPort finds that all agree on the port for implicit TLS, or with 0 that
// there is none.
func implicitPort(t *testing.T, server *v1alpha1.FTPServer, number int32, listen string) error {
	t.Helper()
	ns := server.Namespace
	var node, is int32
	var svc corev1.Service
	get(t, ns, "files", &svc)
	for _, p := range svc.Spec.Ports {
		if p.Name == render.ImplicitPortName {
			is, node = p.Port, p.NodePort
		}
	}
	var policy networkingv1.NetworkPolicy
	get(t, ns, render.NetworkPolicyName("files"), &policy)
	allowed := slices.ContainsFunc(policy.Spec.Ingress[0].Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntValue() == 2990 })
	get(t, ns, "files", server)
	if server.Status.Ports == nil {
		return errors.New("the status has no ports")
	}
	told := server.Status.Ports.Implicit
	if got := serverConfig(t, ns, "files").TLS.Implicit.Listen; got != listen || is != number || told != node || (node != 0) != (number != 0) || allowed != (number != 0) {
		return fmt.Errorf("the server listens on %q, the Service on %d and nodes on %d, the status tells %d, the policy allows it: %v", got, is, node, told, allowed)
	}
	return nil
}

// What the server denies to everybody, one of the previous version would not: it
// lets nobody in, and server and users are told.
func TestDeniedToEverybodyOnAnOlderServer(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	pods.set(t, func() { pods.older[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	reaches(t, user, kstatus.CurrentStatus)

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Files.Uploads = v1alpha1.UploadsDirect })
	unsupported(t, server, "files.uploads")
	says(t, user, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
	if old := previousLogin(t, ns, "alice"); old.Login != config.LoginEnabled {
		t.Errorf("direct uploads keep users out of an older server, which does them otherwise: %+v", old)
	}

	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Files.Names.Denied = []string{".*"} })
	unsupported(t, server, "files.uploads, files.names")
	unsupported(t, user, "files.names of the FTPServer")
	if old := previousLogin(t, ns, "alice"); old.Login != config.LoginSuspended {
		t.Errorf("an older server is told %+v", old)
	}
	if now := login(t, ns, "files", "alice"); now.Login != config.LoginEnabled {
		t.Errorf("the server is told %+v", now)
	}
	quiet(t, ns, "files")

	pods.set(t, func() { delete(pods.older, host(ns, "files")) })
	reconcileAll(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)
	if c := serverConfig(t, ns, "files").Storage; c.Uploads != config.UploadsDirect || len(c.Names.Denied) != 1 || c.Overwrite != config.OverwriteAllow {
		t.Errorf("the server is told %+v", c)
	}
}

// Rates are set by an edit and reach the server. One of the previous version is as
// fast as it can be and refuses nobody for it; server and user are told.
func TestRatesOnAnOlderServer(t *testing.T) {
	ns := namespace(t)
	server, user := newServer(ns, "files"), newUser(ns, "alice", "files")
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, user, kstatus.CurrentStatus)

	rate := resource.MustParse("1Mi")
	change(t, user, func(u *v1alpha1.FTPUser) { u.Spec.Limits.UploadRatePerSession = &rate })
	eventually(t, func() error {
		if got := login(t, ns, "files", "alice").Rates; got != (config.Rates{UploadRatePerSession: 1 << 20}) {
			return fmt.Errorf("the user's rates are %+v", got)
		}
		return nil
	})
	change(t, server, func(s *v1alpha1.FTPServer) { s.Spec.Limits.DownloadRatePerSession = &rate })
	configured(t, ns, func(c *config.Config) error {
		if c.Limits.Rates != (config.Rates{DownloadRatePerSession: 1 << 20}) {
			return fmt.Errorf("the rates are %+v", c.Limits.Rates)
		}
		return nil
	})
	reaches(t, server, kstatus.CurrentStatus)
	reaches(t, user, kstatus.CurrentStatus)

	pods.set(t, func() { pods.older[host(ns, "files")] = true })
	reconcileAll(t, ns, "files")
	unsupported(t, server, "limits.downloadRatePerSession")
	unsupported(t, user, "how fast the user may transfer (limits): let")
	if old := previousLogin(t, ns, "alice"); old.Login != config.LoginEnabled || old.Rates != (config.Rates{}) {
		t.Errorf("an older server is told %+v", old)
	}
	quiet(t, ns, "files")
}

// unsupported finds that what an older server does not know of the object is named.
func unsupported(t *testing.T, o client.Object, what string) {
	t.Helper()
	eventually(t, func() error {
		c := says(t, o, v1alpha1.ConditionProgrammed, metav1.ConditionFalse, v1alpha1.ReasonUnsupportedByServer)
		if !strings.Contains(c.Message, what) {
			return fmt.Errorf("the message does not say %q: %s", what, c.Message)
		}
		return nil
	})
}

// podTemplate is what the pods of the server "files" are made from.
func podTemplate(t *testing.T, namespace string) string {
	t.Helper()
	var d appsv1.Deployment
	get(t, namespace, render.DeploymentName("files", 0), &d)
	return d.Spec.Template.String()
}

package controllers

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"

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
		u.Spec.Quota = v1alpha1.QuotaSpec{Bytes: ptr.To(resource.MustParse("1.5Gi")), Files: 20}
	})
	create(t, server, user)
	runPods(t, ns, "files")
	reaches(t, server, kstatus.CurrentStatus)
	if got, want := login(t, ns, "files", "alice").Quota, (config.Quota{Bytes: 3 << 29, Files: 20}); got != want {
		t.Errorf("the quota is %+v, want %+v", got, want)
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

// podTemplate is what the pods of the server "files" are made from.
func podTemplate(t *testing.T, namespace string) string {
	t.Helper()
	var d appsv1.Deployment
	get(t, namespace, render.DeploymentName("files", 0), &d)
	return d.Spec.Template.String()
}

package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestSettingsOfARunningServer: implicit TLS, direct uploads, names that are
// refused, and a quota come to a server that runs, and no pod is replaced.
func TestSettingsOfARunningServer(t *testing.T) {
	t.Parallel()
	server, alice := serving(t, nil)
	before := pods(t, server)
	local := randomFile(t, 1<<20)
	c := connection(t, ftpclient.Curl{}, server, alice)
	reached(t, c)
	must(t, c.Upload(soon(t), local, "/first"))

	change(t, server, func() {
		server.Spec.TLS.Implicit = &v1alpha1.ImplicitTLSSpec{Port: 990}
		server.Spec.Files = v1alpha1.FilesSpec{
			Uploads: v1alpha1.UploadsDirect, Names: v1alpha1.NamesSpec{Denied: []string{"*.exe"}},
		}
	})
	ready(t, server)
	for _, client := range []ftpclient.Client{ftpclient.Curl{}, ftpclient.LFTP{}} {
		implicit := connection(t, client, server, alice)
		implicit.Target.Implicit, implicit.Target.Port = true, int(server.Status.Ports.Implicit)
		eventually(t, func() string { return loginProblem(t, implicit) }) // nodes learn of a new port on their own
		must(t, implicit.Upload(soon(t), local, "/"+client.Name()))
		holds(t, implicit, "/"+client.Name(), local)
	}
	if err := c.Upload(soon(t), local, "/setup.exe"); err == nil || !strings.Contains(err.Error(), "553") {
		t.Errorf("A name that is denied: %v, want 553", err)
	}

	less := resource.MustParse("2Mi") // than there is: refused before any data
	change(t, alice, func() { alice.Spec.Quota = v1alpha1.QuotaSpec{Bytes: &less} })
	ready(t, alice)
	if err := c.Upload(soon(t), randomFile(t, 1), "/more"); err == nil || !strings.Contains(err.Error(), "552") {
		t.Errorf("Beyond the quota: %v, want 552", err)
	}
	samePods(t, before, pods(t, server))
}

// TestRatesOfARunningServer: the rate of all, and then a user's own, reach a server
// that runs, hold each session to them, and replace no pod.
func TestRatesOfARunningServer(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	server, alice := serving(t, nil)
	before := pods(t, server)
	local := randomFile(t, size)
	c := connection(t, ftpclient.Curl{}, server, alice)
	reached(t, c)

	slow, fast := resource.MustParse("512Ki"), resource.MustParse("1Gi")
	change(t, server, func() {
		server.Spec.Limits.DownloadRatePerSession, server.Spec.Limits.UploadRatePerSession = &slow, &slow
	})
	ready(t, server)
	takesTime := func(what string, move func() error) {
		t.Helper()
		begun := time.Now()
		must(t, move())
		if took, least := time.Since(begun), time.Duration(size/slow.Value()-1)*time.Second; took < least {
			t.Errorf("the %s took %v, and must take %v", what, took, least)
		}
	}
	takesTime("upload", func() error { return c.Upload(soon(t), local, "/file") })
	takesTime("download", func() error { return c.Download(soon(t), "/file", filepath.Join(t.TempDir(), "file")) })

	change(t, alice, func() {
		alice.Spec.Limits.DownloadRatePerSession, alice.Spec.Limits.UploadRatePerSession = &fast, &fast
	})
	ready(t, alice)
	large := randomFile(t, 128<<20) // more than four minutes at the other rate
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	must(t, c.Upload(ctx, large, "/large"))
	samePods(t, before, pods(t, server))
}

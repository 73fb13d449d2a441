package install

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// TestUninstall: without its operator a server goes on, and one that is
// installed again takes it up without writing anything.
func TestUninstall(t *testing.T) {
	current.applyCRDs(t)
	current.install(t, current.server)
	server, user := serving(t, newNamespace(t), nil)
	c := connection(t, server, user)
	before := settled(t, server.Namespace)

	kubectl(t, "delete", "-k", filepath.Join(current.config, "default"))
	works(t, c, "/without-operator")
	unmoved(t, before, server, "Removing the operator")

	current.install(t, current.server)
	passed(t)
	unmoved(t, before, server, "Installing the operator again")
	stillFollowed(t, server, c)
}

// TestHelm: the same by the chart, over definitions that kubectl applied, and an
// upgrade of the release.
func TestHelm(t *testing.T) {
	onlyFull(t)
	remove(t)
	current.applyCRDs(t)
	install := append([]string{"install", "--create-namespace", "--take-ownership"}, chart()...)
	helm(t, install...)
	leads(t, current.operator)
	server, user := serving(t, newNamespace(t), nil)
	c := connection(t, server, user)
	before := settled(t, server.Namespace)

	helm(t, append([]string{"upgrade", "--set", "logLevel=debug"}, chart()...)...)
	leads(t, current.operator)
	passed(t)
	unmoved(t, before, server, "Upgrading the release")

	helm(t, "uninstall", "ftp-operator", "--namespace", operatorNamespace, "--wait")
	works(t, c, "/without-operator")
	unmoved(t, before, server, "Removing the release")

	helm(t, install...)
	leads(t, current.operator)
	passed(t)
	unmoved(t, before, server, "Installing the release again")
	stillFollowed(t, server, c)
}

// chart are the arguments that name the release, the chart and the images.
func chart(more ...string) []string {
	operator, operatorTag := split(current.operator)
	server, serverTag := split(current.server)
	return append([]string{
		"ftp-operator", filepath.Join(root, "charts/ftp-operator"), "--namespace", operatorNamespace, "--wait",
		"--set", "image.repository=" + operator, "--set", "image.tag=" + operatorTag,
		"--set", "serverImage.repository=" + server, "--set", "serverImage.tag=" + serverTag,
	}, more...)
}

// unmoved finds that no object of the server's namespace was written or made anew.
func unmoved(t *testing.T, before map[string]string, s *v1alpha1.FTPServer, what string) {
	t.Helper()
	if diff := cmp.Diff(before, settled(t, s.Namespace)); diff != "" {
		t.Errorf("%s moved objects (-before +after):\n%s", what, diff)
	}
}

// stillFollowed finds that changes take effect.
func stillFollowed(t *testing.T, s *v1alpha1.FTPServer, c ftpclient.Connection) {
	t.Helper()
	works(t, c, "/with-operator")
	bob := newUser(t, s, "bob")
	ready(t, bob)
	works(t, connection(t, s, bob), "/bob")
}

func inNamespace(n string) client.ListOption { return client.InNamespace(n) }

func serverLabel(n string) client.ListOption {
	return client.MatchingLabels{"ftp-operator.io/server": n}
}

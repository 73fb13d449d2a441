// Package e2e walks the whole way on a real cluster: someone applies objects,
// and a real FTP client outside the cluster works with what comes of it.
//
// It runs against the cluster of KUBECONFIG, in which the operator is
// installed, in namespaces of its own. FTP_CLIENT is the command that runs a
// program as a client outside the cluster, if that is not this machine itself;
// FTP_INSIDE the one that runs it where ClusterIPs are reachable.
package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

var (
	kube    client.WithWatch
	outside = strings.Fields(os.Getenv("FTP_CLIENT"))
	inside  = strings.Fields(os.Getenv("FTP_INSIDE"))
)

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func connect() error {
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no cluster: set KUBECONFIG, or run make test: %w", err)
	}
	cfg.QPS, cfg.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	kube, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	return err
}

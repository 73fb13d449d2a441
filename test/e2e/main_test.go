// Package e2e walks the whole way on a real cluster: someone applies objects,
// and a real FTP client outside the cluster works with what comes of it.
//
// It runs against the cluster of KUBECONFIG, in which the operator is
// installed, in namespaces of its own. FTP_CLIENT is the command that runs a
// program as a client outside the cluster, if that is not this machine itself;
// FTP_INSIDE the one that runs it where ClusterIPs are reachable, and FTP_NODE
// the one that runs it in the node whose number is its first argument;
// FTP_KILL_NODE and FTP_REVIVE_NODE the ones that have the node of that number die
// and come back.
// FTP_TEST_FULL=1 asks for what is too long for the gate. What was measured is
// added to the file FTP_FIGURES. The tests that are not parallel come first, one
// by one: they measure, or have the operator restarted.
package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

var (
	kube    client.WithWatch
	clients kubernetes.Interface // for what kube does not do: logs, proxies
	cluster *rest.Config
	outside = strings.Fields(os.Getenv("FTP_CLIENT"))
	inside  = strings.Fields(os.Getenv("FTP_INSIDE"))
	node    = strings.Fields(os.Getenv("FTP_NODE"))
	full    = os.Getenv("FTP_TEST_FULL") == "1"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(relaySocket); socket != "" {
		os.Exit(relay(socket))
	}
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run has TestNoSecretLeaks come when all others have ended: it is about what
// they all have made.
func run(m *testing.M) (code int, err error) {
	var stop func()
	if seen, stop, err = gatherEvidence(); err != nil {
		return 1, err
	}
	defer stop()
	code, othersEnded = m.Run(), true
	everything := func(string, string) (bool, error) { return true, nil }
	if !testing.RunTests(everything, []testing.InternalTest{{Name: "TestNoSecretLeaks", F: TestNoSecretLeaks}}) {
		code = 1
	}
	return code, nil
}

func connect() error {
	ctrl.SetLogger(zap.New())
	var err error
	if cluster, err = ctrl.GetConfig(); err != nil {
		return fmt.Errorf("no cluster: set KUBECONFIG, or run make test: %w", err)
	}
	cluster.QPS, cluster.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	if clients, err = kubernetes.NewForConfig(cluster); err != nil {
		return err
	}
	kube, err = client.NewWithWatch(cluster, client.Options{Scheme: scheme})
	return err
}

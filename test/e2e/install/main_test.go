// Package install installs, upgrades and removes the operator on a real cluster,
// as the documentation says, while servers run and clients work.
//
// It takes the operator of the cluster of KUBECONFIG away and puts it back, so it
// runs only where FTP_E2E_MAY_REINSTALL is set, one test after the other, and
// with no other tests beside it. OPERATOR_IMAGE and SERVER_IMAGE name the images;
// FTP_PREVIOUS is the directory with the manifests of the previous release
// (hack/images/previous.sh makes it), whose images PREVIOUS_OPERATOR_IMAGE and
// PREVIOUS_SERVER_IMAGE name. FTP_CLIENT is as for the package above.
package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// root is the repository's.
const root = "../../.."

var (
	kube    client.Client
	api     discovery.DiscoveryInterface
	outside = strings.Fields(os.Getenv("FTP_CLIENT"))
)

// release is a version of the operator.
type release struct {
	// config is the directory of its manifests.
	config string
	// operator and server are its images.
	operator, server string
}

var (
	current = release{
		config:   filepath.Join(root, "config"),
		operator: or("OPERATOR_IMAGE", "localhost/ftp-operator:dev"),
		server:   or("SERVER_IMAGE", "localhost/ftpserver:dev"),
	}
	previous = release{
		config:   os.Getenv("FTP_PREVIOUS"),
		operator: or("PREVIOUS_OPERATOR_IMAGE", "localhost/ftp-operator:previous"),
		server:   or("PREVIOUS_SERVER_IMAGE", "localhost/ftpserver:previous"),
	}
)

func or(variable, otherwise string) string {
	if v := os.Getenv(variable); v != "" {
		return v
	}
	return otherwise
}

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := putBack(); err != nil {
		fmt.Fprintln(os.Stderr, "install: the operator is not back:", err)
		code = 1
	}
	os.Exit(code)
}

func connect() error {
	if os.Getenv("FTP_E2E_MAY_REINSTALL") == "" {
		return fmt.Errorf("these tests remove the cluster's operator and install others: set FTP_E2E_MAY_REINSTALL=yes, or run make test")
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no cluster: set KUBECONFIG, or run make test: %w", err)
	}
	ctrl.SetLogger(logr.Discard())
	cfg.QPS, cfg.Burst = 200, 400
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	if api, err = discovery.NewDiscoveryClientForConfig(cfg); err != nil {
		return err
	}
	kube, err = client.New(cfg, client.Options{Scheme: scheme})
	return err
}

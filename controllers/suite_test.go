package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
)

const (
	operatorNamespace = "ftp-operator-system"
	testImage         = "example.com/ftpserver:test"
	testFrontImage    = "example.com/ftp-front:test"
	// soon is how long anything may take in these tests.
	soon = 20 * time.Second
)

var (
	// kube speaks to the API server without a cache, operatorKube also with the
	// operator's own rights.
	kube, operatorKube client.WithWatch
	// suiteConfig leads to the API server.
	suiteConfig *rest.Config
	// pods answers for the pods that tests make.
	pods = newFakePods()
	// clock is what the operator is told the time is.
	clock testClock

	serverReconciler *FTPServerReconciler
	userReconciler   *FTPUserReconciler
)

// testClock is the time, moved ahead by as much as a test says.
type testClock struct {
	ahead   atomic.Int64
	stopped time.Time // where not zero: it goes on from here by what a test says, and only by that
}

func (c *testClock) Now() time.Time {
	now := c.stopped
	if now.IsZero() {
		now = time.Now()
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

func (c *testClock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: name the directory that holds etcd and kube-apiserver")
	}
	ctrl.SetLogger(zap.New(zap.WriteTo(logFile())))
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	env.ControlPlane.GetAPIServer().Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	// The tests make more Services than there are addresses by default.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	config, err := env.Start()
	if err != nil {
		return 1, fmt.Errorf("start the API server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	if err := startOperator(ctx, config, stopped); err != nil {
		cancel()
		return 1, errors.Join(err, env.Stop())
	}
	code = m.Run()
	cancel()
	return code, errors.Join(<-stopped, env.Stop())
}

// logFile takes the operator's log, so that a failing test's output stays
// readable; FTP_OPERATOR_TEST_LOG names a file to keep it in.
func logFile() *os.File {
	name := os.Getenv("FTP_OPERATOR_TEST_LOG")
	if name == "" {
		name = os.DevNull
	}
	f, err := os.Create(name)
	if err != nil {
		return os.Stderr
	}
	return f
}

// asOperator is the configuration of a client with the operator's own rights and
// no others, so that every story also shows that they suffice.
func asOperator(config *rest.Config) *rest.Config {
	own := rest.CopyConfig(config)
	own.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + operatorNamespace + ":ftp-operator",
		Groups:   []string{"system:serviceaccounts", "system:authenticated"},
	}
	return own
}

// grant applies the operator's roles and their bindings.
func grant(ctx context.Context) error {
	for _, name := range []string{"role.yaml", "role_binding.yaml", "own/role.yaml", "own/role_binding.yaml"} {
		data, err := os.ReadFile(filepath.Join("..", "config", "rbac", name))
		if err != nil {
			return err
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, &u.Object); err != nil {
			return err
		}
		if err := kube.Create(ctx, u); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// notTheSuites is the label of the servers and users that a test runs
// reconcilers of its own for: the suite's operator does not know of them.
const notTheSuites = "test.ftp-operator.io/reconcilers"

func suiteCache() cache.Options {
	options := CacheOptions(nil)
	without, err := labels.Parse("!" + notTheSuites)
	if err != nil {
		panic(err)
	}
	options.ByObject[&v1alpha1.FTPServer{}] = cache.ByObject{Label: without}
	options.ByObject[&v1alpha1.FTPUser{}] = cache.ByObject{Label: without}
	return options
}

func startOperator(ctx context.Context, config *rest.Config, stopped chan<- error) error {
	config.QPS, config.Burst = 1000, 1000
	suiteConfig = config
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	var err error
	if kube, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}); err != nil {
		return err
	}
	if err := grant(ctx); err != nil {
		return err
	}
	if operatorKube, err = client.NewWithWatch(asOperator(config), client.Options{Scheme: scheme}); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(asOperator(config), ctrl.Options{
		Scheme:  scheme,
		Cache:   suiteCache(),
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	if err := AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	board := NewBoard()
	serverReconciler = &FTPServerReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("ftp-operator"),
		Prober: pods, Board: board, Now: clock.Now,
		Image: testImage, FrontImage: testFrontImage, Namespace: operatorNamespace, ClusterDomain: "cluster.local", Lifetimes: pki.DefaultLifetimes,
	}
	userReconciler = &FTPUserReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: mgr.GetEventRecorder("ftp-operator"), Board: board, Now: clock.Now,
	}
	if err := errors.Join(serverReconciler.SetupWithManager(mgr), userReconciler.SetupWithManager(mgr)); err != nil {
		return err
	}
	go func() { stopped <- mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return errors.New("the cache did not fill")
	}
	return nil
}

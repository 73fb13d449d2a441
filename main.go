// Command ftp-operator runs FTP servers on Kubernetes: it keeps what FTPServers
// and FTPUsers ask for. This file is its wiring and holds nothing else.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/probe"
)

// What belongs to this build. The linker sets both.
var (
	version     = "dev"
	serverImage = "localhost/ftpserver:dev"
)

type options struct {
	serverImage                  string
	metricsAddress, probeAddress string
	leaderElect                  bool
	namespaces                   string
	namespace                    string
	clusterDomain                string
	logLevel                     string
	lifetimes                    pki.Lifetimes
	resync                       time.Duration
}

func main() {
	o := parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.serverImage, "server-image", serverImage, "image of the FTP servers whose spec names none")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of the metrics endpoint; 0 switches it off")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the lease, so that several replicas can run")
	flag.StringVar(&o.namespaces, "namespaces", "", "namespaces to serve, separated by commas; empty: all")
	flag.StringVar(&o.namespace, "operator-namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator's lease; default: $POD_NAMESPACE")
	flag.StringVar(&o.clusterDomain, "cluster-domain", "cluster.local", "DNS domain of the cluster's Services")
	flag.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	flag.DurationVar(&o.lifetimes.Leaf, "certificate-lifetime", pki.DefaultLifetimes.Leaf, "how long the certificates that it makes are valid; renewed at two thirds")
	flag.DurationVar(&o.lifetimes.CA, "ca-lifetime", pki.DefaultLifetimes.CA, "how long a server's certificate authority is valid; the next takes over at three quarters")
	flag.DurationVar(&o.resync, "resync-interval", controllers.DefaultResyncInterval, "how often a server at rest is looked at again, at least 1s")
	flag.Parse()
	return o
}

func run(o options) error {
	if o.namespace == "" {
		return errors.New("the operator's namespace is not known: set --operator-namespace or $POD_NAMESPACE")
	}
	if err := o.lifetimes.Validate(); err != nil {
		return err
	}
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil {
		return fmt.Errorf("--log-level: %w: use debug, info, warn or error", err)
	}
	if o.resync < controllers.MinResyncInterval {
		return fmt.Errorf("--resync-interval: %s is too short: use %s or more", o.resync, controllers.MinResyncInterval)
	}
	ctrl.SetLogger(zap.New(zap.Level(level), zap.JSONEncoder(func(c *zapcore.EncoderConfig) {
		c.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	})))
	mgr, err := manager(o)
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	if err := controllers.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("set up the indexes: %w", err)
	}
	if err := reconcilers(mgr, o); err != nil {
		return fmt.Errorf("set up the controllers: %w", err)
	}
	mgr.GetLogger().Info("Starting", "version", version, "serverImage", o.serverImage)
	return mgr.Start(ctx)
}

func manager(o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	rest, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	// A change must reach clients within seconds also when many come at once, and
	// a start reads the Secret of every user. The API server has its own fairness.
	rest.QPS, rest.Burst = 200, 400
	mgr, err := ctrl.NewManager(rest, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(split(o.namespaces)),
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "ftp-operator",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, err
	}
	return mgr, errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping))
}

func reconcilers(mgr ctrl.Manager, o options) error {
	board := controllers.NewBoard()
	server := &controllers.FTPServerReconciler{
		Client:         mgr.GetClient(),
		Live:           mgr.GetAPIReader(),
		Recorder:       mgr.GetEventRecorder("ftp-operator"),
		Prober:         probe.HTTP{},
		Board:          board,
		Now:            time.Now,
		Image:          o.serverImage,
		Namespace:      o.namespace,
		ClusterDomain:  o.clusterDomain,
		Lifetimes:      o.lifetimes,
		ResyncInterval: o.resync,
	}
	user := &controllers.FTPUserReconciler{
		Client:   mgr.GetClient(),
		Live:     mgr.GetAPIReader(),
		Recorder: mgr.GetEventRecorder("ftp-operator"),
		Board:    board,
		Now:      time.Now,
	}
	return errors.Join(server.SetupWithManager(mgr), user.SetupWithManager(mgr))
}

// split reads a list that is separated by commas; empty is none.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

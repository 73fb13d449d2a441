// Command ftp-operator runs FTP servers on Kubernetes: it keeps what FTPServers
// and FTPUsers ask for. This file is its wiring and holds nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/ftp-operator/ftp-operator/controllers"
	"github.com/ftp-operator/ftp-operator/controllers/pki"
	"github.com/ftp-operator/ftp-operator/controllers/probe"
	"github.com/ftp-operator/ftp-operator/controllers/rights"
)

// What belongs to this build. The linker sets them.
var (
	version     = "dev"
	serverImage = "localhost/ftpserver:dev"
	frontImage  = "localhost/ftp-front:dev"
)

type options struct {
	serverImage, frontImage      string
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
	flag.StringVar(&o.frontImage, "front-image", frontImage, "image of the fronts of FTP servers whose spec names none")
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of the metrics endpoint; 0 switches it off")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the lease, so that several replicas can run")
	flag.StringVar(&o.namespaces, "namespaces", "", "namespaces to serve, separated by commas; empty: all")
	flag.StringVar(&o.namespace, "operator-namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator itself: of its lease, and what servers' NetworkPolicies let in; default: $POD_NAMESPACE")
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
	ctx := ctrl.SetupSignalHandler()
	for {
		err := serve(ctx, o)
		if !errors.Is(err, rights.ErrMore) || errors.Is(err, context.DeadlineExceeded) {
			return err // also where a worker did not end in time: then only a new process is safe
		}
		controllers.ForgetExpiry()
	}
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
		FrontImage:     o.frontImage,
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

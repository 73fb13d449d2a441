package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers"
	"github.com/ftp-operator/ftp-operator/controllers/rights"
)

// serve works until ctx ends, or until more namespaces can be served.
func serve(ctx context.Context, o options) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	rest, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// A change must reach clients within seconds also when many come at once, and
	// a start reads the Secret of every user. The API server has its own fairness.
	rest.QPS, rest.Burst = 200, 400
	c, err := client.New(rest, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	served, err := rights.Divide(ctx, c, ctrl.Log, split(o.namespaces))
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(rest, managerOptions(scheme, o, served.Namespaces))
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	if err := errors.Join(mgr.Add(served), mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("namespaces", served.Check)); err != nil {
		return err
	}
	if !served.None() { // a cache for no namespace would be one for all
		if err := errors.Join(controllers.AddIndexes(ctx, mgr.GetFieldIndexer()), reconcilers(mgr, o)); err != nil {
			return fmt.Errorf("set up the controllers: %w", err)
		}
	}
	mgr.GetLogger().Info("Starting", "version", version, "serverImage", o.serverImage, "namespaces", served.Namespaces, "allNamespaces", served.All)
	return mgr.Start(ctx)
}

func managerOptions(scheme *runtime.Scheme, o options, namespaces []string) ctrl.Options {
	return ctrl.Options{
		Scheme: scheme,
		Cache:  controllers.CacheOptions(namespaces),
		// The names are those of the manager before, if serve runs again.
		Controller:                    config.Controller{SkipNameValidation: ptr.To(true)},
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "ftp-operator",
		LeaderElectionNamespace:       o.namespace,
		LeaderElectionReleaseOnCancel: true,
	}
}

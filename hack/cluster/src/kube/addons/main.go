// Command addons is what a cloud would add to the cluster: it makes volumes for
// claims, and gives Services of type LoadBalancer an address and a way to it.
// It runs in the network namespace of the client outside the cluster, because
// that is where the way to an address is laid.
package main

import (
	"context"
	"flag"
	"log"
	"net/netip"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "`file` with the way to the API server")
	hostDir := flag.String("volumes", "", "`directory` of the volumes, as this program sees it")
	nodeDir := flag.String("node-volumes", "", "the same `directory`, as the nodes see it")
	first := flag.String("first-address", "", "first `IP` for Services of type LoadBalancer")
	last := flag.String("last-address", "", "last `IP` for Services of type LoadBalancer")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	// Tests make many Services and claims at once; the default of 5 a second is for shared clusters.
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	firstIP, err := netip.ParseAddr(*first)
	if err != nil {
		log.Fatal(err)
	}
	lastIP, err := netip.ParseAddr(*last)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	go newBalancer(client, newPool(firstIP, lastIP)).run(ctx)
	controller.NewProvisionController(ctx, client, provisionerName, directories{*hostDir, *nodeDir},
		controller.LeaderElection(false)).Run(ctx)
}

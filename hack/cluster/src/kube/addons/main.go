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
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "`file` with the way to the API server")
	hostDir := flag.String("volumes", "", "`directory` of the volumes, as this program sees it")
	nodeDir := flag.String("node-volumes", "", "the same `directory`, as the nodes see it")
	ranges := flag.String("addresses", "", "`FIRST-LAST,…` for Services of type LoadBalancer, one range a family")
	outside := flag.String("client", "", "`IP,…` of the client outside, one a family")
	own := flag.String("source", "", "`IP,…` that a balancer which proxies connects from, one a family")
	clusterNames := flag.String("cluster-hosts", "", "`file` that the cluster's DNS reads the host names of Services from")
	clientNames := flag.String("client-hosts", "", "`file` that is the hosts file of the client outside")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	// Tests make many Services and claims at once; the default of 5 a second is for shared clusters.
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	check(err)
	addresses, err := parsePools(*ranges)
	check(err)
	names, err := newNames(*clusterNames, *clientNames)
	check(err)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	b := newBalancer(client, recorder(client), addresses, parseAddresses(*outside), parseAddresses(*own), names)
	go b.run(ctx)
	controller.NewProvisionController(ctx, client, provisionerName, directories{*hostDir, *nodeDir},
		controller.LeaderElection(false)).Run(ctx)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func parseAddresses(text string) (found []netip.Addr) {
	for part := range strings.SplitSeq(text, ",") {
		a, err := netip.ParseAddr(part)
		check(err)
		found = append(found, a)
	}
	return found
}

func recorder(client kubernetes.Interface) record.EventRecorder {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "local-load-balancer"})
}

# shellcheck shell=bash
# What a cloud would bring: DNS, volumes, and addresses for load balancers.

start_addons() {
	start addons nsenter -t "$(pid_of client)" -n -- "$state/bin/addons" -kubeconfig "$state/pki/addons.kubeconfig" \
		-volumes "$state/volumes" -node-volumes /var/lib/volumes \
		-first-address "$balancer_first" -last-address "$balancer_last"
	kubectl apply -f "$here/manifests" >/dev/null
}

dns_ready() { kubectl -n kube-system rollout status deployment/coredns --timeout=5s; }

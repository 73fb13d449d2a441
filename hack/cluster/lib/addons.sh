# shellcheck shell=bash
# What a cloud would bring: DNS, volumes, and addresses for load balancers.

start_addons() {
	local command
	mapfile -t command < <(addons_command)
	start addons "${command[@]}"
	kubectl apply -f "$here/manifests" >/dev/null
}

# addons_command prints a word a line. The program has the client's network, and
# the machine's files.
addons_command() {
	printf '%s\n' nsenter -t "$(pid_of client)" -n -- "$state/bin/addons" -kubeconfig "$state/pki/addons.kubeconfig" \
		-volumes "$state/volumes" -node-volumes /var/lib/volumes \
		-addresses "$(both "$balancer_addresses" "$balancer_addresses6")" \
		-client "$(both "$client_address" "$client_address6")" \
		-source "$(both "$balancer_address" "$balancer_address6")" \
		-cluster-hosts "$state/balancers/hosts" -client-hosts "$state/run/hosts"
}

dns_ready() { kubectl -n kube-system rollout status deployment/coredns --timeout=5s; }

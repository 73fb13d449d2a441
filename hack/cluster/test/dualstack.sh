# shellcheck shell=bash
# Both families, before the servers of testdata/peers.yaml.

test_dual_stack() {
	local service address reply
	step "load balancers of both families"
	for service in plain header-v1 mode-proxy; do
		kubectl patch service $service -p '{"spec":{"ipFamilyPolicy":"RequireDualStack"}}' >/dev/null
		wait_for 30 "an IPv6 address for $service" has_address6 $service
		for address in $(addresses_of $service); do
			wait_for 30 "$service at $address" answers "$(bracketed "$address"):80"
		done
	done
	step "the PROXY protocol over IPv6"
	address=$(addresses_of header-v1 | grep :)
	reply=$(echo hello | ask "[$address]:80")
	[[ $reply == *$'\n'"PROXY TCP6 $client_address6 $address "*$' 80\r\nhello\nend' ]] ||
		fail "not what a proxy sends: $(printf %q "$reply")"
	step "the client's own IPv6 address, where the policy is Local"
	kubectl patch service plain -p '{"spec":{"externalTrafficPolicy":"Local"}}' >/dev/null
	address=$(addresses_of plain | grep -m1 :)
	wait_for 30 "the client's own address" seen_as "[$address]:80" "[$client_address6]"
	step "node ports and ClusterIPs of both families"
	both_ways
}

both_ways() {
	local node_port address
	node_port=$(kubectl get service mode-proxy -o jsonpath='{.spec.ports[0].nodePort}')
	for address in "$(node_address 1)" "[$(node_address6 1)]" "$(node_address 2)" "[$(node_address6 2)]"; do
		wait_for 30 "$address:$node_port" answers "$address:$node_port"
	done
	for address in $(kubectl get service mode-proxy -o jsonpath='{.spec.clusterIPs[*]}'); do
		wait_for 30 "ClusterIP $address" inside_answers "$(bracketed "$address"):80"
	done
}

addresses_of() { kubectl get service "$1" -o jsonpath='{range .status.loadBalancer.ingress[*]}{.ip}{"\n"}{end}'; }
has_address6() { addresses_of "$1" | grep :; }
bracketed() { if [[ $1 == *:* ]]; then echo "[$1]"; else echo "$1"; fi; }

# seen_as HOST:PORT ADDRESS: whom the pod sees.
seen_as() { [[ $(echo | ask "$1") == "peer $2:"* ]]; }

# shellcheck shell=bash
# The addresses of load balancers: they reach the pods, belong to one Service each,
# and come and go with it.

test_addresses() {
	local node address
	step "a load balancer's address reaches its pod, where the pod is"
	kubectl apply -f "$here/testdata/web.yaml" >/dev/null
	for node in n1 n2 n1; do
		kubectl patch deployment web -p "{\"spec\":{\"template\":{\"spec\":{\"nodeName\":\"$node\"}}}}" >/dev/null
		kubectl rollout status deployment/web --timeout=60s >/dev/null
		address=$(address_of web)
		wait_for 10 "the address on $node" "$cluster" client curl -fsS -m 1 "http://$address/health"
	done
	kubectl exec deployment/web -- /coredns -version >/dev/null
	kubectl logs deployment/web >/dev/null
}

# told prints every address that a Service's status tells, one a line.
told() { kubectl get services -o jsonpath='{range .items[*]}{range .status.loadBalancer.ingress[*]}{.ip}{"\n"}{end}{end}' | grep .; }
told_different() { [[ $(told | sort -u | wc -l) == "$1" ]]; }
told_none() { ! told; }

# address_of SERVICE [N]: its first address, or the one with index N.
address_of() { kubectl get service "$1" -o jsonpath="{.status.loadBalancer.ingress[${2:-0}].ip}"; }

test_ownership() {
	local old service words
	step "an address is not given twice, not even by a new controller, and goes with the Service's type"
	wait_for 10 "two addresses" told_different 2
	old=$(told)
	kill_daemon addons
	no "status misses a dead daemon" "$cluster" status
	# By hand, since "up" would make a new cluster of a broken one.
	mapfile -t words < <(addons_command)
	"${words[@]}" >/dev/null 2>&1 &
	addons=$!
	kubectl create service loadbalancer third --tcp=80 >/dev/null
	wait_for 10 "a third address" told_different 3
	[[ $(told | grep -cxF "$old") == 2 ]] || fail "a Service has lost its address"
	for service in web other third; do
		kubectl patch service $service --type merge \
			-p '{"spec":{"type":"ClusterIP","externalTrafficPolicy":null,"allocateLoadBalancerNodePorts":null}}' >/dev/null
	done
	wait_for 10 "the addresses to go" told_none
	end_addons
}

test_conflict() {
	step "of two Services that wish one address, the second is told"
	wait_for 10 "the wished address" has_address wishes 10.89.0.250
	kubectl create service loadbalancer loser --tcp=80:7000 --dry-run=client -o yaml |
		kubectl annotate --local -f - local.ftp-operator.io/address=10.89.0.250 -o yaml | kubectl create -f - >/dev/null
	wait_for 10 "the condition" refused_for loser AddressTaken
	kubectl get events --field-selector involvedObject.name=loser,reason=AddressTaken -o jsonpath='{.items[*].message}' |
		grep -F default/wishes >/dev/null || fail "no Event says whose the address is"
	[[ -z $(address_of loser) ]] || fail "the loser has an address"
	has_address wishes 10.89.0.250 || fail "the winner has lost its address"
	kubectl delete service wishes >/dev/null
	wait_for 10 "the address that has become free" has_address loser 10.89.0.250
	kubectl delete service loser >/dev/null
}

has_address() { [[ $(address_of "$1") == "$2" ]]; }

# refused_for SERVICE REASON
refused_for() {
	[[ $(kubectl get service "$1" -o jsonpath='{.status.conditions[?(@.type=="local.ftp-operator.io/AddressAssigned")].reason}') == "$2" ]]
}

# shellcheck shell=bash
# A node that dies and comes back, before the servers of testdata/peers.yaml.

test_node_dies() {
	local address line held
	step "a node dies, and nobody hears of it"
	no "node 1 was killed" "$cluster" kill-node 1
	kubectl label pods -l app=peers --field-selector spec.nodeName=n2 far=yes >/dev/null
	kubectl create service nodeport far --tcp=80:7000 >/dev/null
	kubectl set selector service far far=yes >/dev/null
	address=$(node_address 2):$(kubectl get service far -o jsonpath='{.spec.ports[0].nodePort}')
	wait_for 30 "the pod of node 2" answers "$address"
	coproc held { "$cluster" client "$nodekit" ask "$address"; }
	read -r -t 30 line <&"${held[0]}" || fail "no connection"
	"$cluster" kill-node 2
	no "status misses a dead node" "$cluster" status
	no "a dead node was killed" "$cluster" kill-node 2
	[[ -z $(node_processes 2) ]] || fail "processes of node 2 are left"
	wait_for 240 "the cluster to see it" node_not_ready n2
	kill -0 "$held_PID" || fail "the client has heard of the end: $line"
	step "its Services go on without it"
	wait_for 60 "the balancer to leave it" steadily_answers "$(address_of plain):80"
	wait_for 60 "the proxy to leave it" steadily_answers "$(address_of mode-proxy):80"
	step "it comes back, with its pods"
	"$cluster" start-node 2
	no "a living node was started" "$cluster" start-node 2
	kubectl rollout status daemonset/peers --timeout=120s >/dev/null
	wait_for 60 "the pod of node 2" answers "$address"
	"$cluster" status >/dev/null
	kill "$held_PID" 2>/dev/null || true
	wait "$held_PID" 2>/dev/null || true
}

node_not_ready() { kubectl get node "$1" --no-headers | grep -w NotReady; }

# steadily_answers HOST:PORT: however the connections are spread.
steadily_answers() {
	local n
	for ((n = 0; n < 16; n++)); do answers "$1" || return 1; done
}

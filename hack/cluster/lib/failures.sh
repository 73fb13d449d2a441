# shellcheck shell=bash
# Nodes that die and come back.

# kill_node N: as a power cut does. The network goes first, so that nobody hears of
# the end of a connection; then every process of the node, pods included.
kill_node() {
	local n=${1:-} pid
	check_mortal "$n"
	take_lock
	pid=$(pid_of "n$n/init") || fail "node $n is dead already"
	nsenter -t "$(pid_of client)" -n -- ip link del "n$n"
	kill -KILL "$pid"
	wait_for 30 "node $n's processes to end" node_gone "$n"
	rm -r "$state/run/n$n"
	say "node $n is dead"
}

# start_node N: as after a power cut, with its disks as they were.
start_node() {
	local n=${1:-} before
	check_mortal "$n"
	take_lock
	[[ ! -e $state/run/n$n ]] || fail "node $n has not been killed"
	before=$(heartbeat "$n")
	wait_for 30 "the cgroups of node $n to go" remove_node_cgroups "$n"
	make_node_cgroups "$n"
	make_node "$n"
	connect_pods "$n"
	start_runtime "$n"
	wait_for 60 "containerd of node $n" runtime_ready "$n"
	start_node_agents "$n"
	# For a while the API server still tells the condition of before.
	wait_for 120 "a sign of life from node $n" heartbeat_since "$n" "$before"
	wait_for 120 "node $n" node_ready "$n"
	say "node $n is back"
}

# check_mortal N: the control plane dies with node 1, and with it whoever could tell.
check_mortal() {
	[[ -e $state/ready ]] || fail "the cluster is not up"
	if [[ ! $1 =~ ^[1-9]$ ]] || (($1 > nodes)); then fail "the nodes are 1 to $nodes"; fi
	(($1 > 1)) || fail "node 1 has the control plane: use down"
}

node_gone() { [[ -z $(node_processes "$1") ]]; }

heartbeat() { kubectl -n kube-node-lease get lease "n$1" -o jsonpath='{.spec.renewTime}'; }

# heartbeat_since N TIME
heartbeat_since() { [[ $(heartbeat "$1") != "$2" ]]; }

node_ready() { [[ $(kubectl get node "n$1" --no-headers | awk '{print $2}') == Ready ]]; }

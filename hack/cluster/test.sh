#!/usr/bin/env bash
# Tests the cluster's life: up, up again, up after a crash, down, and that nothing
# is left; then what it offers, in each mode of kube-proxy and with both families.
# It uses a cluster of its own name beside the developer's.
#
# usage: hack/cluster/test.sh [life] [SHAPE…], where a SHAPE is MODE-FAMILIES, such
# as iptables-dual; all without arguments
set -euo pipefail
shopt -s inherit_errexit

export CLUSTER_NAME=selftest
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster=$here/cluster
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
# shellcheck source=lib/process.sh
. "$here/lib/process.sh"
# shellcheck source=lib/cgroups.sh
. "$here/lib/cgroups.sh"
# shellcheck source=lib/addons.sh
. "$here/lib/addons.sh"
# shellcheck source=test/life.sh
. "$here/test/life.sh"
# shellcheck source=test/addresses.sh
. "$here/test/addresses.sh"
# shellcheck source=test/balancers.sh
. "$here/test/balancers.sh"
# shellcheck source=test/dualstack.sh
. "$here/test/dualstack.sh"
# shellcheck source=test/nodes.sh
. "$here/test/nodes.sh"

step() { echo "=== $*"; }

# no FAILURE CMD…: the command must fail.
no() {
	local what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		fail "$what"
	fi
}

kubectl() { "$cluster" kubectl "$@"; }

# kill_daemon NAME: on a busy machine, a process that was killed lives a little longer.
kill_daemon() {
	local pid
	pid=$(cat "$state/run/$1.pid")
	kill -KILL "$pid"
	wait_for 10 "the end of $1" ended "$pid"
}
ended() { ! kill -0 "$1"; }

# machine is what the cluster must leave as it found it.
machine() {
	(cd /proc/sys && grep -H . vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
		kernel/keys/root_maxkeys kernel/keys/root_maxbytes net/ipv4/ip_forward)
	ls /sys/class/net
	ls -d /var/lib/{kubelet,containerd,cni,etcd} /run/containerd 2>/dev/null || true
}

nothing_left() {
	local left
	[[ ! -e $state ]] || fail "the state is left: $state"
	left=$(find /sys/fs/cgroup -type d -name "$cgroup")
	[[ -z $left ]] || fail "cgroups are left: $left"
	no "a mount is left" grep -F "$state" /proc/self/mountinfo
	no "a process is left" living
	[[ $(machine) == "$before" ]] || fail "the machine is not as before: $(diff <(echo "$before") <(machine))"
}

# living finds processes by their command line, a way that down does not use. A
# dead process that its parent has not collected has none. Those of a cluster of
# another name look the same.
living() {
	local pid ours=()
	for pid in $(pgrep -f "$state/|$inside/.*|/$cgroup/"); do
		[[ ! -e /proc/$pid ]] || elsewhere "$pid" || ours+=("$pid")
	done
	((${#ours[@]}))
}

# elsewhere PID: it is in the cgroup of another cluster.
elsewhere() { grep -sE '/ftp-operator-[0-9a-f]{12}/' "/proc/$1/cgroup" | grep -qvF "/$cgroup/"; }

identity() { kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'; }

kill_everything() { until kill_processes; do :; done; }

nodekit=$state/bin/nodekit
before=$(machine)
addons=
end_addons() {
	[[ -z $addons ]] || kill "$addons" 2>/dev/null || true
	wait
}
trap 'end_addons; "$cluster" down' EXIT
"$cluster" down

# test_shape MODE-FAMILIES: two nodes of that shape.
test_shape() {
	export PROXY_MODE=${1%-*} IP_FAMILIES=${1#*-}
	proxy_mode=$PROXY_MODE ip_families=$IP_FAMILIES nodes=2
	step "up with two nodes, kube-proxy in mode $PROXY_MODE, $IP_FAMILIES"
	"$cluster" up --nodes 2
	test_addresses
	test_ownership
	"$cluster" down # its addons were started by hand
	"$cluster" up --nodes 2
	test_balancers
	test_conflict
	if dual; then test_dual_stack; fi
	test_node_dies
	step "down"
	"$cluster" down
	nothing_left
}

(($#)) || set -- life nftables-ipv4 nftables-dual iptables-dual
for part; do
	if [[ $part == life ]]; then test_life; else test_shape "$part"; fi
done
echo "ok"

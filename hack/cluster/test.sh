#!/usr/bin/env bash
# Tests the cluster's life: up, up again, up after a crash, down, and that nothing
# is left. It uses a cluster of its own name beside the developer's.
#
# usage: hack/cluster/test.sh
set -euo pipefail
shopt -s inherit_errexit

export CLUSTER_NAME=selftest
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster=$here/cluster
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
# shellcheck source=lib/cgroups.sh
. "$here/lib/cgroups.sh"

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
# dead process that its parent has not collected has none.
living() { pgrep -f "$state/|$inside/.*|/$cgroup/"; }

identity() { kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'; }

kill_everything() { until kill_processes; do :; done; }

# kill_during SECONDS: kills an "up", and nothing that it has started, on its way.
kill_during() {
	"$cluster" up </dev/null >/dev/null 2>&1 &
	sleep "$1" # a point on the way, not something to wait for
	kill -KILL $! 2>/dev/null || true
	wait $! 2>/dev/null || true
}

before=$(machine)
addons=
end_addons() {
	[[ -z $addons ]] || kill "$addons" 2>/dev/null || true
	wait
}
trap 'end_addons; "$cluster" down' EXIT
"$cluster" down

step "up, with standard input closed; nothing holds our output open"
output=$("$cluster" up 2>&1 <&-)
echo "$output"
first=$(identity)

step "up again is the same cluster"
"$cluster" up
[[ $(identity) == "$first" ]] || fail "up made another cluster of a healthy one"
no "up with other nodes changed a running cluster" "$cluster" up --nodes 2
"$cluster" status >/dev/null

step "the exit status of a client's command comes back"
code=0
"$cluster" client sh -c 'exit 7' || code=$?
((code == 7)) || fail "exit status $code instead of 7"

step "up after one daemon was killed is a new cluster"
kill -KILL "$(cat "$state/run/n1/kube-scheduler.pid")"
no "status says that a broken cluster is well" "$cluster" status
"$cluster" up
[[ $(identity) != "$first" ]] || fail "up left a broken cluster as it was"

step "up after every process was killed"
kill_everything
"$cluster" up
"$cluster" status >/dev/null

step "down, twice"
"$cluster" down
nothing_left
"$cluster" down
nothing_left

step "down after an up that was killed half way"
for moment in 0.3 1 3; do
	kill_during "$moment"
	"$cluster" down
	nothing_left
done

step "two at once, on the remains of an up that was killed"
kill_during 2
"$cluster" up --nodes 2 &
other=$!
"$cluster" up --nodes 2
wait $other

step "a load balancer's address reaches its pod, where the pod is"
kubectl apply -f "$here/testdata/web.yaml" >/dev/null
for node in n1 n2 n1; do
	kubectl patch deployment web -p "{\"spec\":{\"template\":{\"spec\":{\"nodeName\":\"$node\"}}}}" >/dev/null
	kubectl rollout status deployment/web --timeout=60s >/dev/null
	address=$(kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
	wait_for 10 "the address on $node" "$cluster" client curl -fsS -m 1 "http://$address/health"
done
kubectl exec deployment/web -- /coredns -version >/dev/null
kubectl logs deployment/web >/dev/null

step "an address is not given twice, not even by a new controller, and goes with the Service's type"
addresses() { kubectl get services -o jsonpath='{range .items[*]}{.status.loadBalancer.ingress[0].ip}{"\n"}{end}' | grep .; }
different() { [[ $(addresses | sort -u | wc -l) == "$1" ]]; }
none() { ! addresses; }
wait_for 10 "two addresses" different 2
old=$(addresses)
kill -KILL "$(cat "$state/run/addons.pid")"
no "status misses a dead daemon" "$cluster" status
# By hand, since "up" would make a new cluster of a broken one.
"$cluster" client "$state/bin/addons" -kubeconfig "$state/pki/addons.kubeconfig" -volumes "$state/volumes" \
	-node-volumes /var/lib/volumes -first-address "$balancer_first" -last-address "$balancer_last" >/dev/null 2>&1 &
addons=$!
kubectl create service loadbalancer third --tcp=80 >/dev/null
wait_for 10 "a third address" different 3
[[ $(addresses | grep -cxF "$old") == 2 ]] || fail "a Service has lost its address"
for service in web other third; do
	kubectl patch service $service --type merge \
		-p '{"spec":{"type":"ClusterIP","externalTrafficPolicy":null,"allocateLoadBalancerNodePorts":null}}' >/dev/null
done
wait_for 10 "the addresses to go" none
end_addons

step "down"
"$cluster" down
nothing_left
echo "ok"

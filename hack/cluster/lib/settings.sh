# shellcheck shell=bash disable=SC2034 # read by the other parts
# What is fixed about the cluster: versions, addresses and paths.

kubernetes_version=v1.37.2

# The network that nodes and the outside client share. It exists in namespaces only.
lan=10.89.0
client_address=$lan.2
balancer_address=$lan.3 # from which one that proxies connects to the nodes
balancer_addresses=$lan.200-$lan.254
# Connections to balancers are spread over the nodes by buckets, each with a routing
# table, numbered from 1 and from this on (routes.go in src/kube/addons knows both).
buckets=8 bucket_tables=100
node_address() { echo "$lan.1$1"; }

service_cidr=10.96.0.0/16
apiserver_service=10.96.0.1
dns_service=10.96.0.10
pod_cidr=10.244.0.0/16
node_pod_cidr() { echo "10.244.$1.0/24"; }

# The same for IPv6, where the cluster has both families.
lan6=fd00:10:89:
client_address6=$lan6:2
balancer_address6=$lan6:3
balancer_addresses6=$lan6:200-$lan6:2fe
node_address6() { echo "$lan6:1$1"; }
service_cidr6=fd00:10:96::/112
pod_cidr6=fd00:10:244::/48
node_pod_cidr6() { echo "fd00:10:244:$1::/64"; }

cluster_name=${CLUSTER_NAME:-dev}
# Several clusters can be up side by side; the name becomes part of paths.
[[ $cluster_name =~ ^[a-z0-9-]+$ ]] || {
	echo "cluster: CLUSTER_NAME is made of a-z, 0-9 and -" >&2
	exit 1
}

# What "up" is asked for. For every other command recall sets it to what is up.
nodes=1
proxy_mode=${PROXY_MODE:-nftables}
ip_families=${IP_FAMILIES:-ipv4}
[[ $proxy_mode == nftables || $proxy_mode == iptables ]] || {
	echo "cluster: PROXY_MODE is nftables or iptables" >&2
	exit 1
}
[[ $ip_families == ipv4 || $ip_families == dual ]] || {
	echo "cluster: IP_FAMILIES is ipv4 or dual" >&2
	exit 1
}
dual() { [[ $ip_families == dual ]]; }

# both VALUE VALUE6: joined by a comma, the second only where the cluster has IPv6.
both() { if dual; then echo "$1,$2"; else echo "$1"; fi; }

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ftp-operator
artifacts=$cache/artifacts
state=$cache/clusters/$cluster_name
lock=$cache/clusters/$cluster_name.lock
kubeconfig=$state/pki/admin.kubeconfig

# The state as the nodes see it: paths in their configuration must not depend
# on where the machine keeps it.
inside=/run/cluster

pause_image=localhost/cluster-pause:1
coredns_image=localhost/cluster-coredns:1

say() { echo "cluster: $*" >&2; }
fail() {
	say "$@"
	exit 1
}
need_root() { ((EUID == 0)) || fail "this needs root: it makes namespaces and cgroups"; }

# wait_for SECONDS WHAT CMD…: polls a condition.
wait_for() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || fail "waited too long for $what; logs are in $state/log"
		sleep 0.05
	done
}

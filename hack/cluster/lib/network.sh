# shellcheck shell=bash
# The network: a bridge in the namespace of the client outside, a pair of
# interfaces to each node, and the ways to the pods.

# client_made PID: it has namespaces that are not the machine's, and is in them.
client_made() {
	[[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" && $(<"/proc/$1/comm") == nodekit ]]
}

make_client() {
	local pid
	# What is mounted on the machine later, the client sees; not the other way round.
	start client unshare --net --mount --propagation slave "$nodekit" hold
	pid=$(pid_of client)
	wait_for 10 "the client's namespaces" client_made "$pid"
	cp /etc/hosts "$state/run/hosts"
	nsenter -t "$pid" -m -n -- sh -ec "
		mount -n --bind '$state/run/hosts' /etc/hosts
		ip link set lo up
		ip link add lan type bridge
		ip addr add $client_address/24 dev lan
		ip addr add $balancer_address/32 dev lan
		ip link set lan up
	"
	spread_connections "$pid"
	dual || return 0
	nsenter -t "$pid" -n -- sh -ec "
		ip addr add $client_address6/64 dev lan nodad
		# Deprecated, so that nobody uses it who does not ask for it.
		ip addr add $balancer_address6/128 dev lan nodad preferred_lft 0
	"
}

# spread_connections PID: each connection is in one of the buckets, by its addresses and
# ports, and each bucket has a routing table of its own, where the balancers name the
# node (buckets in src/kube/addons). Routes with several next hops would do that too, but
# whenever any route changes, the kernel chooses anew for connections that are there.
spread_connections() {
	local n family
	nsenter -t "$1" -n -- nft -f - <<-END
		table inet spread {
			chain output {
				type route hook output priority mangle
				meta l4proto tcp meta nfproto ipv4 meta mark set jhash ip saddr . tcp sport . ip daddr . tcp dport mod $buckets offset 1
				meta l4proto tcp meta nfproto ipv6 meta mark set jhash ip6 saddr . tcp sport . ip6 daddr . tcp dport mod $buckets offset 1
			}
		}
	END
	for ((n = 1; n <= buckets; n++)); do
		for family in -4 -6; do
			nsenter -t "$1" -n -- ip $family rule add fwmark "$n" lookup "$((bucket_tables + n))"
		done
	done
}

connect_node() {
	local n=$1 client init
	client=$(pid_of client)
	init=$(pid_of "n$n/init")
	# Made right inside the two namespaces: the machine never sees the pair. The
	# node's hardware address is always the same, so that its neighbours know it
	# when it comes back.
	nsenter -t "$client" -n -- ip link add "n$n" master lan up type veth \
		peer name lan address "02:00:0a:59:00:1$n" netns "$init"
	nsenter -t "$init" -n -- sh -ec "
		ip link set lo up
		ip addr add $(node_address "$n")/24 dev lan
		ip link set lan up
		ip route add default via $client_address
		echo 1 >/proc/sys/net/ipv4/ip_forward
	"
	egress "$init" ip "$pod_cidr"
	dual || return 0
	nsenter -t "$init" -n -- sh -ec "
		ip addr add $(node_address6 "$n")/64 dev lan nodad
		ip -6 route add default via $client_address6
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	"
	egress "$init" ip6 "$pod_cidr6"
}

# egress PID FAMILY POD_CIDR: what pods send out of the cluster comes from the
# node's address, as the client outside knows no way to a pod.
egress() {
	nsenter -t "$1" -n -- sh -ec "
		nft add table $2 egress
		nft 'add chain $2 egress postrouting { type nat hook postrouting priority srcnat; }'
		nft add rule $2 egress postrouting $2 saddr $3 $2 daddr != $3 oifname lan masquerade
	"
}

# connect_pods N: the node knows the way to the pods of all others.
connect_pods() {
	local init to
	init=$(pid_of "n$1/init")
	for ((to = 1; to <= nodes; to++)); do
		((to != $1)) || continue
		nsenter -t "$init" -n -- ip route add "$(node_pod_cidr "$to")" via "$(node_address "$to")"
		if dual; then
			nsenter -t "$init" -n -- ip route add "$(node_pod_cidr6 "$to")" via "$(node_address6 "$to")"
		fi
	done
}

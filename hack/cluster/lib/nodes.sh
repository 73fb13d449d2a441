# shellcheck shell=bash
# The machines: the client outside the cluster is a network namespace, and each
# node is a process tree in namespaces of its own. Ending a node's first process
# ends its containers, mounts, interfaces and rules with it.

# in_client CMD…: as the client outside. Only the network differs from the machine's.
in_client() { (enter_client "$@"); }

# in_node N CMD…: in all of a node's namespaces.
in_node() { (enter_node "$@"); }

# enter_client CMD…: replaces the shell, so that a signal for it meets the command.
enter_client() {
	local pid
	pid=$(pid_of client) || fail "the cluster is not up"
	exec nsenter -t "$pid" -n -- "$@"
}

# enter_node N CMD…: by plain nsenter, because "ip netns exec" would mount another
# /sys, without the cgroups.
enter_node() {
	local pid
	pid=$(pid_of "n$1/init") || fail "there is no node $1"
	shift
	exec nsenter -t "$pid" -m -u -i -n -p -- "$@"
}

# start_in_node N NAME CMD…
start_in_node() {
	local n=$1 name=$2 pid
	shift 2
	pid=$(pid_of "n$n/init")
	start "n$n/$name" nsenter -t "$pid" -m -u -i -n -p -- "$@"
}

# own_netns PID: its network namespace is not the machine's.
own_netns() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }

make_client() {
	start client unshare --net "$nodekit" hold
	wait_for 10 "the client's namespace" own_netns "$(pid_of client)"
	in_client sh -ec "
		ip link set lo up
		ip link add lan type bridge
		ip addr add $client_address/24 dev lan
		ip link set lan up
		# By connection, not by address: what a load balancer in a cloud does.
		echo 1 >/proc/sys/net/ipv4/fib_multipath_hash_policy
	"
}

make_node() {
	local n=$1
	mkdir -p "$state/run/n$n" "$state/nodes/n$n"/{run,kubelet,containerd,cni} "$state/log/n$n"
	make_namespaces "$n"
	connect_node "$n"
	mount_node "$n"
}

# make_namespaces N: unshare stays as the parent, and ends the node if it is ended.
make_namespaces() {
	local n=$1
	start "n$n/unshare" unshare --pid --fork --kill-child --mount --propagation private --mount-proc \
		--uts --ipc --net "$nodekit" hold
	wait_for 10 "node $n's namespaces" node_init "$n"
	node_init "$n" >"$state/run/n$n/init.pid"
}

# node_init N prints the ID of the node's first process, once it is itself.
node_init() { pgrep -P "$(pid_of "n$1/unshare")" -x nodekit; }

connect_node() {
	local n=$1 client init
	client=$(pid_of client)
	init=$(pid_of "n$n/init")
	# Made right inside the two namespaces: the machine never sees the pair.
	nsenter -t "$client" -n -- ip link add "n$n" master lan up type veth peer name lan netns "$init"
	nsenter -t "$init" -n -- sh -ec "
		ip link set lo up
		ip addr add $(node_address "$n")/24 dev lan
		ip link set lan up
		ip route add default via $client_address
		echo 1 >/proc/sys/net/ipv4/ip_forward
		# What pods send out of the cluster comes from the node's address: the
		# client outside knows no way to a pod.
		nft add table ip egress
		nft 'add chain ip egress postrouting { type nat hook postrouting priority srcnat; }'
		nft add rule ip egress postrouting ip saddr $pod_cidr ip daddr != $pod_cidr oifname lan masquerade
	"
}

# connect_pods NODES: each node knows the way to the pods of the others.
connect_pods() {
	local from to
	for ((from = 1; from <= $1; from++)); do
		for ((to = 1; to <= $1; to++)); do
			((from == to)) || nsenter -t "$(pid_of "n$from/init")" -n -- \
				ip route add "$(node_pod_cidr "$to")" via "$(node_address "$to")"
		done
	done
}

# mount_node N gives the node directories of its own where programs have their
# paths built in, and then lets mounts propagate to containers.
mount_node() {
	nsenter -t "$(pid_of "n$1/init")" -m -u -- bash -euc "
		hostname n$1
		# Without its notes in /run/mount, which would be the machine's at first.
		mount() { command mount -n \"\$@\"; }
		# Made elsewhere and moved: the state itself may be below /run.
		mount -t tmpfs tmpfs '$state/nodes/n$1/run'
		cd '$state/nodes/n$1/run'
		mkdir cluster lock sysctl
		mount --bind '$state' cluster
		mount --move . /run
		cd /run/sysctl
		$(shield_sysctls)
		mount -t tmpfs tmpfs /var/lib
		cd /var/lib
		mkdir cni containerd etcd kubelet volumes
		mount --bind $inside/nodes/n$1/containerd containerd
		mount --bind $inside/nodes/n$1/kubelet kubelet
		mount --bind $inside/volumes volumes
		mount --bind $inside/log/n$1 /var/log
		[ $1 != 1 ] || mount --bind $inside/etcd etcd
		mount --make-rshared /
	"
}

# The kubelet sets these for the whole machine. It finds them set as it wants
# them, in files of its node: nothing has to be restored, even after a crash.
shield_sysctls() {
	local pair
	for pair in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
		kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
		local file=${pair%%=*}
		echo "echo ${pair#*=} >${file//\//.}; mount --bind ${file//\//.} /proc/sys/$file"
	done
}

# start_runtime N: containerd, with the images that every node needs.
start_runtime() {
	local n=$1 dir=$state/nodes/n$1
	cat >"$dir/containerd.toml" <<-TOML
		version = 2
		root = "/var/lib/containerd"
		state = "/run/containerd"
		[grpc]
		  address = "/run/containerd/containerd.sock"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "/var/lib/containerd/opt"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$pause_image"
		  # Without CAP_SYS_RESOURCE, runc could not lower its score and would die.
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		    runtime_type = "io.containerd.runc.v2"
		    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		      SystemdCgroup = false
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "$cni_plugins"
		    conf_dir = "$inside/nodes/n$n/cni"
	TOML
	# Routed pairs, not a bridge: a Service whose pod is on the same node then
	# works without the machine's br_netfilter module.
	cat >"$dir/cni/10-pods.conflist" <<-JSON
		{
		  "cniVersion": "0.4.0",
		  "name": "pods",
		  "plugins": [
		    {
		      "type": "ptp",
		      "ipam": {
		        "type": "host-local",
		        "dataDir": "/run/cni",
		        "ranges": [[{"subnet": "$(node_pod_cidr "$n")"}]],
		        "routes": [{"dst": "0.0.0.0/0"}]
		      }
		    },
		    {"type": "portmap", "capabilities": {"portMappings": true}}
		  ]
		}
	JSON
	start_in_node "$n" containerd containerd --config "$inside/nodes/n$n/containerd.toml"
}

# start_node_agents N: kubelet and kube-proxy.
start_node_agents() {
	local n=$1 dir=$state/nodes/n$1
	cat >"$dir/kubelet.yaml" <<-YAML
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication:
		  anonymous: {enabled: false}
		  webhook: {enabled: true}
		  x509: {clientCAFile: $inside/pki/ca.crt}
		authorization: {mode: Webhook}
		cgroupDriver: cgroupfs
		cgroupRoot: /$cgroup/n$n
		failCgroupV1: false
		failSwapOn: false
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		clusterDNS: [$dns_service]
		clusterDomain: cluster.local
		# The machine's name servers can't be reached from here.
		resolvConf: ""
		volumePluginDir: /var/lib/kubelet/volume-plugins
		# The disk is the machine's: how full it is says nothing about the cluster.
		evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
	YAML
	start_in_node "$n" kubelet "$inside/bin/kubelet" --config="$inside/nodes/n$n/kubelet.yaml" \
		--kubeconfig="$inside/pki/kubelet-n$n.kubeconfig" --hostname-override="n$n" \
		--node-ip="$(node_address "$n")" --cert-dir=/var/lib/kubelet/pki
	cat >"$dir/kube-proxy.yaml" <<-YAML
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: $proxy_mode
		clientConnection: {kubeconfig: $inside/pki/kube-proxy.kubeconfig}
		clusterCIDR: $pod_cidr
		hostnameOverride: n$n
		# The connection table's size is the machine's; leave it.
		conntrack: {maxPerCore: 0, min: 0}
	YAML
	start_in_node "$n" kube-proxy "$inside/bin/kube-proxy" --config="$inside/nodes/n$n/kube-proxy.yaml"
}

runtime_ready() { in_node "$1" ctr version; }

# import_image N FILE: by standard input, since the node may not see the file.
import_image() { in_node "$1" ctr -n k8s.io images import - <"$2" >/dev/null; }

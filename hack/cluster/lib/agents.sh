# shellcheck shell=bash
# What runs on every node: containerd, the kubelet and kube-proxy.

# start_runtime N: containerd, with the images that every node needs.
start_runtime() {
	local n=$1 dir=$state/nodes/n$1
	write_containerd_config "$n" "$dir"
	write_cni_config "$n" "$dir"
	start_in_node "$n" containerd containerd --config "$inside/nodes/n$n/containerd.toml"
}

# write_containerd_config N DIR
write_containerd_config() {
	local n=$1 dir=$2
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
}

# write_cni_config N DIR
write_cni_config() {
	local n=$1 dir=$2 ranges routes
	ranges="[{\"subnet\": \"$(node_pod_cidr "$n")\"}]"
	routes='{"dst": "0.0.0.0/0"}'
	if dual; then
		ranges+=", [{\"subnet\": \"$(node_pod_cidr6 "$n")\"}]"
		routes+=', {"dst": "::/0"}'
	fi
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
		        "ranges": [$ranges],
		        "routes": [$routes]
		      }
		    },
		    {"type": "portmap", "capabilities": {"portMappings": true}}
		  ]
		}
	JSON
}

# start_node_agents N: kubelet and kube-proxy.
start_node_agents() {
	start_kubelet "$1"
	start_kube_proxy "$1"
}

start_kubelet() {
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
		--node-ip="$(both "$(node_address "$n")" "$(node_address6 "$n")")" --cert-dir=/var/lib/kubelet/pki
}

start_kube_proxy() {
	local n=$1 dir=$state/nodes/n$1
	cat >"$dir/kube-proxy.yaml" <<-YAML
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: $proxy_mode
		clientConnection: {kubeconfig: $inside/pki/kube-proxy.kubeconfig}
		clusterCIDR: "$(both "$pod_cidr" "$pod_cidr6")"
		hostnameOverride: n$n
		# The connection table's size is the machine's; leave it.
		conntrack: {maxPerCore: 0, min: 0}
	YAML
	start_in_node "$n" kube-proxy "$inside/bin/kube-proxy" --config="$inside/nodes/n$n/kube-proxy.yaml"
}

runtime_ready() { in_node "$1" ctr version; }

# import_image N FILE: by standard input, since the node may not see the file.
import_image() { in_node "$1" ctr -n k8s.io images import - <"$2" >/dev/null; }

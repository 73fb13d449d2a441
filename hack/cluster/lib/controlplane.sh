# shellcheck shell=bash
# etcd, the API server, the controllers and the scheduler, on node 1.

pki=$inside/pki # as node 1 sees it

start_forwarder() {
	start forward "$nodekit" forward -pid "$(pid_of client)" -to "$(node_address 1):6443" \
		-port-file "$state/run/apiserver.port"
	wait_for 10 "a port for the API server" test -s "$state/run/apiserver.port"
}

make_pki() {
	"$nodekit" pki -dir "$state/pki" -nodes "$1" -address "$(node_address 1)" -service-address "$apiserver_service" \
		-server "https://$(node_address 1):6443" -host-server "https://127.0.0.1:$(<"$state/run/apiserver.port")"
}

start_apiserver() {
	# The data does not outlive the cluster, so it need not survive a power cut.
	start_in_node 1 etcd "$inside/bin/etcd" --data-dir=/var/lib/etcd/data --unsafe-no-fsync --log-level=warn \
		--listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
		--listen-peer-urls=http://127.0.0.1:2380
	start_in_node 1 kube-apiserver "$inside/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
		--advertise-address="$(node_address 1)" --service-cluster-ip-range="$(both "$service_cidr" "$service_cidr6")" --allow-privileged \
		--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
		--client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
		--service-account-issuer=https://kubernetes.default.svc.cluster.local \
		--service-account-key-file="$pki/service-accounts.key" --service-account-signing-key-file="$pki/service-accounts.key" \
		--kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
		--kubelet-preferred-address-types=InternalIP
}

start_controllers() {
	local config
	config=$pki/kube-controller-manager.kubeconfig
	start_in_node 1 kube-controller-manager "$inside/bin/kube-controller-manager" --leader-elect=false \
		--kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
		--root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/service-accounts.key" \
		--use-service-account-credentials --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
	config=$pki/kube-scheduler.kubeconfig
	start_in_node 1 kube-scheduler "$inside/bin/kube-scheduler" --leader-elect=false \
		--kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config"
}

# kubectl as the administrator, by the way that every user of the machine takes.
kubectl() { "$state/bin/kubectl" --kubeconfig "$kubeconfig" --request-timeout=10s "$@"; }

apiserver_ready() { kubectl get --raw /readyz; }

nodes_ready() { [[ $(kubectl get nodes --no-headers | awk '$2 == "Ready"' | wc -l) == "$nodes" ]]; }

# Without its service account, a namespace refuses every bare pod.
default_account() { kubectl -n default get serviceaccount default; }

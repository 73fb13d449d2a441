# shellcheck shell=bash
# Up, down and status. The file "ready" in the state, with what was asked for, is
# written last: without it, what is there is the rest of a run that failed.

# recall sets what the cluster that is up was asked to be, and what it is made with.
recall() {
	[[ -e $state/ready ]] || return 0
	read -r nodes proxy_mode ip_families <"$state/ready"
	nodekit=$state/bin/nodekit
}

shape() { echo "$nodes $proxy_mode $ip_families"; }

# One run at a time changes the cluster. Descriptor 9 holds the lock. A run that is
# killed holds it until its last child has ended or become a daemon, which closes
# it: what the next run finds does not move any more.
take_lock() {
	mkdir -p "$(dirname "$lock")"
	exec 9>"$lock"
	flock -n 9 || {
		say "waiting for another run"
		flock 9
	}
}

cluster_up() {
	local started=$SECONDS
	while (($#)); do
		case $1 in
		--nodes)
			nodes=${2:-}
			shift
			;;
		--nodes=*) nodes=${1#*=} ;;
		--dual-stack) ip_families=dual ;;
		*) fail "up: unknown argument $1" ;;
		esac
		shift || true
	done
	[[ $nodes == [12] ]] || fail "up: --nodes is 1 or 2"
	take_lock
	if [[ -e $state/ready ]] && cluster_healthy; then
		[[ $(<"$state/ready") == "$(shape)" ]] ||
			fail "the cluster is up as \"$(<"$state/ready")\", not \"$(shape)\": take it down first"
		say "already up"
		return
	fi
	if something_left; then
		say "clearing away a cluster that is not whole"
		tear_down
	fi
	install_packages
	build_all
	bring_up
	say "up with $nodes node(s) in $((SECONDS - started)) s; KUBECONFIG=$kubeconfig"
}

bring_up() {
	local n
	mkdir -p "$state"/{balancers,bin,etcd,log,pki,run,volumes}
	# Links, not copies: fast, and the cluster runs on if the cache is emptied.
	ln "$addons" "$nodekit" "$state/bin/"
	for n in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
		ln "$kube" "$state/bin/$n"
	done
	make_cgroups
	make_client
	start_forwarder
	make_pki "$nodes"
	for ((n = 1; n <= nodes; n++)); do
		make_node "$n"
		start_runtime "$n"
	done
	for ((n = 1; n <= nodes; n++)); do connect_pods "$n"; done
	start_apiserver
	for ((n = 1; n <= nodes; n++)); do
		wait_for 30 "containerd of node $n" runtime_ready "$n"
		import_image "$n" "$images/pause.tar"
		import_image "$n" "$images/coredns.tar"
	done
	# The controllers give up if they come before the API server.
	wait_for 60 "the API server" apiserver_ready
	start_controllers
	for ((n = 1; n <= nodes; n++)); do
		start_node_agents "$n"
	done
	wait_for 60 "the service account of the namespace default" default_account
	start_addons
	wait_for 120 "the nodes" nodes_ready
	wait_for 60 "the cluster's DNS" dns_ready
	daemons_alive || fail "a daemon has ended; logs are in $state/log"
	shape >"$state/ready"
}

# cluster_healthy gives a busy cluster a while to answer, a dead one none.
cluster_healthy() {
	local deadline=$((SECONDS + 20)) nodes
	read -r nodes _ <"$state/ready"
	while daemons_alive; do
		if apiserver_ready && nodes_ready && dns_ready; then
			return 0
		fi >/dev/null 2>&1
		((SECONDS < deadline)) || {
			say "the cluster does not answer"
			return 1
		}
		sleep 0.2
	done
	return 1
}

cluster_down() {
	take_lock
	something_left || {
		say "already down"
		return
	}
	tear_down
	say "down"
}

something_left() {
	local root
	[[ ! -e $state ]] || return 0
	for root in $(cgroup_roots); do
		[[ ! -d $root/$cgroup ]] || return 0
	done
	return 1
}

# tear_down ends everything that is in the cluster's cgroups; namespaces, mounts
# and interfaces end with the last process in them.
tear_down() {
	rm -f "$state/ready"
	wait_for 30 "the processes to end" kill_processes
	wait_for 30 "the cgroups to go" remove_cgroups
	# Nothing is ever mounted in the machine's own namespace. Should somebody have
	# done so, removing the state would reach through the mount.
	if grep -qF " $state/" /proc/self/mountinfo; then
		fail "something is mounted below $state: unmount it first"
	fi
	rm -rf --one-file-system "$state"
}

cluster_status() {
	if ! something_left; then
		echo "down"
		return 1
	fi
	if [[ ! -e $state/ready ]] || ! cluster_healthy; then
		echo "not whole: up makes a new one, down clears it away; logs are in $state/log"
		return 1
	fi
	echo "up with $nodes node(s), kube-proxy in mode $proxy_mode, $ip_families"
	echo "kubeconfig  $kubeconfig"
	echo "logs        $state/log"
	kubectl get nodes -o wide
}

# load_images FILE…: into all nodes at once.
load_images() {
	(($#)) || fail "load: which images?"
	[[ -e $state/ready ]] || fail "the cluster is not up"
	local n image loads=() load
	for ((n = 1; n <= nodes; n++)); do
		for image in "$@"; do import_image "$n" "$image" || exit 1; done &
		loads+=($!)
	done
	for load in "${loads[@]}"; do wait "$load" || fail "an image could not be loaded"; done
}

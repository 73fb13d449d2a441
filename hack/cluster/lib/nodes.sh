# shellcheck shell=bash
# The machines: the client outside the cluster is a network namespace with a hosts
# file of its own, and each node is a process tree in namespaces of its own. Ending
# a node's first process ends its containers, mounts, interfaces and rules with it.

# in_client CMD…: as the client outside. Only the network and the hosts file differ
# from the machine's.
in_client() { (enter_client "$@"); }

# in_node N CMD…: in all of a node's namespaces.
in_node() { (enter_node "$@"); }

# enter_client CMD…: replaces the shell, so that a signal for it meets the command.
enter_client() {
	local pid
	pid=$(pid_of client) || fail "the cluster is not up"
	# Entering the mount namespace leaves the directory.
	exec nsenter -t "$pid" -m -n -- env -C "$PWD" -- "$@"
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

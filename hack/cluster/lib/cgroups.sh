# shellcheck shell=bash
# The cluster's cgroups. Every process of the cluster, daemon or pod, is born in
# one of them: that is how its processes are known for certain, without trusting
# process IDs that may have been given to somebody else since.

# Clusters of other names or other cache directories have another one.
cgroup=ftp-operator-$(printf %s "$state" | sha256sum | cut -c1-12)

# The hierarchies: one with cgroup v2; with v1 one for each controller, and perhaps
# an empty v2 one beside them, in which runc makes cgroups too.
cgroup_roots() {
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		echo /sys/fs/cgroup
	else
		local root
		for root in /sys/fs/cgroup/*/; do
			# "cpu,cpuacct" is one hierarchy, to which two links lead.
			[[ ! -e ${root}cgroup.procs || -L ${root%/} ]] || echo "${root%/}"
		done
	fi
}

# The cgroup of the daemons. With v1 one hierarchy is enough to know them by;
# pods are in all of them.
daemons_cgroup() {
	if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
		echo "/sys/fs/cgroup/$cgroup/daemons"
	else
		echo "/sys/fs/cgroup/pids/$cgroup/daemons"
	fi
}

make_cgroups() {
	local root n
	for root in $(cgroup_roots); do
		delegate "$root"
		make_cgroup "$root" "$root/$cgroup"
	done
	for ((n = 1; n <= nodes; n++)); do make_node_cgroups "$n"; done
	mkdir -p "$(daemons_cgroup)"
}

# make_node_cgroups N: for the pods of a node.
make_node_cgroups() {
	local root
	for root in $(cgroup_roots); do
		make_cgroup "$root/$cgroup" "$root/$cgroup/n$1"
	done
}

# make_cgroup PARENT DIR: a child that may use what its parent has.
make_cgroup() {
	mkdir -p "$2"
	delegate "$2"
	if [[ -e $2/cgroup.clone_children && -e $2/cpuset.cpus ]]; then
		cat "$1/cpuset.cpus" >"$2/cpuset.cpus"
		cat "$1/cpuset.mems" >"$2/cpuset.mems"
	fi
}

# delegate DIR: with v2 the children may use every controller that DIR has.
delegate() {
	[[ -e $1/cgroup.controllers ]] || return 0
	local controller
	for controller in $(<"$1/cgroup.controllers"); do
		grep -qw "$controller" "$1/cgroup.subtree_control" ||
			echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
	done
}

# cluster_processes prints the IDs of all processes in the cluster's cgroups.
cluster_processes() {
	local root
	for root in $(cgroup_roots); do
		[[ -d $root/$cgroup ]] || continue
		# A cgroup may go while it is being read.
		find "$root/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null || true
	done | sort -un
}

# node_processes N prints the IDs of the node's processes: its pods', and its
# daemons', which are in the namespace of its first process.
node_processes() {
	local root
	for root in $(cgroup_roots); do
		[[ ! -d $root/$cgroup/n$1 ]] || find "$root/$cgroup/n$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true
	done
	local file
	for file in "$state/run/n$1"/*.pid; do pid_of "n$1/$(basename "$file" .pid)" || true; done
}

kill_processes() {
	local pids
	mapfile -t pids < <(cluster_processes)
	((${#pids[@]})) || return 0
	kill -KILL "${pids[@]}" 2>/dev/null || true
	return 1
}

remove_cgroups() { remove_cgroups_below "$cgroup"; }

remove_node_cgroups() { remove_cgroups_below "$cgroup/n$1"; }

# remove_cgroups_below PATH: in every hierarchy; fails while one is left.
remove_cgroups_below() {
	local root
	for root in $(cgroup_roots); do
		[[ -d $root/$1 ]] || continue
		find "$root/$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
		[[ ! -d $root/$1 ]] || return 1
	done
}

# shellcheck shell=bash
# Starting the cluster's daemons and finding them again.

# start NAME CMD…: runs a daemon, and returns when it is one: in its cgroup, with
# its log, with nothing of ours held open.
start() {
	local name=$1
	shift
	"$nodekit" daemon -cgroup "$(daemons_cgroup)" -log "$state/log/$name.log" -pid "$state/run/$name.pid" -- "$@" &
	wait_for 10 "$name to start" test -s "$state/run/$name.pid"
}

# pid_of NAME prints the ID of a daemon that lives and is ours.
pid_of() {
	local pid
	pid=$(cat "$state/run/$1.pid" 2>/dev/null) || return 1
	is_ours "$pid" && echo "$pid"
}

is_ours() { grep -qsx "$1" "$(daemons_cgroup)/cgroup.procs"; }

# daemons_alive: every daemon that was started still runs, and no node is dead.
daemons_alive() {
	local file name n
	for ((n = 1; n <= nodes; n++)); do
		[[ -e $state/run/n$n ]] || {
			say "node $n was killed; start-node brings it back"
			return 1
		}
	done
	for file in "$state"/run/*.pid "$state"/run/*/*.pid; do
		name=${file#"$state/run/"}
		name=${name%.pid}
		pid_of "$name" >/dev/null || {
			say "$name does not run"
			return 1
		}
	done
}

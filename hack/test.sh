#!/usr/bin/env bash
# test.sh gate|full: runs the tests in the order in which they fail fastest, and
# ends with one summary of all that ran.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

events=bin/test
rm -rf "$events"
mkdir -p "$events"
export FTP_FIGURES=$PWD/$events/figures.txt

stage() { printf '\n== %s (%s)\n' "$1" "$(date -u +%T)"; }

# go_test NAME ARGS...: go test with readable progress; the events are kept for
# the summary.
go_test() {
	local name=$1
	shift
	gotestsum=${gotestsum:-$(hack/tools/install.sh gotestsum)}
	"$gotestsum" --format pkgname --hide-summary skipped --jsonfile "$events/$name.json" -- "$@"
}

summary() {
	printf '\n== Summary\n'
	"$gotestsum" --format dots --raw-command -- cat "$events"/*.json
	if [[ -s $FTP_FIGURES ]]; then
		printf '\n== Figures\n'
		cat "$FTP_FIGURES"
	fi
}

prepare() {
	stage "Preparing"
	hack/tools/packages.sh clients strace openssl
	KUBEBUILDER_ASSETS=$(hack/cluster/cluster assets)
	FTP_HAPROXY=$(hack/images/haproxy.sh)
	export KUBEBUILDER_ASSETS FTP_HAPROXY
}

gate() {
	prepare
	stage "Generated files"
	hack/codegen/verify.sh
	stage "Lint"
	hack/lint.sh
	stage "Unit, API and controller tests, with the race detector"
	go_test unit -timeout 30m -race ./api/... ./controllers/... ./ftpserver/...
	(cd hack/bench && GOWORK=off go test ./...) # a module of its own
	# What they read is no part of their package: a result of before may be stale.
	go_test manifests -count=1 ./charts/... ./config/... ./docs/... ./hack/images/...
	fuzz 5000x # their seeds have run with the race detector already
	stage "Real clients against the server alone"
	go_test clients -timeout 20m ./test/clients/...
	end_to_end 30m
}

full() {
	prepare
	hack/tools/packages.sh curl-current
	export FTP_TEST_FULL=1
	stage "The operator: every flow with every fault at every call"
	go_test faults -timeout 240m -parallel 8 -run '^(TestFaults|TestRivals|TestRollAmongFaults|TestRollsInARow)$' ./controllers
	stage "One passive port: 64 sessions, in all ways"
	go_test oneport -timeout 60m -count=1 -run '^TestOnePort$' ./ftpserver/ftp
	fuzz 20000x -race
	stage "Real clients against the server alone: every mode, large files, race detector"
	RACE=1 go_test clients -timeout 180m ./test/clients/...
	stage "Soak: clients work, break off and die for half an hour, and nothing may grow"
	FTP_SOAK=30m go_test soak -timeout 90m -count=1 -run '^TestSoak$' ./test/clients
	stage "The local cluster's own cycles"
	hack/cluster/test.sh
	end_to_end 120m
	other_proxy_mode
}

# fuzz AMOUNT FLAGS... gives so many inputs to each fuzz target, built with the flags.
# Each is a test of its own in the summary; what makes one fail stays in its package's
# testdata/fuzz.
fuzz() {
	local amount=$1 targets package target
	shift
	stage "Fuzzing, ${amount%x} inputs for each target"
	targets=$(hack/fuzz.sh list)
	while read -r package target; do
		go_test "fuzz-${package//[.\/]/_}-$target" "$@" -run '^$' -fuzz "^$target\$" -fuzztime "$amount" -fuzzminimizetime 0s "$package" </dev/null # as in fuzz.sh
	done <<<"$targets"
}

# end_to_end TIMEOUT runs against the cluster of KUBECONFIG, if that is set, else
# against a local one of its own, of two nodes, that is ended afterwards.
end_to_end() {
	stage "End to end"
	if [[ -z ${KUBECONFIG:-} ]]; then
		local_cluster
		export FTP_E2E_MAY_REINSTALL=yes
		load_previous
	fi
	hack/install-operator.sh
	go_test e2e -timeout "$1" -count=1 ./test/e2e
	if [[ ${FTP_E2E_MAY_REINSTALL:-} ]]; then
		stage "Install, upgrade and remove"
		go_test install -timeout 30m -count=1 ./test/e2e/install
	else
		echo "Left out: tests that remove the operator of this cluster. FTP_E2E_MAY_REINSTALL=yes runs them."
	fi
	end_local_cluster
}

# local_cluster brings one up, with the images, and tells the tests of it.
local_cluster() {
	export CLUSTER_NAME=e2e
	trap 'hack/cluster/cluster down' EXIT
	make --no-print-directory cluster-up cluster-load NODES=2
	KUBECONFIG=$(hack/cluster/cluster kubeconfig)
	export KUBECONFIG FTP_CLIENT="$PWD/hack/cluster/cluster client"
	export FTP_INSIDE="$PWD/hack/cluster/cluster node 1" FTP_NODE="$PWD/hack/cluster/cluster node"
	export FTP_KILL_NODE="$PWD/hack/cluster/cluster kill-node" FTP_REVIVE_NODE="$PWD/hack/cluster/cluster start-node"
}

end_local_cluster() {
	[[ -n $(trap -p EXIT) ]] || return 0
	hack/cluster/cluster down
	trap - EXIT
	unset KUBECONFIG
}

# other_proxy_mode has kube-proxy route by iptables, where the cluster is ours:
# end_to_end has it route by nftables.
other_proxy_mode() {
	[[ -z ${KUBECONFIG:-} ]] || return 0
	stage "End to end: passive ports, with kube-proxy in iptables mode"
	export PROXY_MODE=iptables
	local_cluster
	hack/install-operator.sh
	go_test ports -timeout 60m -count=1 -run '^(TestEveryPortReachesItsSlot|TestOnePassivePort)$' ./test/e2e
	end_local_cluster
}

# load_previous puts the previous release into the local cluster; where the
# history does not hold it, the tests of upgrades say so and are left out.
load_previous() {
	local status=0
	hack/images/previous.sh || status=$?
	case $status in
	0) ;;
	3) return 0 ;;
	*) return $status ;;
	esac
	hack/cluster/cluster load bin/previous/images/*-"$(go env GOARCH)".tar
	export FTP_PREVIOUS=$PWD/bin/previous/config
}

case ${1:-} in
gate) gate ;;
full) full ;;
*)
	echo "usage: hack/test.sh gate|full" >&2
	exit 2
	;;
esac
summary

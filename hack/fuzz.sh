#!/usr/bin/env bash
# fuzz.sh list|run [AMOUNT]: the fuzz targets of the module, found by themselves.
# list prints "package target" for each; run gives each that many inputs (20000x by
# default) or that time (1m). What makes a target fail is kept in its package's
# testdata/fuzz, and from then on is a part of its ordinary test.
#
# By time, Go before 1.27 now and then tells the end of the time itself as a failure,
# "context deadline exceeded" (https://go.dev/issue/75804).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list() {
	local directory names targets=""
	for directory in $(git grep --untracked -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do
		names=$(go test -race -list '^Fuzz' "./$directory")
		targets+=$(sed -n "s|^Fuzz.*|./$directory &|p" <<<"$names")$'\n'
	done
	if [[ $targets != *Fuzz* ]]; then
		echo "There are no fuzz targets: fuzz.sh looks for them in the wrong place." >&2
		exit 1
	fi
	printf '%s' "$targets"
}

run() {
	local targets package target
	targets=$(list)
	while read -r package target; do
		echo "== $package $target"
		# Without minimising: one that goes on when the time is over is told as a failure.
		go test -race -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 0s "$package" </dev/null
	done <<<"$targets"
}

case ${1:-} in
list) list ;;
run) run "${2:-20000x}" ;;
*)
	echo "usage: hack/fuzz.sh list | run [AMOUNT]" >&2
	exit 2
	;;
esac

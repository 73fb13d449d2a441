#!/usr/bin/env bash
# fuzz.sh TIME: runs every fuzz target of the server for that long (such as 5s).
# What it finds is left in testdata/fuzz of the package, to be kept as a seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:?usage: hack/fuzz.sh TIME}
for package in $(go list ./ftpserver/...); do
	targets=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
	for target in $targets; do
		printf '%s %s\n' "$package" "$target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" >/dev/null || {
			echo "$target has failed: go test -run '^$target\$' $package tells why" >&2
			exit 1
		}
	done
done

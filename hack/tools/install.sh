#!/usr/bin/env bash
# install.sh NAME...: sees to it that the named tools are there and prints their
# paths. Each is built once, at the version below, into the user's cache.
set -euo pipefail

declare -A module=(
	[controller-gen]=sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
	[crd-ref-docs]=github.com/elastic/crd-ref-docs@v0.3.0
	[golangci-lint]=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	[gotestsum]=gotest.tools/gotestsum@v1.13.0
	[helm]=helm.sh/helm/v3/cmd/helm@v3.22.0
)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ftp-operator/tools

for name in "$@"; do
	package=${module[$name]:?unknown tool $name}
	dir=$cache/$name-${package##*@}
	if [[ ! -x $dir/$name ]]; then
		echo "Building $name ${package##*@}" >&2
		# -mod=mod and a workspace of the caller's must not reach the tool.
		(cd / && GOFLAGS=-trimpath GOWORK=off CGO_ENABLED=0 GOBIN=$dir go install "$package") >&2
	fi
	echo "$dir/$name"
done

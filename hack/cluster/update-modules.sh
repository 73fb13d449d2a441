#!/usr/bin/env bash
# Writes go.mod and go.sum of src/kube and src/coredns anew.
#
# usage: hack/cluster/update-modules.sh v1.X.Y [COREDNS_VERSION]
#
# Kubernetes' own go.mod names its staging modules as v0.0.0 and replaces them by
# directories of its repository. Here each is replaced by its published v0.X.Y.
# Afterwards set kubernetes_version in lib/settings.sh to the same version.
set -euo pipefail
shopt -s inherit_errexit

kubernetes=${1:?usage: update-modules.sh v1.X.Y [COREDNS_VERSION]}
coredns=${2:-v1.15.0}
provisioner=v13.0.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export GOWORK=off GOFLAGS=-mod=mod

update_kube() {
	local upstream staging=v0.${kubernetes#v1.}
	cd "$here/src/kube"
	upstream=$(cd / && go mod download -json "k8s.io/kubernetes@$kubernetes" | sed -n 's/^\s*"Dir": "\(.*\)",$/\1/p')
	{
		printf 'module github.com/ftp-operator/ftp-operator/hack/cluster/src/kube\n\n'
		grep -E '^(go|godebug) ' "$upstream/go.mod"
		printf '\nrequire (\n\tk8s.io/kubernetes %s\n' "$kubernetes"
		printf '\tsigs.k8s.io/sig-storage-lib-external-provisioner/v13 %s\n)\n\n' "$provisioner"
		awk '/^require \(/,/^\)/' "$upstream/go.mod" | sed -E "s#^(\tk8s.io/[a-z0-9-]+) v0\.0\.0( .*)?\$#\1 $staging\2#"
		printf '\nreplace (\n'
		sed -nE "s#^\s(k8s.io/[a-z0-9-]+) => ./staging.*#\t\1 => \1 $staging#p" "$upstream/go.mod"
		printf ')\n'
	} >go.mod
	cp --no-preserve=mode "$upstream/go.sum" go.sum
	# Adds what this module needs beyond Kubernetes itself.
	go list -deps -tags providerless,dockerless . ./addons >/dev/null
}

update_coredns() {
	cd "$here/src/coredns"
	go get "github.com/coredns/coredns@$coredns"
	go mod tidy
}

(update_kube)
(update_coredns)

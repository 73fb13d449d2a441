#!/usr/bin/env bash
# install-operator.sh: installs the operator into the cluster of KUBECONFIG, or
# into the local one. OPERATOR_IMAGE and SERVER_IMAGE name the images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

operator_image=${OPERATOR_IMAGE:-localhost/ftp-operator:dev}
server_image=${SERVER_IMAGE:-localhost/ftpserver:dev}
: "${KUBECONFIG:=$(hack/cluster/cluster kubeconfig)}"
export KUBECONFIG
kubectl() { command kubectl "$@"; }
command -v kubectl >/dev/null || PATH=$(hack/cluster/cluster assets):$PATH

# An image of the same name may be another one by now: the manager's pods are
# made anew with the images that the nodes have.
kubectl kustomize config/default |
	sed -e "s|localhost/ftp-operator:dev|$operator_image|g" -e "s|localhost/ftpserver:dev|$server_image|g" |
	kubectl apply --server-side --force-conflicts -f - >/dev/null
kubectl -n ftp-operator-system rollout restart deployment >/dev/null
kubectl -n ftp-operator-system rollout status deployment --timeout=120s

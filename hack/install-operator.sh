#!/usr/bin/env bash
# install-operator.sh: installs the operator into the cluster of KUBECONFIG, or
# into the local one. OPERATOR_IMAGE, SERVER_IMAGE and FRONT_IMAGE name the images.
# With NAMESPACES (a,b,…; they must exist) it serves those only, and has no right over
# the cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

operator_image=${OPERATOR_IMAGE:-localhost/ftp-operator:dev}
server_image=${SERVER_IMAGE:-localhost/ftpserver:dev}
front_image=${FRONT_IMAGE:-localhost/ftp-front:dev}
namespaces=${NAMESPACES:-}
: "${KUBECONFIG:=$(hack/cluster/cluster kubeconfig)}"
export KUBECONFIG
command -v kubectl >/dev/null || PATH=$(hack/cluster/cluster assets):$PATH

namespace=ftp-operator-system
before=$(kubectl -n $namespace get deployment ftp-operator --ignore-not-found -o name)
apply=(kubectl apply --server-side --force-conflicts)

# The definitions have a manifest of their own: removing the operator must not
# remove the servers.
"${apply[@]}" -k config/crd >/dev/null
kubectl wait --for=condition=Established --timeout=60s crd/ftpservers.ftp-operator.io crd/ftpusers.ftp-operator.io >/dev/null
if [[ $namespaces ]]; then
	for served in ${namespaces//,/ }; do
		"${apply[@]}" -n "$served" -k config/namespaced/served >/dev/null
	done
	# What an install for all namespaces may have left.
	kubectl delete --ignore-not-found clusterrole,clusterrolebinding ftp-operator >/dev/null
	manifests=config/namespaced
else
	manifests=config/default
fi
kubectl kustomize $manifests |
	sed -e "s|localhost/ftp-operator:dev|$operator_image|g" -e "s|localhost/ftpserver:dev|$server_image|g" \
		-e "s|localhost/ftp-front:dev|$front_image|g" -e "/name: NAMESPACES$/{n;s|value:.*|value: \"$namespaces\"|}" |
	"${apply[@]}" -f - >/dev/null
# An image of the same name may be another one by now.
[[ -z $before ]] || kubectl -n $namespace rollout restart deployment/ftp-operator >/dev/null
kubectl -n $namespace rollout status deployment/ftp-operator --timeout=120s

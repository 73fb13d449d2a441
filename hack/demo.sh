#!/usr/bin/env bash
# demo.sh: from nothing to a file that was sent over FTPS from outside a cluster.
#
# With KUBECONFIG set, it uses that cluster: OPERATOR_IMAGE and SERVER_IMAGE name
# images that it can pull or has loaded, and SERVICE_TYPE (LoadBalancer or
# NodePort) how this machine reaches the server; FTP_CLIENT is put in front of the
# client's command, where that is not run on this machine. Without KUBECONFIG, it
# brings up the local cluster, which needs root on Linux.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

service_type=${SERVICE_TYPE:-LoadBalancer}
hack/tools/packages.sh curl
if [[ -z ${KUBECONFIG:-} ]]; then
	own=yes
	say "A local Kubernetes"
	make --no-print-directory cluster-up cluster-load
	KUBECONFIG=$(hack/cluster/cluster kubeconfig)
	client=("$PWD/hack/cluster/cluster" client)
else
	own=
	read -ra client <<<"${FTP_CLIENT:-env}"
fi
export KUBECONFIG
path_hint=
if ! command -v kubectl >/dev/null; then
	PATH=$(hack/cluster/cluster assets):$PATH
	path_hint="  export PATH=$(hack/cluster/cluster assets):\$PATH"$'\n'
fi

say "The operator"
hack/install-operator.sh

say "A server and a user"
start=$(date +%s%N)
kubectl kustomize config/samples | sed "s/type: LoadBalancer/type: $service_type/" | kubectl apply --server-side --force-conflicts -f -
kubectl wait --for=condition=Ready --timeout=120s ftpserver/files ftpuser/alice >/dev/null
run kubectl get ftpservers,ftpusers

say "A file over FTPS, from outside the cluster"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
address=$(kubectl get ftpserver files -o jsonpath='{.status.addresses[0].value}')
port=$(kubectl get ftpserver files -o jsonpath='{.status.ports.control}')
secret=$(kubectl get ftpuser alice -o jsonpath='{.status.passwordSecretRef.name}')
bundle=$(kubectl get ftpserver files -o jsonpath='{.status.caRef.name}')
kubectl get configmap "$bundle" -o jsonpath='{.data.ca\.crt}' >"$work/ca.crt"
# The password goes by a file that only this user can read, never by an argument.
(
	umask 077
	kubectl get secret "$secret" -o jsonpath='{.data.password}' | base64 -d >"$work/password"
	printf 'machine %s login alice password %s\n' "$address" "$(cat "$work/password")" >"$work/netrc"
)
head -c 5000000 /dev/urandom >"$work/report.pdf"
ftps=(curl --silent --show-error --fail --ssl-reqd --cacert "$work/ca.crt" --netrc-file "$work/netrc")
url=ftp://$address:$port/report.pdf
# Nodes route to a pod that has just become ready within about a second.
run "${client[@]}" "${ftps[@]}" --retry 10 --retry-connrefused --retry-delay 1 --upload-file "$work/report.pdf" "$url"
printf 'Uploaded %d ms after the apply.\n' $((($(date +%s%N) - start) / 1000000))
run "${client[@]}" "${ftps[@]}" --output "$work/back.pdf" "$url"
run sha256sum "$work/report.pdf" "$work/back.pdf"
cmp "$work/report.pdf" "$work/back.pdf"
echo "The same, with the certificate verified."

say "Go on"
cat <<TEXT
  export KUBECONFIG=$KUBECONFIG
$path_hint  kubectl get ftpservers,ftpusers,pods,services -o wide
  kubectl describe ftpserver files
  kubectl get configmap $bundle -o jsonpath='{.data.ca\\.crt}' >ca.crt
  kubectl get secret $secret -o jsonpath='{.data.password}' | base64 -d
  ${client[*]} curl --ssl-reqd --cacert ca.crt -u alice ftp://$address:$port/
TEXT
if [[ $own ]]; then
	echo "End it:  make cluster-down"
else
	echo "End it:  kubectl delete -k config/samples && kubectl delete -k config/default"
fi

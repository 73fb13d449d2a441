#!/usr/bin/env bash
# generate.sh: writes everything that follows from the API types and the RBAC
# markers: deep copies, CRDs, the operator's role, its form for one namespace,
# the chart's and the operator's own copies, and the API reference.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=()
while read -r tool; do tools+=("$tool"); done < <(hack/tools/install.sh controller-gen crd-ref-docs)
controller_gen=${tools[0]} crd_ref_docs=${tools[1]}
chart=charts/ftp-operator/templates

# chart_crd FILE NAME: the CRD as a template that can be switched off, and that
# Helm keeps on uninstall, so that no server goes with the operator.
chart_crd() {
	echo '{{- /* Generated from config/crd/bases: do not edit. */}}'
	echo '{{- if .Values.crds.install }}'
	sed -e 's|^  annotations:$|&\n    helm.sh/resource-policy: keep|' "$1"
	echo '{{- end }}'
}

# served_role FILE: the same rules as a Role of one namespace. Its name is not
# that of the operator's own Role, as it may serve its own namespace too.
served_role() {
	echo '# Generated from config/rbac/role.yaml: do not edit.'
	sed -e '/^---$/d' -e 's|^kind: ClusterRole$|kind: Role|' -e 's|^  name: ftp-operator$|&-served|' "$1"
}

# chart_role FILE: the rules of the role, once for the cluster, or once for each
# namespace that is served.
chart_role() {
	echo '{{- /* Generated from config/rbac/role.yaml: do not edit. */}}'
	echo '{{- define "ftp-operator.rules" }}'
	sed -n -e '/^rules:$/,$p' "$1"
	echo '{{- end }}'
}

"$controller_gen" object paths=./api/...
"$controller_gen" crd paths=./api/... output:crd:dir=config/crd/bases
"$controller_gen" rbac:roleName=ftp-operator paths=./controllers/... output:rbac:dir=config/rbac
for kind in ftpservers ftpusers; do
	chart_crd config/crd/bases/ftp-operator.io_$kind.yaml >$chart/crd-$kind.yaml
done
{
	echo '# A copy of config/rbac/role.yaml: do not edit.'
	cat config/rbac/role.yaml
} >controllers/rights/role.yaml
served_role config/rbac/role.yaml >config/namespaced/served/role.yaml
chart_role config/rbac/role.yaml >$chart/_rules.tpl
"$crd_ref_docs" --log-level=ERROR --config=hack/codegen/reference.yaml --source-path=api \
	--renderer=markdown --output-path=docs/reference/api.md

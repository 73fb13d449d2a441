#!/usr/bin/env bash
# generate.sh: writes everything that follows from the API types and the RBAC
# markers: deep copies, CRDs, the operator's role, the chart's copies of both,
# and the API reference.
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

# chart_role FILE: the rules of the role, under the chart's labels.
chart_role() {
	echo '{{- /* Generated from config/rbac/role.yaml: do not edit. */}}'
	sed -e '/^---$/d' -e 's|^  name: ftp-operator$|&\n  labels:\n    {{- include "ftp-operator.labels" . \| nindent 4 }}|' "$1"
}

"$controller_gen" object paths=./api/...
"$controller_gen" crd paths=./api/... output:crd:dir=config/crd/bases
"$controller_gen" rbac:roleName=ftp-operator paths=./controllers/... output:rbac:dir=config/rbac
for kind in ftpservers ftpusers; do
	chart_crd config/crd/bases/ftp-operator.io_$kind.yaml >$chart/crd-$kind.yaml
done
chart_role config/rbac/role.yaml >$chart/role.yaml
"$crd_ref_docs" --log-level=ERROR --config=hack/codegen/reference.yaml --source-path=api \
	--renderer=markdown --output-path=docs/reference/api.md

#!/usr/bin/env bash
# verify.sh: fails where a generated file is not what generate.sh would write.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

state() {
	git ls-files -co --exclude-standard -z -- api config/crd config/rbac config/namespaced controllers/rights charts docs/reference | sort -z | xargs -0 sha256sum
}

before=$(state)
hack/codegen/generate.sh
if ! changed=$(diff <(echo "$before") <(state)); then
	echo "Generated files were not current; they are now. Run make generate and commit:" >&2
	sed -n 's/^> [0-9a-f]*  /  /p' <<<"$changed" >&2
	exit 1
fi

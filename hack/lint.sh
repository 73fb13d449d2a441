#!/usr/bin/env bash
# lint.sh: the linters of Go, with the import arrows, and of shell.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

golangci_lint=$(hack/tools/install.sh golangci-lint)
"$golangci_lint" run ./...
# The benchmark is a module of its own.
(cd hack/bench && GOWORK=off "$golangci_lint" run ./...)
hack/tools/packages.sh shellcheck
git ls-files | xargs grep -lE '^#!.*bash' | xargs shellcheck -x -P SCRIPTDIR

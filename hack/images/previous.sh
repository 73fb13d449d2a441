#!/usr/bin/env bash
# previous.sh: the previous release, for the tests of upgrades: its images, built
# as it builds them, in bin/previous/images, and its manifests in
# bin/previous/config. The commit is in hack/previous-release.
#
# Exits with 3 where the repository's history does not reach that far.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=bin/previous
commit=$(cat hack/previous-release)
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
	echo "images: the history does not hold the previous release $commit: git fetch --unshallow" >&2
	exit 3
fi
export OPERATOR_IMAGE=${PREVIOUS_OPERATOR_IMAGE:-localhost/ftp-operator:previous}
export SERVER_IMAGE=${PREVIOUS_SERVER_IMAGE:-localhost/ftpserver:previous}
made="$commit $OPERATOR_IMAGE $SERVER_IMAGE"
[[ $(cat $out/made 2>/dev/null) != "$made" ]] || exit 0

rm -rf $out
mkdir -p $out
git worktree add --quiet --force --detach "$out/src" "$commit"
trap 'git worktree remove --force "$out/src"' EXIT
"$out/src/hack/images/build.sh" --version previous
mv "$out/src/bin/images" $out/images
cp -r "$out/src/config" $out/config
echo "$made" >$out/made

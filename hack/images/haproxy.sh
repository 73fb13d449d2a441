#!/usr/bin/env bash
# haproxy.sh: has the HAProxy of the front's image where it can be run on this
# machine, and prints the path of a program that runs it.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

dir=$PWD/bin/front program=$PWD/bin/haproxy
hack/images/front.sh "$(go env GOARCH)" "$dir"
# By its own loader: the machine's may be older, or another.
loader=$(echo "$dir"/lib*/ld-linux-*.so.*)
libraries=$(echo "$dir"/lib/*-linux-gnu):$(echo "$dir"/usr/lib/*-linux-gnu)
printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$loader" "$libraries" "$dir/usr/sbin/haproxy" >"$program.new"
chmod +x "$program.new"
mv "$program.new" "$program"
echo "$program"

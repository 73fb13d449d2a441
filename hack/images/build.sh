#!/usr/bin/env bash
# Builds the project's images without a container engine and without a base image:
# bin/images/operator-ARCH.tar, bin/images/ftpserver-ARCH.tar and, of Debian's
# HAProxy, bin/images/front-ARCH.tar.
#
# usage: hack/images/build.sh [--arch amd64|arm64] [--version V]
# OPERATOR_IMAGE, SERVER_IMAGE and FRONT_IMAGE override the images' names.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ftp-operator
operator_image=${OPERATOR_IMAGE:-localhost/ftp-operator:dev}
server_image=${SERVER_IMAGE:-localhost/ftpserver:dev}
front_image=${FRONT_IMAGE:-localhost/ftp-front:dev}
version=dev
arch=$(go env GOARCH)

fail() {
	echo "images: $*" >&2
	exit 1
}

parse() {
	while (($#)); do
		case $1 in
		--arch) arch=${2:?} ;;
		--version) version=${2:?} ;;
		*) fail "unknown argument $1" ;;
		esac
		shift 2
	done
	[[ $arch == amd64 || $arch == arm64 ]] || fail "--arch is amd64 or arm64"
}

install_buildah() {
	command -v buildah >/dev/null && return
	echo "images: installing buildah" >&2
	export DEBIAN_FRONTEND=noninteractive
	local install=(apt-get install -qq -y --no-install-recommends buildah)
	"${install[@]}" >&2 </dev/null || { apt-get update -qq >&2 && "${install[@]}" >&2 </dev/null; }
}

# compile fills bin/linux-ARCH, the only directory that the stage prebuilt reads.
compile() {
	local out=bin/linux-$arch
	mkdir -p "$out"
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$version" -o "$out/ftp-operator" .
	CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false \
		-ldflags "-s -w -X main.version=$version" -o "$out/ftpserver" ./ftpserver
	install -m 644 /etc/ssl/certs/ca-certificates.crt "$out/ca-certificates.crt"
}

# sources TARGET: the files that an image is made of.
sources() {
	local out=bin/linux-$arch
	case $1 in
	operator) echo "$out/ftp-operator" "$out/ca-certificates.crt" ;;
	ftpserver) echo "$out/ftpserver" "$out/ca-certificates.crt" ;;
	front) find "$out/front" -type f | LC_ALL=C sort ;;
	esac
}

# image TARGET NAME: bin/images/TARGET-ARCH.tar, unless it was made from the same inputs.
image() {
	local target=$1 name=$2 tar=bin/images/$1-$arch.tar inputs
	inputs=$(
		{
			echo "$name $version $revision"
			# shellcheck disable=SC2046 # a list of words
			sha256sum Dockerfile $(sources "$target")
		} | sha256sum
	)
	[[ -e $tar && $(cat "$tar.inputs" 2>/dev/null) == "$inputs" ]] && return
	rm -f "$tar" "$tar.inputs" "$tar.new"
	buildah_ bud --quiet --isolation chroot --platform "linux/$arch" --target "$target" \
		--build-arg SOURCE=prebuilt --build-arg TARGETARCH="$arch" \
		--build-arg VERSION="$version" --build-arg REVISION="$revision" \
		--tag "$name" . >/dev/null
	buildah_ push --quiet "$name" "docker-archive:$tar.new:$name"
	mv "$tar.new" "$tar"
	echo "$inputs" >"$tar.inputs"
	echo "$tar"
}

# buildah_ keeps its storage out of the machine's. It is removed at the end: with
# vfs every build leaves a full copy of each image.
buildah_() {
	buildah --storage-driver vfs --root "$storage/root" --runroot "$storage/run" "$@"
}

clean() {
	rm -rf --one-file-system "$storage"
	# buildah keeps a note of blobs there, whatever its storage is.
	[[ -n $had_containers ]] || rm -rf /var/lib/containers
}

main() {
	parse "$@"
	cd "$root"
	install_buildah
	revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
	mkdir -p bin/images "$cache"
	storage=$(mktemp -d "$cache/buildah.XXXXXX")
	had_containers=$(ls -d /var/lib/containers 2>/dev/null || true)
	trap clean EXIT
	compile
	"$root/hack/images/front.sh" "$arch" "bin/linux-$arch/front"
	image operator "$operator_image"
	image ftpserver "$server_image"
	image front "$front_image"
}

main "$@"

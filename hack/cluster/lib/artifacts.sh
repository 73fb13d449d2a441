# shellcheck shell=bash
# What is built: each artifact is a directory of the cache whose name carries a
# hash of everything it was made from. A fresh clone finds the same names.

# artifact NAME: builds the artifact if the cache does not have it, and prints its directory.
artifact() {
	local name=$1 dir
	dir=$artifacts/$name-$kubernetes_version-$(sources_hash "$name")
	[[ -d $dir ]] || build_once "$name" "$dir"
	echo "$dir"
}

# sources_hash NAME: over the sources, how they are built, and the compiler.
sources_hash() {
	local files
	case $1 in
	kube) files="src/kube/go.mod src/kube/go.sum src/kube/main.go" ;;
	addons) files="src/kube/go.mod src/kube/go.sum src/kube/addons" ;;
	coredns) files="src/coredns" ;;
	nodekit) files="src/nodekit" ;;
	images) files="src/coredns src/nodekit" ;;
	esac
	# shellcheck disable=SC2086 # a list of words
	(
		cd "$here" || exit
		go env GOVERSION GOARCH
		declare -f "build_$1" go_build
		find $files -type f | LC_ALL=C sort | xargs sha256sum
	) | sha256sum | cut -c1-12
}

# build_once NAME DIR: one build at a time, published by a rename, so that what
# is in the cache is always whole.
build_once() {
	command -v go >/dev/null || fail "building needs Go"
	mkdir -p "$artifacts"
	(
		flock 8
		[[ -d $2 ]] && exit 0 # another run was quicker
		say "building $1 (once; with cold caches kube takes about ten minutes)"
		temporary=$(mktemp -d "$artifacts/.building.XXXXXX")
		trap 'rm -rf "$temporary"' EXIT
		"build_$1" "$temporary" >&2 </dev/null
		chmod 755 "$temporary"
		mv -T "$temporary" "$2"
	) 8>"$artifacts/lock"
}

# go_build MODULE PACKAGE OUT [LDFLAGS]
go_build() {
	cd "$here/src/$1" || return
	GOWORK=off GOFLAGS='' CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags providerless,dockerless \
		-ldflags "-s -w ${4:-}" -o "$3" "$2"
}

build_kube() {
	local flags='' package name minor=${kubernetes_version#v1.}
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		flags+=" -X $package.gitVersion=$kubernetes_version -X $package.gitTreeState=clean"
		flags+=" -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
		flags+=" -X $package.gitCommit=unknown -X $package.buildDate=1970-01-01T00:00:00Z"
	done
	go_build kube . "$1/kube" "$flags"
	for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
		ln -s kube "$1/$name"
	done
}

build_addons() { go_build kube ./addons "$1/addons"; }
build_coredns() { go_build coredns . "$1/coredns"; }
build_nodekit() { go_build nodekit . "$1/nodekit"; }

# The images that the cluster itself runs. They depend on other artifacts, which
# are built before the lock is taken.
build_images() {
	"$nodekit" image -name "$pause_image" -program "$nodekit" -o "$1/pause.tar" hold
	"$nodekit" image -name "$coredns_image" -program "$coredns" -o "$1/coredns.tar"
}

# build_all makes everything and says where the programs are.
build_all() {
	local kube_dir addons_dir coredns_dir nodekit_dir
	# Not "local x=$(…)": that would hide a failure.
	kube_dir=$(artifact kube)
	addons_dir=$(artifact addons)
	nodekit_dir=$(artifact nodekit)
	coredns_dir=$(artifact coredns)
	kube=$kube_dir/kube
	addons=$addons_dir/addons
	nodekit=$nodekit_dir/nodekit
	coredns=$coredns_dir/coredns
	images=$(artifact images)
}

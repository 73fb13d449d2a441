# shellcheck shell=bash
# Up, up again, up after a crash, down.

test_life() {
	local output first code moment other
	step "up, with standard input closed; nothing holds our output open"
	output=$("$cluster" up 2>&1 <&-)
	echo "$output"
	first=$(identity)

	step "up again is the same cluster"
	"$cluster" up
	[[ $(identity) == "$first" ]] || fail "up made another cluster of a healthy one"
	no "up with other nodes changed a running cluster" "$cluster" up --nodes 2
	"$cluster" status >/dev/null

	step "the exit status of a client's command comes back"
	code=0
	"$cluster" client sh -c 'exit 7' || code=$?
	((code == 7)) || fail "exit status $code instead of 7"

	step "up after one daemon was killed is a new cluster"
	kill_daemon n1/kube-scheduler
	no "status says that a broken cluster is well" "$cluster" status
	"$cluster" up
	[[ $(identity) != "$first" ]] || fail "up left a broken cluster as it was"

	step "up after every process was killed"
	kill_everything
	"$cluster" up
	"$cluster" status >/dev/null

	step "down, twice"
	"$cluster" down
	nothing_left
	"$cluster" down
	nothing_left

	step "down after an up that was killed half way"
	for moment in 0.3 1 3; do
		kill_during "$moment"
		"$cluster" down
		nothing_left
	done

	step "two at once, on the remains of an up that was killed"
	kill_during 2
	"$cluster" up --nodes 2 &
	other=$!
	"$cluster" up --nodes 2
	wait $other
	"$cluster" down
	nothing_left
}

# kill_during SECONDS: kills an "up", and nothing that it has started, on its way.
kill_during() {
	"$cluster" up </dev/null >/dev/null 2>&1 &
	sleep "$1" # a point on the way, not something to wait for
	kill -KILL $! 2>/dev/null || true
	wait $! 2>/dev/null || true
}

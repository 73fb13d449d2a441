# shellcheck shell=bash
# The kinds of load balancers, before the servers of testdata/peers.yaml.

# ask HOST:PORT: as the client outside, with the input of this function. It ends
# when both halves of the connection have; a broken one is an error.
ask() { timeout 10 "$cluster" client "$nodekit" ask "$@"; }

# ask_inside HOST:PORT: as a pod.
ask_inside() { kubectl exec -i daemonset/peers -- /nodekit ask "$@"; }

# hold HOST:PORT opens a connection that stays, with its ends in held, until end_held.
hold() {
	coproc held { "$cluster" client "$nodekit" ask "$1" 2>/dev/null; }
}

end_held() {
	kill "${held_PID:-}" 2>/dev/null || true # bash unsets it when the connection has ended
	wait "${held_PID:-}" 2>/dev/null || true
}

answers() { [[ $(echo hello | ask "$1") == *$'hello\nend' ]]; }
silent() { ! answers "$1"; }

test_balancers() {
	kubectl apply -f "$here/testdata/peers.yaml" >/dev/null
	kubectl rollout status daemonset/peers --timeout=120s >/dev/null
	test_several_addresses
	test_header_v1
	test_header_v2
	test_hostname
	test_mode_proxy
	test_source_ranges
	test_ports_change
	test_services_change
}

test_several_addresses() {
	local n
	step "several addresses, and each is the way"
	for n in 0 1; do wait_for 30 "address $n" answers "$(address_of plain $n):80"; done
	[[ $(address_of plain 0) != "$(address_of plain 1)" ]] || fail "one address twice"
}

test_header_v1() {
	local address reply want
	step "the PROXY protocol, version 1: the client's address, through a node"
	wait_for 30 "an address" answers "$(address_of header-v1):80"
	address=$(address_of header-v1)
	reply=$(echo hello | ask "$address:80")
	want=$'^peer (.*):[0-9]+\nPROXY TCP4 '"$client_address $address"$' [0-9]+ 80\r\nhello\nend$'
	[[ $reply =~ $want ]] || fail "not what a proxy sends: $(printf %q "$reply")"
	[[ ${BASH_REMATCH[1]} != "$client_address" ]] || fail "the pod saw the client itself"
}

test_header_v2() {
	local address bytes
	step "the PROXY protocol, version 2, with externalTrafficPolicy Local: from the balancer itself"
	wait_for 30 "an address" answers "$(address_of header-v2):80"
	address=$(address_of header-v2)
	bytes=$(echo | ask "$address:80" | od -An -v -tx1 | tr -d ' \n')
	[[ $bytes == "$(printf 'peer %s:' "$balancer_address" | od -An -v -tx1 | tr -d ' \n')"* ]] ||
		fail "not from the balancer: $bytes"
	# Signature, version and command, family, length, client, address, its port; after a line feed.
	[[ $bytes =~ 0a0d0a0d0a000d0a515549540a2111000c$(hex "$client_address")$(hex "$address")[0-9a-f]{4}00500a656e640a$ ]] ||
		fail "not what a proxy sends: $bytes"
}

# hex IPV4: its bytes.
hex() {
	local bytes
	IFS=. read -ra bytes <<<"$1"
	printf %02x "${bytes[@]}"
}

has_hostname() { [[ $(kubectl get service "$1" -o jsonpath='{.status.loadBalancer.ingress[*].hostname}') == "$2" ]]; }

test_hostname() {
	step "a host name instead of addresses, for the client outside and for pods"
	wait_for 30 "the host name" has_hostname named files.example.test
	wait_for 30 "the name outside" answers files.example.test:80
	[[ $("$cluster" client getent ahostsv4 files.example.test | awk '{print $1}' | sort -u | wc -l) == 2 ]] ||
		fail "the name has not two addresses"
	wait_for 30 "the name inside" inside_answers files.example.test:80
	no "the machine knows the name" getent hosts files.example.test
}

inside_answers() { [[ $(echo hello | ask_inside "$1") == *$'hello\nend' ]]; }

test_mode_proxy() {
	local address
	step "ipMode Proxy: pods take the way by the balancer too"
	wait_for 30 "an address" answers "$(address_of mode-proxy):80"
	address=$(address_of mode-proxy)
	[[ $(kubectl get service mode-proxy -o jsonpath='{.status.loadBalancer.ingress[0].ipMode}') == Proxy ]] ||
		fail "the status tells another mode"
	wait_for 30 "the address inside" inside_answers "$address:80"
	address=$(address_of header-v1)
	[[ $(echo | ask_inside "$address:80") != *PROXY* ]] || fail "pods took that way with ipMode VIP too"
	kubectl annotate service header-v1 local.ftp-operator.io/ip-mode=Proxy >/dev/null
	wait_for 30 "the way by the balancer" headed_inside "$address:80"
	kubectl annotate service header-v1 local.ftp-operator.io/ip-mode- >/dev/null
}

headed_inside() { [[ $(echo | ask_inside "$1") == *"PROXY TCP4 $lan.1"* ]]; }

test_source_ranges() {
	local service
	step "loadBalancerSourceRanges, of each kind"
	for service in plain header-v1; do
		kubectl patch service $service -p '{"spec":{"loadBalancerSourceRanges":["10.1.0.0/16"]}}' >/dev/null
		wait_for 30 "$service to shut the client out" silent "$(address_of $service):80"
		kubectl patch service $service -p '{"spec":{"loadBalancerSourceRanges":["10.1.0.0/16","10.89.0.0/24"]}}' >/dev/null
		wait_for 30 "$service to let the client in" answers "$(address_of $service):80"
		kubectl patch service $service --type merge -p '{"spec":{"loadBalancerSourceRanges":null}}' >/dev/null
	done
}

test_ports_change() {
	local address line
	step "ports come and go, and connections stay"
	address=$(address_of header-v1)
	hold "$address:80"
	read -r -t 30 line <&"${held[0]}" # who it seems to be
	echo one >&"${held[1]}"
	read -r -t 30 line <&"${held[0]}" # the header
	read -r -t 30 line <&"${held[0]}" && [[ $line == one ]] || fail "no echo: $line"
	kubectl patch service header-v1 -p '{"spec":{"ports":[{"name":"more","port":81,"targetPort":7000}]}}' >/dev/null
	wait_for 30 "the port that came" answers "$address:81"
	kubectl patch service header-v1 -p '{"spec":{"ports":[{"$patch":"delete","port":81}]}}' >/dev/null
	wait_for 30 "the port to go" silent "$address:81"
	echo two >&"${held[1]}"
	read -r -t 30 line <&"${held[0]}" && [[ $line == two ]] || fail "the connection was cut: $line"
	end_held
}

# test_services_change holds so many connections that some are bound to go over the other
# node, if the kernel chooses anew for them.
test_services_change() {
	local address passing dir n fds=()
	step "Services come and go, and connections to others stay with their nodes"
	address=$(address_of plain):80
	dir=$(mktemp -d)
	for ((n = 0; n < 16; n++)); do
		mkfifo "$dir/$n.in"
		"$cluster" client "$nodekit" ask "$address" <"$dir/$n.in" >"$dir/$n.out" 2>&1 &
		exec {fds[n]}>"$dir/$n.in"
		echo one >&"${fds[n]}"
	done
	wait_for 30 "the connections" all_have one "$dir"
	[[ $(way_in 1 "${address%:*}") != "$(way_in 2 "${address%:*}")" ]] || fail "all go over one node"
	kubectl create service loadbalancer passing --tcp=80:7000 >/dev/null
	wait_for 30 "another Service's address" has_address passing
	passing=$(address_of passing)
	kubectl delete service passing >/dev/null
	wait_for 30 "its way to be gone" no_way "$passing"
	for ((n = 0; n < 16; n++)); do echo two >&"${fds[n]}"; done
	wait_for 30 "all connections to go on" all_have two "$dir"
	for ((n = 0; n < 16; n++)); do exec {fds[n]}>&-; done
	rm -r "$dir"
}

all_have() {
	local out
	for out in "$2"/*.out; do grep -qx "$1" "$out" || return 1; done
}

has_address() { [[ $(address_of "$1") ]]; }

way_in() { "$cluster" client ip route show "$2" table "$((bucket_tables + $1))" | cut -d' ' -f1-3; }

no_way() { [[ -z $("$cluster" client ip route show "$1") ]]; }

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Passive configures the passive ports (RFC 959 PASV, RFC 2428 EPSV). Exactly
// one of Range and Ports is given.
type Passive struct {
	// Range is "first-last": ports that are listened on and announced under
	// the same number.
	Range string `yaml:"range,omitempty"`
	// Ports maps ports that are listened on to the numbers clients are told,
	// for each slot (replica) of the server.
	Ports []PassivePort `yaml:"ports,omitempty"`
	// Addresses are what PASV answers. The first whose ClientCIDRs hold the
	// client's address is taken; one that is hidden is in none. None: the address
	// the client connected to.
	Addresses []PassiveAddress `yaml:"addresses,omitempty"`
	// AddressPending tells that the address that all others reach is not known
	// yet: PASV is answered with 425 until it is. EPSV works meanwhile.
	AddressPending bool `yaml:"addressPending,omitempty"`
	// ClientAddresses is absent: Preserved.
	ClientAddresses ClientAddresses `yaml:"clientAddresses,omitempty"`
	// UnverifiedData is absent: Refuse.
	UnverifiedData UnverifiedData `yaml:"unverifiedData,omitempty"`
}

// ClientAddresses says whether the server sees the addresses of its clients.
type ClientAddresses string

// What the server sees.
const (
	ClientAddressesPreserved ClientAddresses = "Preserved" // each client's own, or that of its NAT
	// ClientAddressesHidden: that of something in between, which may be another for
	// each connection of a client.
	ClientAddressesHidden ClientAddresses = "Hidden"
)

// UnverifiedData says what becomes of data connections in clear where addresses
// are hidden: nothing tells whose they are.
type UnverifiedData string

// What becomes of them.
const (
	UnverifiedDataRefuse UnverifiedData = "Refuse"
	UnverifiedDataAllow  UnverifiedData = "Allow" // whoever connects first is taken for the client
)

func (p *Passive) setDefaults() {
	setDefault(&p.ClientAddresses, ClientAddressesPreserved)
	setDefault(&p.UnverifiedData, UnverifiedDataRefuse)
}

// PassivePort is one passive port of one slot.
type PassivePort struct {
	// Slot is the number of the replica that listens; every other one ignores
	// the entry.
	Slot int `yaml:"slot"`
	// Listen is the port that the process listens on.
	Listen int `yaml:"listen"`
	// Announce is the port that clients are told. Absent (0): Listen.
	Announce int `yaml:"announce,omitempty"`
}

// PassiveAddress is an address that PASV may answer.
type PassiveAddress struct {
	// Address is an IPv4 address, or a host name that the server resolves.
	Address string `yaml:"address"`
	// ClientCIDRs limit the entry to clients of these networks. Absent: all.
	ClientCIDRs []string `yaml:"clientCIDRs,omitempty"`
}

func (p *Passive) validate() error {
	errs := []error{
		oneOf("passive.clientAddresses", p.ClientAddresses, ClientAddressesPreserved, ClientAddressesHidden),
		oneOf("passive.unverifiedData", p.UnverifiedData, UnverifiedDataRefuse, UnverifiedDataAllow),
	}
	switch {
	case p.Range != "" && len(p.Ports) > 0:
		errs = append(errs, errors.New("passive: give either range or ports, not both"))
	case p.Range == "" && len(p.Ports) == 0:
		errs = append(errs, errors.New("passive: give range (such as 30000-30009) or ports"))
	}
	if p.Range != "" {
		if _, _, err := parseRange(p.Range); err != nil {
			errs = append(errs, err)
		}
	}
	seen := map[PassivePort]bool{}
	for i, pp := range p.Ports {
		field := fmt.Sprintf("passive.ports[%d]", i)
		if pp.Slot < 0 {
			errs = append(errs, fmt.Errorf("%s.slot: must be 0 or more, is %d", field, pp.Slot))
		}
		errs = append(errs, portNumber(field+".listen", pp.Listen))
		if pp.Announce != 0 {
			errs = append(errs, portNumber(field+".announce", pp.Announce))
		}
		key := PassivePort{Slot: pp.Slot, Listen: pp.Listen}
		if seen[key] {
			errs = append(errs, fmt.Errorf("%s.listen: port %d is there twice", field, pp.Listen))
		}
		seen[key] = true
	}
	for i, a := range p.Addresses {
		errs = append(errs, a.validate(fmt.Sprintf("passive.addresses[%d]", i)))
	}
	return errors.Join(errs...)
}

func (a *PassiveAddress) validate(field string) error {
	var errs []error
	if ip, err := netip.ParseAddr(a.Address); err == nil {
		if !ip.Is4() {
			errs = append(errs, fmt.Errorf("%s.address: PASV can only tell an IPv4 address (RFC 959), not %s; clients of IPv6 use EPSV, which needs none", field, a.Address))
		}
	} else if a.Address == "" || strings.ContainsAny(a.Address, " \t/:,") {
		errs = append(errs, fmt.Errorf("%s.address: %q is neither an IPv4 address nor a host name", field, a.Address))
	}
	for _, c := range a.ClientCIDRs {
		if _, err := netip.ParsePrefix(c); err != nil {
			errs = append(errs, fmt.Errorf("%s.clientCIDRs: %q is not a network such as 10.0.0.0/8", field, c))
		}
	}
	return errors.Join(errs...)
}

// PortsOf returns the passive ports of a slot, with the announced number of
// each filled in. The configuration must be valid.
func (p *Passive) PortsOf(slot int) []PassivePort {
	var out []PassivePort
	if p.Range != "" {
		first, last, err := parseRange(p.Range)
		for n := first; err == nil && n <= last; n++ {
			out = append(out, PassivePort{Slot: slot, Listen: n, Announce: n})
		}
		return out
	}
	for _, pp := range p.Ports {
		if pp.Slot == slot {
			setDefault(&pp.Announce, pp.Listen)
			out = append(out, pp)
		}
	}
	return out
}

func parseRange(s string) (first, last int, err error) {
	lo, hi, ok := strings.Cut(s, "-")
	if !ok {
		hi = lo
	}
	first, err1 := strconv.Atoi(strings.TrimSpace(lo))
	last, err2 := strconv.Atoi(strings.TrimSpace(hi))
	if err1 != nil || err2 != nil || first < 1 || last > 65535 || first > last {
		return 0, 0, fmt.Errorf("passive.range: %q is not a range of ports such as 30000-30009", s)
	}
	return first, last, nil
}

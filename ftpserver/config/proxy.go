package config

import (
	"errors"
	"fmt"
	"net/netip"
)

// ProxyProtocol says whom to believe the address of a client, as load balancers
// tell it by the PROXY protocol, versions 1 and 2, on control and passive ports.
type ProxyProtocol struct {
	// Trusted are the networks that they connect from. Whoever can connect from
	// there can claim any address. Of networks that hold the same address the
	// smallest counts. From elsewhere the protocol is not spoken. Absent: from nowhere.
	Trusted []ProxySource `yaml:"trusted,omitempty"`
}

// ProxySource is a network that load balancers connect from.
type ProxySource struct {
	CIDR string `yaml:"cidr"`
	// Mode is absent: Required.
	Mode ProxyMode `yaml:"mode,omitempty"`
	// Data is absent: Announced.
	Data ProxyData `yaml:"data,omitempty"`
}

// ProxyData says how the data connections come of clients whose control
// connections come from there with a header.
type ProxyData string

// The ways.
const (
	ProxyDataAnnounced ProxyData = "Announced" // from a trusted network too, with a header
	// ProxyDataDirect: from the client itself, as the balancer is before the control
	// port only. Their addresses are as passive.clientAddresses says.
	ProxyDataDirect ProxyData = "Direct"
)

// ProxyMode says whether connections must begin with a header.
type ProxyMode string

// The modes.
const (
	ProxyRequired ProxyMode = "Required" // one without is closed
	// ProxyOptional: one without is a client's own. As such a client says nothing
	// either until it is greeted, it waits half a second for that.
	ProxyOptional ProxyMode = "Optional"
)

func (p *ProxyProtocol) setDefaults() {
	for i := range p.Trusted {
		setDefault(&p.Trusted[i].Mode, ProxyRequired)
		setDefault(&p.Trusted[i].Data, ProxyDataAnnounced)
	}
}

func (p *ProxyProtocol) validate() error {
	var errs []error
	for i, s := range p.Trusted {
		field := fmt.Sprintf("proxyProtocol.trusted[%d]", i)
		if _, err := Network(s.CIDR); err != nil {
			errs = append(errs, fmt.Errorf("%s.cidr: %q is not a network such as 10.0.0.0/16", field, s.CIDR))
		}
		errs = append(errs, oneOf(field+".mode", s.Mode, ProxyRequired, ProxyOptional),
			oneOf(field+".data", s.Data, ProxyDataAnnounced, ProxyDataDirect))
	}
	return errors.Join(errs...)
}

// Network reads a network. An IPv4 network may be written as one of IPv6 (RFC
// 4291 §2.5.5.2).
func Network(cidr string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, nil
}

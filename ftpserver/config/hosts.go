package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// NormalHost is a host name or an address as HOST may give it (RFC 7151 §3.1),
// in the one form that names are compared in: lower case, no dot at the end, an
// address of IPv6 without brackets and in its short form. It is not ok for
// anything else, such as a name with a port.
func NormalHost(host string) (string, bool) {
	if inside, ok := strings.CutPrefix(host, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		a, err := netip.ParseAddr(inside)
		if !ok || err != nil || !a.Is6() || a.Zone() != "" {
			return "", false
		}
		return a.String(), true
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.String(), a.Zone() == ""
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if len(host) > 253 {
		return "", false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !hostLabel(label) {
			return "", false
		}
	}
	// What ends in a number is an address that went wrong, such as 10.0.0.256.
	return host, strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// hostLabel tells whether one label of a name is letters, digits, hyphens and,
// as in many names of machines, underscores.
func hostLabel(label string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	return label != "" && len(label) <= 63 && strings.Trim(label, letters) == "" &&
		label[0] != '-' && label[len(label)-1] != '-'
}

// HostMatches tells whether a host in normal form is one of the configured
// names, *. standing for one label.
func HostMatches(hosts []string, host string) bool {
	for _, h := range hosts {
		if name, ok := strings.CutPrefix(h, "*."); ok {
			_, parent, found := strings.Cut(host, ".")
			if normal, _ := NormalHost(name); found && parent == normal {
				return true
			}
			continue
		}
		if normal, _ := NormalHost(h); normal == host {
			return true
		}
	}
	return false
}

func validateHosts(hosts []string) error {
	var errs []error
	for i, h := range hosts {
		if _, ok := NormalHost(strings.TrimPrefix(h, "*.")); !ok {
			errs = append(errs, fmt.Errorf("hosts[%d]: %q is neither a host name nor an address: give it without a port", i, h))
		}
	}
	return errors.Join(errs...)
}

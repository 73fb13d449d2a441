package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// SetDefaults fills in what is absent. Decode does it by itself.
func (c *Config) SetDefaults() {
	setDefault(&c.Banner, "FTP server ready")
	c.Passive.setDefaults()
	c.ProxyProtocol.setDefaults()
	setDefault(&c.ModeZ, ModeZDeny)
	c.TLS.setDefaults()
	c.Storage.setDefaults()
	c.Limits.setDefaults()
	setDefault(&c.Log.Level, "Info")
	setDefault(&c.Log.Format, "JSON")
	if a := c.Anonymous; a != nil {
		setDefault(&a.Home, "/pub")
		setDefault(&a.Role, RoleReadOnly)
	}
	setUserDefaults(c.Users)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate checks every value. The error joins one line for each that is wrong,
// as many as somebody would read.
func (c *Config) Validate() error {
	errs := []error{
		listenAddress("listen", c.Listen, true),
		oneLine("banner", c.Banner),
		oneOf("modeZ", c.ModeZ, ModeZDeny, ModeZAllow),
		c.Passive.validate(),
		c.ProxyProtocol.validate(),
		c.TLS.validate(c.Listen),
		validateHosts(c.Hosts),
		c.hiddenAddresses(),
		c.Storage.validate(),
		c.Log.validate(c.Storage.Root),
		c.validateMessages(),
		c.Limits.validate(),
		c.Admin.validate(),
		c.Anonymous.validate(),
	}
	errs = append(errs, validateUsers("users", c.Users)...)
	return Brief(errs)
}

// hiddenAddresses refuses what needs the address of clients where it is hidden.
func (c *Config) hiddenAddresses() error {
	if c.Active && c.Passive.ClientAddresses == ClientAddressesHidden {
		return errors.New("active: connects to the client's own address, which passive.clientAddresses says is hidden: take out one of the two")
	}
	return nil
}

func listenAddress(field, addr string, needed bool) error {
	if addr == "" {
		if needed {
			return fmt.Errorf("%s: name the address to listen on, such as 0.0.0.0:2121", field)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %q is not host:port", field, addr)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return fmt.Errorf("%s: %q is not an IP address", field, host)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%s: %q is not a port", field, port)
	}
	return nil
}

func portNumber(field string, n int) error {
	if n < 1 || n > 65535 {
		return fmt.Errorf("%s: must be between 1 and 65535, is %d", field, n)
	}
	return nil
}

func oneLine(field, s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s: must be one line without control characters", field)
	}
	return nil
}

// absentOr is oneOf for what has no default of its own.
func absentOr[T ~string](field string, v T, allowed ...T) error {
	if v == "" {
		return nil
	}
	return oneOf(field, v, allowed...)
}

func oneOf[T ~string](field string, v T, allowed ...T) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	return fmt.Errorf("%s: %q is not one of %s", field, string(v), strings.Join(words, ", "))
}

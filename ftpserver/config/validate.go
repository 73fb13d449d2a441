package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxUsernameLength is the longest login name, in bytes.
const MaxUsernameLength = 128

// Defaults of the limits.
const (
	DefaultIdleTimeout  = 5 * time.Minute
	DefaultLoginTimeout = time.Minute
	DefaultStallTimeout = time.Minute
	DefaultDrainTimeout = 25 * time.Second
)

// SetDefaults fills in what is absent. Decode does it by itself.
func (c *Config) SetDefaults() {
	setDefault(&c.Banner, "FTP server ready")
	mode := TLSDisabled
	if len(c.TLS.Certificates) > 0 {
		mode = TLSRequired
	}
	setDefault(&c.TLS.Mode, mode)
	setDefault(&c.TLS.MinVersion, "1.2")
	setDefault(&c.Storage.Durability, DurabilityFull)
	setDefault(&c.Limits.IdleTimeout, DefaultIdleTimeout)
	setDefault(&c.Limits.LoginTimeout, DefaultLoginTimeout)
	setDefault(&c.Limits.StallTimeout, DefaultStallTimeout)
	setDefault(&c.Limits.DrainTimeout, DefaultDrainTimeout)
	setDefault(&c.Log.Level, "Info")
	setDefault(&c.Log.Format, "JSON")
	if a := c.Anonymous; a != nil {
		setDefault(&a.Home, "/pub")
		setDefault(&a.Role, RoleReadOnly)
	}
	setUserDefaults(c.Users)
}

func setUserDefaults(users []User) {
	for i := range users {
		u := &users[i]
		setDefault(&u.Home, path.Join("/", u.Name))
		setDefault(&u.Role, RoleReadWrite)
		setDefault(&u.Login, LoginEnabled)
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate checks every value. The error joins one line for each that is wrong.
func (c *Config) Validate() error {
	errs := []error{
		listenAddress("listen", c.Listen, true),
		oneLine("banner", c.Banner),
		c.Passive.validate(),
		c.TLS.validate(),
		oneOf("storage.durability", c.Storage.Durability, DurabilityFull, DurabilityNone),
		oneOf("log.level", c.Log.Level, "Debug", "Info", "Warn", "Error"),
		oneOf("log.format", c.Log.Format, "JSON", "Text"),
		c.Limits.validate(),
		c.Admin.validate(),
		c.Anonymous.validate(),
	}
	if c.Storage.Root == "" {
		errs = append(errs, errors.New("storage.root: name the directory that holds the files"))
	}
	errs = append(errs, validateUsers("users", c.Users)...)
	return errors.Join(errs...)
}

func (p *Passive) validate() error {
	var errs []error
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

func (t *TLS) validate() error {
	errs := []error{
		oneOf("tls.mode", t.Mode, TLSRequired, TLSOptional, TLSDisabled),
		oneOf("tls.minVersion", t.MinVersion, "1.2", "1.3"),
	}
	if t.Mode != TLSDisabled && len(t.Certificates) == 0 {
		errs = append(errs, fmt.Errorf("tls.certificates: mode %s needs at least one", t.Mode))
	}
	for i, c := range t.Certificates {
		if c.CertFile == "" || c.KeyFile == "" {
			errs = append(errs, fmt.Errorf("tls.certificates[%d]: give certFile and keyFile", i))
		}
	}
	return errors.Join(errs...)
}

func (l *Limits) validate() error {
	var errs []error
	for field, n := range map[string]int{"sessions": l.Sessions, "sessionsPerAddress": l.SessionsPerAddress} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("limits.%s: must be 0 (none) or more, is %d", field, n))
		}
	}
	for field, d := range map[string]time.Duration{"idleTimeout": l.IdleTimeout, "loginTimeout": l.LoginTimeout, "stallTimeout": l.StallTimeout, "drainTimeout": l.DrainTimeout} {
		if d < time.Second || d > 24*time.Hour {
			errs = append(errs, fmt.Errorf("limits.%s: must be between 1s and 24h, is %s", field, d))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (a *Admin) validate() error {
	errs := []error{listenAddress("admin.listen", a.Listen, false)}
	s := a.Status
	if s.Listen != "" {
		errs = append(errs, listenAddress("admin.status.listen", s.Listen, true))
		if s.CertFile == "" || s.KeyFile == "" || s.TokenFile == "" {
			errs = append(errs, errors.New("admin.status: give certFile, keyFile and tokenFile"))
		}
	}
	return errors.Join(errs...)
}

func validateUsers(field string, users []User) []error {
	var errs []error
	seen := map[string]bool{}
	for i, u := range users {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := UsernameProblem(u.Name); err != nil {
			errs = append(errs, fmt.Errorf("%s.name: %w", at, err))
		}
		if seen[u.Name] {
			errs = append(errs, fmt.Errorf("%s.name: %q is there twice", at, u.Name))
		}
		seen[u.Name] = true
		if !slices.ContainsFunc(hashPrefixes, func(p string) bool { return strings.HasPrefix(u.PasswordHash, p) }) {
			errs = append(errs, fmt.Errorf("%s.passwordHash: must be a hash that starts with %s; make one with: ftpserver hash-password", at, strings.Join(hashPrefixes, " or ")))
		}
		errs = append(errs,
			directory(at+".home", u.Home),
			oneOf(at+".role", u.Role, RoleReadOnly, RoleReadWrite, RoleWriteOnly, RoleAdmin),
			oneOf(at+".login", u.Login, LoginEnabled, LoginSuspended),
			u.validateNarrowing(at))
	}
	return errs
}

// validateNarrowing checks what limits a login beyond its role.
func (u *User) validateNarrowing(at string) error {
	var errs []error
	if n := len(u.Paths); n > MaxPaths {
		errs = append(errs, fmt.Errorf("%s.paths: must be at most %d, are %d", at, MaxPaths, n))
	}
	seen := map[string]bool{}
	for i, p := range u.Paths {
		field := fmt.Sprintf("%s.paths[%d]", at, i)
		errs = append(errs, directory(field+".path", p.Path), oneOf(field+".role", p.Role, RoleReadOnly, RoleReadWrite, RoleWriteOnly))
		if seen[p.Path] {
			errs = append(errs, fmt.Errorf("%s.path: %q is there twice", field, p.Path))
		}
		seen[p.Path] = true
	}
	for _, c := range u.AllowedCIDRs {
		if _, err := netip.ParsePrefix(c); err != nil {
			errs = append(errs, fmt.Errorf("%s.allowedCIDRs: %q is not a network such as 10.0.0.0/8", at, c))
		}
	}
	if year := u.ExpiresAt.UTC().Year(); year < 1 || year > 9999 {
		errs = append(errs, fmt.Errorf("%s.expiresAt: must be before the year 10000 (RFC 3339): leave it out for a login that never ends", at))
	}
	if u.MaxSessions < 0 {
		errs = append(errs, fmt.Errorf("%s.maxSessions: must be 0 (none) or more, is %d", at, u.MaxSessions))
	}
	return errors.Join(errs...)
}

func (a *Anonymous) validate() error {
	if a == nil {
		return nil
	}
	return errors.Join(directory("anonymous.home", a.Home), oneOf("anonymous.role", a.Role, RoleReadOnly, RoleWriteOnly))
}

// Problem says what a server would refuse about the user, or nil. The hash of
// the password is not judged.
func (u User) Problem() error {
	u.PasswordHash = hashPrefixes[0]
	users := []User{u}
	setUserDefaults(users)
	return errors.Join(validateUsers("user", users)...)
}

var hashPrefixes = []string{"$argon2id$", "$2", "$6$"}

// UsernameProblem says what is wrong with a login name, or nil.
func UsernameProblem(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > MaxUsernameLength:
		return fmt.Errorf("must be at most %d bytes long, is %d", MaxUsernameLength, len(name))
	case !utf8.ValidString(name):
		return errors.New("must be UTF-8")
	case strings.ContainsAny(name, "/"), name == ".", name == "..":
		return fmt.Errorf("%q must not contain a slash, nor be one dot or two", name)
	case strings.TrimSpace(name) != name, strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q must not begin or end with a space or hold control characters", name)
	}
	return nil
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

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of the limits.
const (
	DefaultIdleTimeout  = 5 * time.Minute
	DefaultLoginTimeout = time.Minute
	DefaultStallTimeout = time.Minute
	DefaultDrainTimeout = 25 * time.Second
	// DefaultHandshakeTimeout and DefaultHandshakes are those of TLS handshakes.
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultHandshakes       = 1000
)

// Limits bound what clients may use. A limit of 0 is none.
type Limits struct {
	// Sessions is how many control connections the process serves at once. One
	// more takes the place of one that nobody has logged in on, or else is refused.
	Sessions int `yaml:"sessions,omitempty"`
	// SessionsPerAddress is how many of them one client address may hold; of
	// IPv6, one network of 64 bits. It does not count where addresses are hidden
	// (Passive.ClientAddresses).
	SessionsPerAddress int `yaml:"sessionsPerAddress,omitempty"`
	// IdleTimeout ends a session without a command. Absent: 5 minutes.
	IdleTimeout time.Duration `yaml:"idleTimeout,omitempty"`
	// LoginTimeout ends a session that has not logged in. Absent: 1 minute.
	LoginTimeout time.Duration `yaml:"loginTimeout,omitempty"`
	// StallTimeout ends a transfer without progress. Absent: 1 minute.
	StallTimeout time.Duration `yaml:"stallTimeout,omitempty"`
	// HandshakeTimeout ends a TLS handshake, on control and data connections.
	// Absent: 15 seconds.
	HandshakeTimeout time.Duration `yaml:"handshakeTimeout,omitempty"`
	// Handshakes is how many TLS handshakes may be in progress at once; one more
	// ends the oldest. Those on data connections that are a session's by their
	// address are counted apart, up to the same number; and so are connections of
	// which a header of the PROXY protocol is awaited, to control ports and to
	// passive ones. Absent: 1000.
	Handshakes int `yaml:"handshakes,omitempty"`
	// DrainTimeout is how long sessions may finish what they are at when the
	// process is asked to end (SIGTERM). Absent: 25 seconds.
	DrainTimeout time.Duration `yaml:"drainTimeout,omitempty"`
	// FailedLogins bounds how fast passwords can be guessed.
	FailedLogins FailedLogins `yaml:"failedLogins,omitempty"`
	// Rates are those of sessions whose user has none of their own.
	Rates `yaml:",inline"`
}

func (l *Limits) setDefaults() {
	setDefault(&l.IdleTimeout, DefaultIdleTimeout)
	setDefault(&l.LoginTimeout, DefaultLoginTimeout)
	setDefault(&l.StallTimeout, DefaultStallTimeout)
	setDefault(&l.HandshakeTimeout, DefaultHandshakeTimeout)
	setDefault(&l.Handshakes, DefaultHandshakes)
	setDefault(&l.DrainTimeout, DefaultDrainTimeout)
	l.FailedLogins.setDefaults()
}

func (l *Limits) validate() error {
	var errs []error
	for field, n := range map[string]int{"sessions": l.Sessions, "sessionsPerAddress": l.SessionsPerAddress} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("limits.%s: must be 0 (none) or more, is %d", field, n))
		}
	}
	if l.Handshakes < 1 {
		errs = append(errs, fmt.Errorf("limits.handshakes: must be 1 or more, is %d", l.Handshakes))
	}
	for field, d := range map[string]time.Duration{"handshakeTimeout": l.HandshakeTimeout, "idleTimeout": l.IdleTimeout, "loginTimeout": l.LoginTimeout, "stallTimeout": l.StallTimeout, "drainTimeout": l.DrainTimeout} {
		if d < time.Second || d > 24*time.Hour {
			errs = append(errs, fmt.Errorf("limits.%s: must be between 1s and 24h, is %s", field, d))
		}
	}
	for _, err := range []error{l.FailedLogins.validate(), l.Rates.validate("limits")} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

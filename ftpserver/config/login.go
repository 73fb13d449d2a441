package config

import (
	"errors"
	"fmt"
	"time"
)

// GuessingMode is what failed logins lead to.
type GuessingMode string

// The modes.
const (
	// GuessingLockout delays, and then locks out for some time.
	GuessingLockout GuessingMode = "Lockout"
	// GuessingDelay only delays.
	GuessingDelay GuessingMode = "Delay"
	// GuessingOff does neither.
	GuessingOff GuessingMode = "Off"
)

// Defaults of FailedLogins.
const (
	DefaultLoginDelay          = 500 * time.Millisecond
	DefaultMaxLoginDelay       = 8 * time.Second
	DefaultLockoutAfter        = 10
	DefaultAddressLockoutAfter = 100
	DefaultLockoutFor          = 10 * time.Minute
)

// longestLoginDelay bounds maxDelay: clients wait for a reply half a minute, and
// a password may take most of that to be checked.
const longestLoginDelay = 15 * time.Second

// FailedLogins bounds how fast passwords can be guessed.
type FailedLogins struct {
	// Mode is absent: Lockout.
	Mode GuessingMode `yaml:"mode,omitempty"`
	// Delay is how long a login waits after one failure. It doubles with each
	// further one, up to MaxDelay. Absent: 500 milliseconds, and 8 seconds.
	Delay    time.Duration `yaml:"delay,omitempty"`
	MaxDelay time.Duration `yaml:"maxDelay,omitempty"`
	// LockoutAfter is how many failures for one user from one address lock out
	// that user there. Absent (0): 10.
	LockoutAfter int `yaml:"lockoutAfter,omitempty"`
	// AddressLockoutAfter is how many failures from one address lock it out, but
	// for users who have logged in from there before. Absent (0): 100, or ten
	// times LockoutAfter if that is more.
	AddressLockoutAfter int `yaml:"addressLockoutAfter,omitempty"`
	// LockoutFor is how long a lockout lasts, and within which time failures are
	// counted. Absent: 10 minutes.
	LockoutFor time.Duration `yaml:"lockoutFor,omitempty"`
}

func (f *FailedLogins) setDefaults() {
	setDefault(&f.Mode, GuessingLockout)
	setDefault(&f.Delay, DefaultLoginDelay)
	setDefault(&f.MaxDelay, DefaultMaxLoginDelay)
	setDefault(&f.LockoutAfter, DefaultLockoutAfter)
	setDefault(&f.AddressLockoutAfter, max(DefaultAddressLockoutAfter, 10*f.LockoutAfter))
	setDefault(&f.LockoutFor, DefaultLockoutFor)
}

func (f *FailedLogins) validate() error {
	const field = "limits.failedLogins"
	errs := []error{oneOf(field+".mode", f.Mode, GuessingLockout, GuessingDelay, GuessingOff)}
	if f.Delay < time.Millisecond || f.Delay > f.MaxDelay {
		errs = append(errs, fmt.Errorf("%s.delay: must be between 1ms and maxDelay (%s), is %s", field, f.MaxDelay, f.Delay))
	}
	if f.MaxDelay < time.Millisecond || f.MaxDelay > longestLoginDelay {
		errs = append(errs, fmt.Errorf("%s.maxDelay: must be between 1ms and %s, as clients do not wait longer for a reply, is %s", field, longestLoginDelay, f.MaxDelay))
	}
	if f.LockoutAfter < 3 || f.LockoutAfter > 10_000 {
		errs = append(errs, fmt.Errorf("%s.lockoutAfter: must be between 3 and 10000, is %d; to lock out nobody, set mode: Delay", field, f.LockoutAfter))
	}
	if f.AddressLockoutAfter <= 2*f.LockoutAfter || f.AddressLockoutAfter > 1_000_000 {
		errs = append(errs, fmt.Errorf("%s.addressLockoutAfter: must be more than twice lockoutAfter (%d) and at most 1000000, is %d: else one user's failures could lock out all others behind the same address", field, f.LockoutAfter, f.AddressLockoutAfter))
	}
	if f.LockoutFor < time.Second || f.LockoutFor > 24*time.Hour {
		errs = append(errs, fmt.Errorf("%s.lockoutFor: must be between 1s and 24h, is %s", field, f.LockoutFor))
	}
	return errors.Join(errs...)
}
